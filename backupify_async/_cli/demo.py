"""The command `demo`: the main job from end to end, on a simulated server that makes it hard."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeVar

from backupify_async._cli.demo_report import DemoReport, Step
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.interrupts import Stop
from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.fleet import Fleet
from backupify_async.client import BackupifyClient
from backupify_async.credentials import ClientCredentials
from backupify_async.errors import APIError, PermissionDenied
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, TriggerResult
from backupify_async.testing import Fault, SimulatedBackupify, TokenBucket

T = TypeVar("T")

_INSTANCES, _AT_ONCE = 200, 32
_FORBIDDEN, _LOST = 13, 41
_RUNNING_BEFORE = range(5, _INSTANCES, 17)
_SERVER_RATE = 120  # calls a second, which the client is not told
_FAULTS = (
    Fault.lose_response(after_acting=True, operation="trigger", instance=_LOST),
    Fault.answer(503, retry_after=1, operation="get_active", first=2),
    Fault.answer(503, operation="list_backups", every=60),
    Fault.lose_response(after_acting=False, method="GET", every=110),
)
_TEXT = (
    f"It has {_INSTANCES} instances and allows {_SERVER_RATE} calls a second, which it tells nobody: it "
    "answers 429 to what is too much, and the client finds the limit by itself. Now and then it answers 503 "
    f"or loses an answer, also that to the trigger of instance {_LOST}, whose backup the client then "
    f"looks for and adopts. Instance {_FORBIDDEN} is forbidden."
)


async def demonstrate(stop: Stop) -> ExitCode:
    """Walk through the main job, and tell of it; 1 where it did not end as it should."""
    _ = stop  # whoever stops it ends it where it is: server and client close on the way out
    server = SimulatedBackupify(
        instances=_INSTANCES,
        rate_limit=TokenBucket(_SERVER_RATE, burst=40, retry_after=False),
        latency=(0.005, 0.03),
        faults=_FAULTS,
        forbidden=[_FORBIDDEN],
        backup_duration=600.0,
    )
    for instance_id in _RUNNING_BEFORE:
        server.start_backup(instance_id)
    async with server, BackupifyClient(ClientCredentials("demo", "demo"), base_url=server.base_url) as client:
        story = DemoReport(client.statistics)
        try:
            await _walk(client, story, server.base_url)
        finally:
            story.stop()
        surprises = list(_surprises(story.steps, server))
    allowed = f"(the server allows {_SERVER_RATE}, and told nobody)"
    story.close(at_once=_AT_ONCE, allowed=allowed, notes=_failures(story.steps), surprises=surprises)
    return ExitCode.SOME_FAILED if surprises else ExitCode.ALL_WELL


async def _walk(client: BackupifyClient, story: DemoReport, base_url: str) -> None:
    story.open(f"A simulated Backupify on {base_url}", _TEXT)
    ids: list[InstanceId] = []
    step = story.begin("instances", None)
    async for instance in client.instances.list():
        ids.append(instance.id)
        step.found["instances"] += 1
        story.show()
    story.end()

    def fleet() -> Fleet:
        return client.fleet(ids, concurrency=_AT_ONCE)

    await _sweep(story, "list", len(ids), fleet().list(), _listed)
    await _sweep(story, "active", len(ids), fleet().get_active(), _active)
    await _sweep(story, "trigger", len(ids), fleet().trigger(), _triggered)
    await _sweep(story, "active", len(ids), fleet().get_active(), _active)


async def _sweep(
    story: DemoReport,
    name: str,
    total: int,
    fan_out: FanOut[InstanceId, T],
    found: Callable[[T], Counter[str]],
) -> None:
    step = story.begin(name, total)
    async with fan_out as outcomes:
        async for outcome in outcomes:
            step.take(outcome, found(outcome.value) if outcome.ok else Counter())
            story.show()
    story.end()


def _listed(backups: list[Backup]) -> Counter[str]:
    return Counter(backups=len(backups))


def _active(backup: Backup | None) -> Counter[str]:
    return Counter(["idle" if backup is None else "active"])


def _triggered(result: TriggerResult) -> Counter[str]:
    return Counter([result.kind.value.removeprefix("already_")])


def _failures(steps: list[Step]) -> list[tuple[str, str]]:
    """Each instance that failed, where, and why."""
    where: dict[InstanceId, list[str]] = {}
    why: dict[InstanceId, BaseException] = {}
    for step in steps:
        for instance_id, error in step.failures.items():
            where.setdefault(instance_id, []).append(step.name)
            why[instance_id] = error
    return [(f"instance {one}", f"{', '.join(where[one])}: {_reason(why[one])}") for one in where]


def _reason(error: BaseException) -> str:
    match error:
        case APIError():
            return f"answered {error.status}: {error.excerpt}"
        case _:
            return str(error)


def _surprises(steps: list[Step], server: SimulatedBackupify) -> Iterator[str]:
    """What is not as this server must have made it."""
    expected: list[dict[InstanceId, type[Exception]]] = [{_FORBIDDEN: PermissionDenied} for _ in steps]
    expected[0] = {}
    for step, failures in zip(steps, expected, strict=True):
        if {one: type(error) for one, error in step.failures.items()} != failures:
            yield f"{step.name}: {len(step.failures)} instances failed"
    started = [one for one in server.instance_ids if one not in _RUNNING_BEFORE and one != _FORBIDDEN]
    if {one: len(backups) for one, backups in server.triggers.items()} != dict.fromkeys(started, 1):
        yield "not every idle instance was triggered once"
    if steps[3].found["adopted"] != 1:
        yield f"the backup of instance {_LOST}, whose answer was lost, was not found"
    if steps[-1].found != Counter(active=_INSTANCES - 1):
        yield f"in the end there are {steps[-1].tally()}"
