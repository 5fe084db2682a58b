"""The code and the commands of the README work."""

import ast
import asyncio
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Coroutine
from pathlib import Path
from types import CodeType

import pytest

from backupify_async import BackupifyClient, ClientCredentials, Fleet, RateLimit
from backupify_async._cli import main
from backupify_async.testing import SimulatedBackupify

pytest_plugins = ["pytester"]
ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if ".venv" in block]
LINES = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("backupify ") and not line.startswith("backupify simulate")  # which does not end
]
FIRST, *BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_first_screen_shows_the_code_and_both_commands() -> None:
    screen = "\n".join(README.splitlines()[:40])
    assert FIRST in screen
    assert all(command in screen for command in COMMANDS)
    assert len([line for line in FIRST.splitlines() if line]) <= 10


def test_ci_runs_the_test_command_to_the_letter() -> None:
    assert COMMANDS[1] in (ROOT / ".ci" / "run").read_text()


@pytest.mark.backupify(instances=5)
def test_the_first_block_is_a_complete_program(backupify: SimulatedBackupify) -> None:
    environment = {
        **os.environ,
        "BACKUPIFY_CLIENT_ID": "demo",
        "BACKUPIFY_CLIENT_SECRET": "demo",
        "BACKUPIFY_BASE_URL": backupify.base_url,
    }
    command = [sys.executable, "-c", FIRST]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stderr, sorted(done.stdout.split())) == (
        "",
        sorted(["1", "None", "2", "None", "3", "None", "4", "None", "5", "None"]),
    )


@pytest.mark.backupify(instances=50, backups=25, backup_duration=0.001)
def test_each_other_block_needs_only_a_client(
    backupify: SimulatedBackupify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {
        "BACKUPIFY_CLIENT_ID": "demo",
        "BACKUPIFY_CLIENT_SECRET": "demo",
        "BACKUPIFY_BASE_URL": backupify.base_url,
    }

    async def run_all() -> None:
        async with BackupifyClient.from_env(
            environment, rate_limit=RateLimit(per_second=None, adaptive=False)
        ) as client:
            for block in BLOCKS:
                code: CodeType = compile(block, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                outcome = eval(code, {"client": client})
                if isinstance(outcome, Coroutine):
                    await outcome

    asyncio.run(run_all())
    assert len(backupify.triggers[42]) == 1


def test_the_tests_in_it_pass(pytester: pytest.Pytester) -> None:
    (shown,) = [block for block in BLOCKS if "def test_" in block]
    pytester.makeini("[pytest]")
    pytester.makepyfile(shown)
    pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:looptime_plugin").assert_outcomes(passed=1)


@pytest.mark.backupify(instances=50, backups=1)
@pytest.mark.parametrize("documented", [BackupifyClient.request, BackupifyClient.iterate, Fleet])
def test_the_examples_of_a_docstring_run(documented: object, backupify: SimulatedBackupify) -> None:
    docstring = inspect.getdoc(documented) or ""
    example = "".join(re.findall(r"^(?:    .*)?\n", docstring.partition("\nArgs:")[0], re.MULTILINE))
    code: CodeType = compile(textwrap.dedent(example), "docstring", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)

    async def run() -> None:
        credentials = ClientCredentials("demo", "demo")
        async with BackupifyClient(credentials, base_url=backupify.base_url) as client:
            await eval(code, {"client": client})

    asyncio.run(run())
    assert {request.operation for request in backupify.requests} - {"token"}
    assert {request.status for request in backupify.requests} <= {200, 201, 404}  # 404: an idle instance


@pytest.mark.slow  # it waits for a backup
@pytest.mark.backupify(instances=50, backups=25, backup_duration=0.001)
def test_each_command_in_it_exits_with_0(
    backupify: SimulatedBackupify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BACKUPIFY_BASE_URL", backupify.base_url)
    monkeypatch.setenv("BACKUPIFY_CLIENT_ID", "demo")
    monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET", "demo")
    Path("ids.txt").write_text("1\n2\n")
    assert len(LINES) >= 9
    codes = {line: main(shlex.split(line, comments=True)[1:]) for line in LINES}
    assert codes == dict.fromkeys(LINES, 0)
    started = {instance_id: len(backups) for instance_id, backups in backupify.triggers.items()}
    assert started == {**dict.fromkeys(range(1, 51), 1), 42: 3, 43: 3}


@pytest.mark.parametrize("command", ["pip install", "pip3 install"])
def test_the_package_is_installed_from_the_checkout_and_not_from_an_index(command: str) -> None:
    named = {*re.findall(rf"{command} (\S+)", README)} - {"nox"}
    assert all(name.strip("'").startswith(".") for name in named)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_first_command_installs_in_a_fresh_checkout_and_runs_the_demo(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "docs", "dist")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    done = subprocess.run(
        ["bash", "-c", COMMANDS[0]], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "200" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_without_extras_the_package_imports_and_its_command_names_the_missing_extra(tmp_path: Path) -> None:
    python, command = tmp_path / "bin" / "python", tmp_path / "bin" / "backupify"
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path)], check=True)
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(ROOT)], check=True)
    subprocess.run([str(python), "-c", "import backupify_async"], cwd=tmp_path, check=True)
    done = subprocess.run([str(command)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "pip install '.[cli]' in the checkout" in done.stderr) == (2, True)
