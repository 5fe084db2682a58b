"""What `demo` does: all main commands, on a simulated server that limits calls and fails at times."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

from backupify_async._cli.demo_report import DemoReport, Step
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.plurals import count
from backupify_async._cli.shutdown import Shutdown
from backupify_async._fleet.fan_out import FanOut
from backupify_async._shared.shared_state import SharedState
from backupify_async.client import BackupifyClient
from backupify_async.credentials import ClientCredentials
from backupify_async.errors import APIError, PermissionDenied
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, TriggerResult
from backupify_async.testing import Fault, SimulatedBackupify, TokenBucket

T = TypeVar("T")

_INSTANCES, _CONCURRENCY = 200, 32
_FORBIDDEN, _LOST = 13, 41
_ALREADY_ACTIVE = range(5, _INSTANCES, 17)
_SERVER_RATE = 120  # calls per second, which the client does not know
_FAULTS = (
    Fault.lose_response(after_acting=True, operation="trigger", instance=_LOST),
    Fault.answer(503, retry_after=1, operation="get_active", first=2),
    Fault.answer(503, operation="list_backups", every=60),
    Fault.lose_response(after_acting=False, method="GET", every=110),
)
_TEXT = (
    f"It has {_INSTANCES} instances and allows {_SERVER_RATE} calls/s. It does not announce this limit, but "
    "responds 429 to calls above it; the client finds the limit from that. Some calls fail with 503 or lose "
    f"their response. One of these is the trigger of instance {_LOST}: the client looks up the backup that "
    f"it started, and does not trigger another. Access to instance {_FORBIDDEN} is denied."
)


async def run_demo(_shutdown: Shutdown, directory: str) -> ExitCode:
    """Run the demo; the exit code is 1 if something did not end as expected.

    Args:
        directory: An empty one, by which its clients share what they learn.
    """
    server = SimulatedBackupify(
        instances=_INSTANCES,
        rate_limit=TokenBucket(_SERVER_RATE, burst=40, retry_after=False),
        latency=(0.005, 0.03),
        faults=_FAULTS,
        forbidden=[_FORBIDDEN],
        backup_duration=600.0,
    )
    for instance_id in _ALREADY_ACTIVE:
        server.start_backup(instance_id)
    shared = None if sys.platform == "win32" else SharedState(directory)
    async with server:
        async with _client(server, shared) as client:
            report = DemoReport(client.statistics)
            try:
                await _walk(client, report, server.base_url)
            finally:
                report.stop()
            problems = list(_problems(report.steps, server))
        next_run = "" if shared is None else await _run_again(server, shared)
    actual = f"(the server allows {_SERVER_RATE} calls/s)"
    report.finish(
        concurrency=_CONCURRENCY,
        actual=actual,
        next_run=next_run,
        failures=_failures(report.steps),
        problems=problems,
    )
    return ExitCode.SOME_FAILED if problems else ExitCode.SUCCESS


def _client(server: SimulatedBackupify, shared: SharedState | None) -> BackupifyClient:
    return BackupifyClient(ClientCredentials("demo", "demo"), base_url=server.base_url, shared=shared)


async def _run_again(server: SimulatedBackupify, shared: SharedState) -> str:
    """What another client does that begins with what the first one learned, in words."""
    began = time.monotonic()
    async with _client(server, shared) as client:
        await client.fleet(server.instance_ids, concurrency=_CONCURRENCY).get_active()
        now = client.statistics()
    calls = f"{count(now.requests, 'call')} in {time.monotonic() - began:.1f} s"
    return f"began at that limit, by SharedState: {calls}, {now.refused} refused"


async def _walk(client: BackupifyClient, report: DemoReport, base_url: str) -> None:
    report.introduce(f"A simulated Backupify on {base_url}", _TEXT)
    ids: list[InstanceId] = []
    step = report.begin("instances")
    async for instance in client.instances.list():
        ids.append(instance.id)
        step.found["instances"] += 1
        report.update()
    report.end()
    fleet = client.fleet(ids, concurrency=_CONCURRENCY)
    await _sweep(report, "list", fleet.list(), lambda backups: Counter(backups=len(backups)))
    await _sweep(report, "active", fleet.get_active(), _active)
    await _sweep(report, "trigger", fleet.trigger(), _triggered)
    await _sweep(report, "active", fleet.get_active(), _active)


async def _sweep(
    report: DemoReport, name: str, fan_out: FanOut[InstanceId, T], found: Callable[[T], Counter[str]]
) -> None:
    step = report.begin(name)
    async with fan_out as outcomes:
        async for outcome in outcomes:
            step.outcomes.append(outcome)
            step.found += found(outcome.value) if outcome.ok else Counter()
            report.update()
    report.end()


def _active(backup: Backup | None) -> Counter[str]:
    return Counter(["idle" if backup is None else "active"])


def _triggered(result: TriggerResult) -> Counter[str]:
    return Counter([result.kind.value.removeprefix("already_")])


def _failures(steps: list[Step]) -> list[tuple[str, str]]:
    """Each instance that failed, with the steps in which it did, and the last reason."""
    names: dict[InstanceId, list[str]] = {}
    reasons: dict[InstanceId, str] = {}
    for step in steps:
        for one, error in step.failures.items():
            names.setdefault(one, []).append(step.name)
            reasons[one] = f"{error.status} {error.excerpt}" if isinstance(error, APIError) else str(error)
    return [(f"instance {one}", f"{', '.join(names[one])}: {reasons[one]}") for one in names]


def _problems(steps: list[Step], server: SimulatedBackupify) -> Iterator[str]:
    """What differs from the result that this server must lead to."""
    for number, step in enumerate(steps):
        expected = {_FORBIDDEN: PermissionDenied} if number else {}
        if {one: type(error) for one, error in step.failures.items()} != expected:
            yield f"{step.name}: {len(step.failures)} instances failed"
    started = [one for one in server.instance_ids if one not in _ALREADY_ACTIVE and one != _FORBIDDEN]
    if {one: len(backups) for one, backups in server.triggers.items()} != dict.fromkeys(started, 1):
        yield "not every idle instance was triggered exactly once"
    if steps[3].found["adopted"] != 1:
        yield f"the backup of instance {_LOST}, whose response was lost, was not found"
    if steps[-1].found != Counter(active=_INSTANCES - 1):
        yield f"the last step found {steps[-1].summary()}"
