"""The command line on uvloop, if that is installed."""

import asyncio
import signal
import subprocess
import sys

import pytest

from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.shutdown import Shutdown, run_command
from backupify_async.testing import SimulatedBackupify
from tests.support.commands import Run
from tests.support.processes import PATIENCE, process

uvloop = pytest.importorskip("uvloop")

FEW_FILES = """
import resource

from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.shutdown import Shutdown, run_command

async def command(shutdown: Shutdown) -> ExitCode:
    return ExitCode.SUCCESS

run_command(command)  # later runs need no descriptors for imports
for files in range(4, 30):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        print(int(run_command(command)))
    except OSError as error:
        print(error.strerror)
"""


def test_a_command_runs_on_uvloop() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def command(_shutdown: Shutdown) -> ExitCode:
        loops.append(asyncio.get_running_loop())
        return ExitCode.SUCCESS

    run_command(command)
    assert [type(loop) for loop in loops] == [uvloop.Loop]


@pytest.mark.slow
def test_too_low_a_limit_of_open_files_is_reported_in_one_line() -> None:
    ended = subprocess.run([sys.executable, "-c", FEW_FILES], capture_output=True, text=True, check=False)
    *too_few, enough = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr, enough) == (0, "", "0")
    assert set(too_few) == {"0", "Too many open files"}


@pytest.mark.backupify(instances=60)
@pytest.mark.parametrize("rate", ["700", "1000", "3000"])
def test_a_sweep_ends_at_a_rate_of_about_a_call_a_millisecond(
    server: SimulatedBackupify, run: Run, rate: str
) -> None:
    result = run("active", "--all", "--rate", rate, "-o", "csv")
    assert (result.code, len(result.rows)) == (ExitCode.SUCCESS, 61)


def test_ctrl_c_ends_the_simulated_server_with_success() -> None:
    with process("simulate", "--port", "0") as started:
        assert started.stdout is not None
        assert "simulated" in started.stdout.readline()
        started.send_signal(signal.SIGINT)
        assert started.wait(timeout=PATIENCE) == ExitCode.SUCCESS
