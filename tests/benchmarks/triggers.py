"""Ten thousand triggers for a server that fails in many ways: `python -m tests.benchmarks.triggers`.

The server loses 5 % of the responses after it has acted and 5 % of the requests before, responds with 503 to
5 %, truncates 2 %, hangs 0.5 %, and throttles at a limit that it does not announce. A proxy in front of it
responds with 503 and Retry-After to 1 %, half of them after the server has acted, and with 499 to 1 % after
that; 1 % are accepted by a 202 that names no backup. The seed selects whether the server's clock is right, it
sends a Date, its dates have an offset, its lists lag, its backups end at once, and the client's machine
sleeps for an hour.

Each seed has a row of results, which are compared with the server's log. The exit code is 1 if a backup was
started twice or not at all, if an instance has no outcome or was wrongly reported as active, or if a result
names another backup than the one that was started.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from unittest import mock

import attrs

from backupify_async import (
    AmbiguousTrigger,
    BackupifyClient,
    ClientCredentials,
    Outcome,
    RateLimit,
    Reconciliation,
    RetryPolicy,
    Timeouts,
    TriggerKind,
    TriggerResult,
)
from backupify_async._endpoints import server_clock
from backupify_async.testing import Fault, SimulatedBackupify, TokenBucket
from tests.benchmarks.conditions import CONCLUSIVE, CONTRADICTING, WITHIN_TOLERANCE

_CALLS_A_SECOND = 400.0  # the limit, which is not announced
_AT_ONCE = 64
_CONDITIONS = (*CONCLUSIVE, *WITHIN_TOLERANCE, *CONTRADICTING)
_SLEEP = 3600.0  # seconds
_FAULTS = (
    Fault.lose_response(after_acting=True, operation="trigger", probability=0.05),
    Fault.lose_response(after_acting=False, operation="trigger", probability=0.05),
    Fault.lose_response(after_acting=True, method="GET", probability=0.05),
    Fault.answer(503, method="POST", path="/v1/*", probability=0.05),
    Fault.answer(503, method="GET", probability=0.05),
    Fault.answer(503, retry_after=1, after_acting=True, operation="trigger", probability=0.005),
    Fault.answer(503, retry_after=1, operation="trigger", probability=0.005),
    Fault.answer(499, after_acting=True, operation="trigger", probability=0.01),
    Fault.answer(202, body='{"status": "queued"}', after_acting=True, operation="trigger", probability=0.01),
    Fault.truncate(path="/v1/*", probability=0.02),
    Fault.hang(after_acting=True, path="/v1/*", probability=0.0025),
    Fault.hang(after_acting=False, path="/v1/*", probability=0.0025),
)


@attrs.frozen
class Score:
    """The result of one sweep. Each number counts instances, except for the last three.

    `settled` is the median time of the triggers whose response was lost, in seconds from the first request.
    """

    seed: int
    conditions: str
    twice: int
    never: int
    unaccounted: int
    wrong_backup: int
    wrongly_active: int
    started: int
    adopted: int
    ambiguous: int
    failed: int
    requests: int
    settled: float
    seconds: float

    def exact(self, count: int) -> bool:
        """Whether each instance got one backup, each result names it, and few are in doubt."""
        may_be_ambiguous = _CONDITIONS[self.seed % len(_CONDITIONS)].may_be_ambiguous
        few = may_be_ambiguous or self.ambiguous <= count / 100
        wrong = self.twice or self.never or self.unaccounted or self.wrong_backup or self.wrongly_active
        return few and not wrong and not self.failed


async def sweep(seed: int, count: int) -> Score:
    """Trigger this many instances once, over sockets."""
    conditions, slept = _CONDITIONS[seed % len(_CONDITIONS)], [0.0]
    server = SimulatedBackupify(
        instances=count,
        seed=seed,
        backups=3,
        faults=_FAULTS,
        rate_limit=TokenBucket(_CALLS_A_SECOND, burst=50),
        backup_duration=conditions.backup_duration,
        date_header=conditions.date_header,
        date_offset=conditions.date_offset,
        list_lag=conditions.list_lag,
        local_time=conditions.local_time,
        clock=conditions.clock(lambda: sum(slept)),
    )
    began = time.monotonic()
    async with (
        server,
        BackupifyClient(
            ClientCredentials("demo", "demo"),
            base_url=server.base_url,
            rate_limit=RateLimit(None, adaptive=True),
            # The server acts at once or never, and a short time-out ends its hangs.
            reconciliation=Reconciliation(settling=0.1, patience=3 if conditions.may_be_ambiguous else 30),
            timeouts=Timeouts(read=1.0),
            retry=RetryPolicy(attempts=8, base=0.05, cap=1.0, budget=10**6),
            max_concurrency=_AT_ONCE,
        ) as client,
    ):
        fleet = client.fleet(server.instance_ids, concurrency=_AT_ONCE)
        newest = (await fleet.latest()).values if conditions.baseline else {}
        if conditions.sleeps:
            loop = asyncio.get_running_loop()
            loop.call_later(count / _CALLS_A_SECOND / 3, slept.append, _SLEEP)
        with _our_clock(slept):
            async with fleet.trigger(baseline=newest) as stream:
                outcomes = [outcome async for outcome in stream]
        return score(seed, conditions.name, server, outcomes, time.monotonic() - began)


@contextlib.contextmanager
def _our_clock(slept: Sequence[float]) -> Iterator[None]:
    """Our wall clock, corrected after each sleep; that of the loop is not."""
    shown = SimpleNamespace(time=lambda: time.time() + sum(slept))
    with mock.patch.object(server_clock, "time", shown):
        yield


def score(
    seed: int,
    conditions: str,
    server: SimulatedBackupify,
    outcomes: Sequence[Outcome[int | str, TriggerResult]],
    seconds: float,
) -> Score:
    """Compare the outcomes with the server's log."""
    ids = server.instance_ids
    started = {one: [backup.id for backup in server.triggers[one]] for one in ids}
    values = {int(one.key): one.value for one in outcomes if one.ok and one.value is not None}
    errors = {int(one.key): one.error for one in outcomes if not one.ok}
    ambiguous = {one for one, error in errors.items() if isinstance(error, AmbiguousTrigger)}
    named = {one: result.backup.id if result.backup else None for one, result in values.items()}
    active = {one for one, result in values.items() if result.kind is TriggerKind.ALREADY_ACTIVE}
    lost = {
        request.instance_id
        for request in server.requests
        if request.operation == "trigger" and request.status not in (201, 429)
    }
    return Score(
        seed=seed,
        conditions=conditions,
        twice=sum(len(backups) > 1 for backups in started.values()),
        never=sum(not backups and one not in ambiguous for one, backups in started.items()),
        unaccounted=sum((one in values) + (one in errors) != 1 for one in ids),
        wrong_backup=sum(started[one] != [backup] for one, backup in named.items()),
        wrongly_active=sum(named[one] not in started[one] for one in active),  # no other backup ran
        started=sum(result.kind is TriggerKind.STARTED for result in values.values()),
        adopted=sum(result.kind is TriggerKind.ADOPTED for result in values.values()),
        ambiguous=len(ambiguous),
        failed=len(errors) - len(ambiguous),
        requests=len(server.requests),
        settled=round(statistics.median([one.elapsed for one in outcomes if one.key in lost] or [0]), 1),
        seconds=round(seconds, 1),
    )


def rows(scores: Iterable[Score]) -> Iterable[str]:
    """The table; each row once its seed is done."""
    widest = max(len(conditions.name) for conditions in _CONDITIONS)
    heads = [field.name.replace("_", " ") for field in attrs.fields(Score)]
    heads[1] = heads[1].ljust(widest)
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "|".join("-" * (len(head) + 1) + ":" for head in heads) + "|"
    for one in scores:
        cells = zip(attrs.astuple(one), heads, strict=True)
        yield "| " + " | ".join(f"{cell:>{len(head)}}" for cell, head in cells) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sweep for each seed, and print its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=10_000)
    options = parser.parse_args(arguments)
    scores: list[Score] = []

    def sweeps() -> Iterable[Score]:
        for seed in range(options.first, options.first + options.seeds):
            scores.append(asyncio.run(sweep(seed, options.count)))
            yield scores[-1]

    for row in rows(sweeps()):
        print(row, flush=True)
    return 0 if all(one.exact(options.count) for one in scores) else 1


if __name__ == "__main__":
    sys.exit(main())
