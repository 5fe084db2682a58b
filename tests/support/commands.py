"""What a command printed and started; how to wait for it and to end it."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from backupify_async import Statistics
from backupify_async.statistics import LimitSource
from backupify_async.testing import SimulatedBackupify
from tests.support.files import run_sql
from tests.support.processes import PATIENCE, Result

Run = Callable[..., Result]

QUIET = Statistics(
    in_flight=0,
    waiting=0,
    paused_until=None,
    requests=0,
    refused=0,
    retried=0,
    budget_left=500,
    limit_source=LimitSource.NONE,
    limit_per_second=None,
)


def wait_for_requests(server: SimulatedBackupify, count: int) -> None:
    asyncio.run(asyncio.wait_for(server.wait_for_requests(count), PATIENCE))


def signal_twice(started: subprocess.Popen[str], number: int) -> None:
    """Send a signal, and once the command reports that it finishes what it has sent, send another."""
    started.send_signal(number)
    assert started.stderr is not None
    assert "no more backups are triggered" in started.stderr.readline()
    started.send_signal(number)


def started(server: SimulatedBackupify) -> dict[int, int]:
    return {instance_id: len(backups) for instance_id, backups in server.triggers.items()}


def shown(run: Run, path: str) -> dict[object, str]:
    result = run("journal", "show", path, "-o", "jsonl")
    assert (result.code, result.err) == (0, "")
    return {row["instance_id"]: row["state"] for row in map(json.loads, result.rows)}


def states(result: Result) -> dict[object, str]:
    return {row["instance_id"]: row["state"] for row in map(json.loads, result.rows)}


def forget(path: str, *instance_ids: int) -> None:
    """Change a journal as if a crash had come before these ids, and before the end of their source."""
    for instance_id in instance_ids:
        run_sql(Path(path), f"DELETE FROM lines WHERE instance_id = '{instance_id}'")
    run_sql(Path(path), "UPDATE sweep SET read_to_end = 0")
