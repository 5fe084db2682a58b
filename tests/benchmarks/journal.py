"""What a journal prevents, and what it costs: `python -m tests.benchmarks.journal`.

Kills: `--kills` times, a sweep of `--count` triggers is killed (SIGKILL) at a random instant and resumed. The
journal is compared with the log of a new simulated server each time. The server is another process, and its
backups last a millisecond, so that a second trigger of an instance would start a second backup. It loses one
request in twenty and one response in twenty, so that the kill also hits triggers that are being reconciled.
In two sweeps of three its clock is ten minutes slow, or it sends no Date.

Cost: the time of a sweep with a journal over the time of one without, against a server without a limit.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import attrs

from backupify_async import (
    BackupifyClient,
    ClientCredentials,
    Journal,
    RateLimit,
    Reconciliation,
    RetryPolicy,
)
from backupify_async.testing import Fault, SimulatedBackupify
from backupify_async.testing._thread import running_in_thread
from tests.benchmarks.conditions import CONCLUSIVE, Conditions

PROCESSES = multiprocessing.get_context("spawn")
CREDENTIALS = ("demo", "demo")
LATENCY = (0.002, 0.02)
FAULTS = (
    Fault.lose_response(after_acting=True, operation="trigger", probability=0.05),
    Fault.lose_response(after_acting=False, operation="trigger", probability=0.05),
)
CONDITIONS = [one for one in CONCLUSIVE if not one.baseline]
SETTLING = 1.0  # seconds; this server acts on what it received within its latency, or never

Triggers = Mapping[int, list[int]]


@attrs.frozen
class Verdict:
    """The result of a sweep, by the server's log.

    Attributes:
        twice: Instances with more than one new backup.
        never: Instances without a new backup.
        wrong: Instances for which `journal show` differs from the log.
        failed: Outcomes of the last run that were errors.
        adopted: Instances whose backup was found by reconciling.
    """

    twice: int
    never: int
    wrong: int
    failed: int
    adopted: int


def serve(pipe: Connection, count: int, conditions: Conditions | None) -> None:
    """Run a server. Send its base URL, and on request the backups that it started.

    Args:
        pipe: The pipe to send them to.
        count: How many instances it has.
        conditions: Its clock; None for a server without faults and latency.
    """
    if conditions is None:
        server = SimulatedBackupify(instances=count, backups=1, backup_duration=0.001)
    else:
        server = SimulatedBackupify(
            instances=count,
            backups=1,
            latency=LATENCY,
            faults=FAULTS,
            backup_duration=conditions.backup_duration,
            date_header=conditions.date_header,
            clock=conditions.clock(),
        )
    with running_in_thread(server):
        pipe.send(server.base_url)
        pipe.recv()
        pipe.send({instance: [backup.id for backup in begun] for instance, begun in server.triggers.items()})


@contextlib.contextmanager
def serving(count: int, conditions: Conditions | None) -> Iterator[tuple[str, Connection]]:
    """Run a server in another process. Yields its base URL and the pipe to it."""
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=serve, args=(theirs, count, conditions))
    process.start()
    theirs.close()  # otherwise a failure of the process would go unnoticed
    try:
        yield ours.recv(), ours
    finally:
        process.kill()
        process.join()


def client_of(base_url: str) -> BackupifyClient:
    return BackupifyClient(
        ClientCredentials(*CREDENTIALS),
        base_url=base_url,
        rate_limit=RateLimit(per_second=None, adaptive=False),
        reconciliation=Reconciliation(settling=SETTLING),
        retry=RetryPolicy(attempts=8),  # some of 2,000 are lost four times
    )


async def instances(client: BackupifyClient) -> AsyncIterator[int | str]:
    async for instance in client.instances.list(per_page=100):
        yield instance.id


async def sweep(base_url: str, path: str, pipe: Connection) -> None:
    """Run a sweep. Report that it has begun, and at its end how many outcomes failed."""
    failed = 0
    async with (
        client_of(base_url) as client,
        Journal(path) as journal,
        client.fleet(instances(client)).trigger(journal=journal) as outcomes,
    ):
        pipe.send(None)
        async for outcome in outcomes:
            failed += not outcome.ok
    pipe.send(failed)


def run(base_url: str, path: str, pipe: Connection) -> None:
    """`sweep` as the target of a process."""
    asyncio.run(sweep(base_url, path, pipe))


def run_for(base_url: str, path: Path, seconds: float | None = None) -> int:
    """Run a sweep to its end, or kill it after some seconds. Returns how many outcomes failed."""
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=run, args=(base_url, str(path), theirs))
    process.start()
    theirs.close()
    ours.recv()
    failed = 0
    if seconds is None:
        failed = ours.recv()
    else:
        time.sleep(seconds)
        process.kill()
    process.join()
    return failed


def shown(path: Path) -> dict[int, dict[str, object]]:
    command = [sys.executable, "-m", "backupify_async._cli", "journal", "show", str(path), "-o", "jsonl"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line["instance_id"]: line for line in map(json.loads, done.stdout.splitlines())}


def judge(count: int, triggers: Triggers, entries: dict[int, dict[str, object]], failed: int) -> Verdict:
    """Compare the journal of a sweep with the server's log."""
    everything = range(1, count + 1)
    begun = {instance: triggers.get(instance, []) for instance in everything}
    shown_as = {instance: entries.get(instance, {}) for instance in everything}
    right = [
        shown_as[instance].get("state") in ("started", "adopted")
        and shown_as[instance].get("backup_id") in begun[instance]
        for instance in everything
    ]
    return Verdict(
        twice=sum(len(ids) > 1 for ids in begun.values()),
        never=sum(not ids for ids in begun.values()),
        wrong=right.count(False) + len(entries.keys() - begun.keys()),
        failed=failed,
        adopted=sum(entry.get("state") == "adopted" for entry in entries.values()),
    )


def killed_once(count: int, seconds: float, conditions: Conditions, directory: Path) -> Verdict:
    """Kill a sweep after some seconds, resume it, and compare its journal with the server's log."""
    path = directory / "sweep.sqlite"
    with serving(count, conditions) as (base_url, pipe):
        run_for(base_url, path, seconds)
        failed = run_for(base_url, path)
        pipe.send(None)
        return judge(count, pipe.recv(), shown(path), failed)


def uninterrupted(count: int) -> float:
    """Seconds of a sweep that is not killed."""
    with serving(count, CONDITIONS[0]) as (base_url, _), tempfile.TemporaryDirectory() as directory:
        return asyncio.run(timed(base_url, count, Path(directory) / "sweep.sqlite"))


def kill(kills: int, count: int, rng: random.Random) -> bool:
    """Kill sweeps at random instants, and print the results. Returns whether all are right."""
    seconds = uninterrupted(count)
    verdicts = []
    for number in range(kills):
        conditions, instant = CONDITIONS[number % len(CONDITIONS)], rng.uniform(0.0, seconds)
        with tempfile.TemporaryDirectory() as directory:
            verdicts.append(killed_once(count, instant, conditions, Path(directory)))
        print(f"  {conditions.name}, after {instant:.2f} s: {attrs.asdict(verdicts[-1])}", flush=True)
    twice, never, wrong, failed, adopted = map(sum, zip(*map(attrs.astuple, verdicts), strict=True))
    print(
        f"{kills} kills of a sweep of {count:,}: {twice} started twice, {never} never started, "
        f"{wrong} wrong in the journal, {failed} failed; {adopted} found by reconciling"
    )
    return not (twice or never or wrong or failed)


async def timed(base_url: str, count: int, path: Path | None) -> float:
    """Seconds of a sweep, from opening the journal to closing it."""
    async with client_of(base_url) as client:
        await client.fetch_token()
        fleet = client.fleet(range(1, count + 1))
        began = time.perf_counter()
        if path is None:
            (await fleet.trigger()).raise_errors()
        else:
            async with Journal(path) as journal:
                (await fleet.trigger(journal=journal)).raise_errors()
        return time.perf_counter() - began


async def ratios(base_url: str, count: int, pairs: int, directory: Path) -> list[tuple[float, float]]:
    await timed(base_url, count // 4, None)
    return [
        (await timed(base_url, count, None), await timed(base_url, count, directory / f"{pair}.sqlite"))
        for pair in range(pairs)
    ]


def cost(count: int, pairs: int) -> None:
    """Print how much longer a sweep with a journal takes."""
    with serving(count, None) as (base_url, _), tempfile.TemporaryDirectory() as directory:
        both = asyncio.run(ratios(base_url, count, pairs, Path(directory)))
    times = sorted(journalled / bare for bare, journalled in both)
    rate = count / statistics.median(bare for bare, _ in both)
    print(
        f"time of a sweep with a journal over one without: median {statistics.median(times):.2f} "
        f"({times[0]:.2f} to {times[-1]:.2f}, {pairs} pairs of {count:,} triggers; without: {rate:,.0f}/s)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    chosen = parser.parse_args()
    print(f"--seed {chosen.seed}")
    well = kill(chosen.kills, chosen.count, random.Random(chosen.seed))
    cost(chosen.count, chosen.pairs)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
