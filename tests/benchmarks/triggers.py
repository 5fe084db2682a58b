"""Ten thousand triggers through a server that fails at every turn: `python -m tests.benchmarks.triggers`.

The server loses 5 % of the answers after it has acted and 5 % of the requests before, answers 503 to 5 %,
truncates 2 %, hangs 0.5 %, and throttles at a limit that it does not tell. From seed to seed its clock is
right or wrong, it has a Date or none, and its backups are over at once or run on. A row a seed says what
became of it, by the server's own log; the exit code is 1 where a backup was started twice or not at all,
where an instance is unaccounted for, or where a result holds another backup than the one that was started.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterable, Sequence

import attrs

from backupify_async import (
    AmbiguousTrigger,
    BackupifyClient,
    ClientCredentials,
    RateLimit,
    Reconciliation,
    Results,
    RetryPolicy,
    Timeouts,
    TriggerKind,
    TriggerResult,
)
from backupify_async.testing import Fault, SimulatedBackupify, TokenBucket
from tests.benchmarks.conditions import TELLING, WITHIN_TOLERANCE

_CALLS_A_SECOND = 400.0  # the limit that is not told
_AT_ONCE = 64
_CONDITIONS = (*TELLING, *WITHIN_TOLERANCE)
_FAULTS = (
    Fault.lose_answer(after_acting=True, operation="trigger", probability=0.05),
    Fault.lose_answer(after_acting=False, operation="trigger", probability=0.05),
    Fault.lose_answer(after_acting=True, method="GET", probability=0.05),
    Fault.answer(503, method="POST", path="/v1/*", probability=0.05),
    Fault.answer(503, method="GET", probability=0.05),
    Fault.truncate(path="/v1/*", probability=0.02),
    Fault.hang(after_acting=True, path="/v1/*", probability=0.0025),
    Fault.hang(after_acting=False, path="/v1/*", probability=0.0025),
)


@attrs.frozen
class Score:
    """What became of one sweep; each number counts instances, but for the last two."""

    seed: int
    conditions: str
    twice: int
    never: int
    unaccounted: int
    wrong_backup: int
    started: int
    adopted: int
    ambiguous: int
    failed: int
    requests: int
    seconds: float

    @property
    def exact(self) -> bool:
        """Whether every instance got one backup, and every result names it."""
        return not (self.twice or self.never or self.unaccounted or self.wrong_backup)


async def sweep(seed: int, count: int) -> Score:
    """Trigger so many instances once, over sockets."""
    conditions = _CONDITIONS[seed % len(_CONDITIONS)]
    server = SimulatedBackupify(
        instances=count,
        seed=seed,
        backups=3,
        faults=_FAULTS,
        rate_limit=TokenBucket(_CALLS_A_SECOND, burst=50),
        backup_duration=conditions.backup_duration,
        date_header=conditions.date_header,
        date_offset=conditions.date_offset,
        clock=conditions.clock(),
    )
    began = time.monotonic()
    async with (
        server,
        BackupifyClient(
            ClientCredentials("demo", "demo"),
            base_url=server.base_url,
            rate_limit=RateLimit(None, adaptive=True),
            # The server acts at once or never, and its hangs are told by a short time-out.
            reconciliation=Reconciliation(settling=0.1, patience=30),
            timeouts=Timeouts(read=1.0),
            retry=RetryPolicy(attempts=8, base=0.05, cap=1.0, budget=10**6),
            max_concurrency=_AT_ONCE,
        ) as client,
    ):
        fleet = client.fleet(server.instance_ids, concurrency=_AT_ONCE)
        newest = (await fleet.latest()).values if conditions.baseline else {}
        results = await fleet.trigger(baseline=newest)
        return score(seed, conditions.name, server, results, time.monotonic() - began)


def score(
    seed: int,
    conditions: str,
    server: SimulatedBackupify,
    results: Results[int | str, TriggerResult],
    seconds: float,
) -> Score:
    """Hold the results against the server's log."""
    ids = server.instance_ids
    started = {one: [backup.id for backup in server.triggers[one]] for one in ids}
    values, errors = results.values, results.errors
    named = {one: result.backup.id if result.backup else None for one, result in values.items()}
    return Score(
        seed=seed,
        conditions=conditions,
        twice=sum(len(backups) > 1 for backups in started.values()),
        never=sum(not backups for backups in started.values()),
        unaccounted=sum((one in values) + (one in errors) != 1 for one in ids),
        wrong_backup=sum(started[int(one)] != [backup] for one, backup in named.items()),
        started=sum(result.kind is TriggerKind.STARTED for result in values.values()),
        adopted=sum(result.kind is TriggerKind.ADOPTED for result in values.values()),
        ambiguous=sum(isinstance(error, AmbiguousTrigger) for error in errors.values()),
        failed=sum(not isinstance(error, AmbiguousTrigger) for error in errors.values()),
        requests=len(server.requests),
        seconds=round(seconds, 1),
    )


def rows(scores: Iterable[Score]) -> Iterable[str]:
    """The table, a row as soon as its seed is done."""
    widest = max(len(conditions.name) for conditions in _CONDITIONS)
    heads = [field.name.replace("_", " ") for field in attrs.fields(Score)]
    heads[1] = heads[1].ljust(widest)
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "|".join("-" * (len(head) + 1) + ":" for head in heads) + "|"
    for one in scores:
        cells = zip(attrs.astuple(one), heads, strict=True)
        yield "| " + " | ".join(f"{cell:>{len(head)}}" for cell, head in cells) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep once a seed, and print what became of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=10_000)
    told = parser.parse_args(arguments)
    scores: list[Score] = []

    def sweeps() -> Iterable[Score]:
        for seed in range(told.first, told.first + told.seeds):
            scores.append(asyncio.run(sweep(seed, told.count)))
            yield scores[-1]

    for row in rows(sweeps()):
        print(row, flush=True)
    return 0 if all(one.exact for one in scores) else 1


if __name__ == "__main__":
    sys.exit(main())
