"""A whole sweep of triggers with each journal store, with a crash and a second run."""

import asyncio
import sys
from pathlib import Path

import pytest

from backupify_async import (
    BackupifyClient,
    ClientCredentials,
    EntryState,
    Journal,
    RateLimit,
    Reconciliation,
    TriggerKind,
)
from backupify_async.testing import Fault, SimulatedBackupify
from tests.journal.stores import STORES

_SWEEP = f"""
import asyncio, sys
from pathlib import Path
from {__name__} import client_of, journal_on
async def main(name, path, base_url):
    async with client_of(base_url) as client, journal_on(name, Path(path)) as journal:
        await client.fleet(range(1, 11), concurrency=2).trigger(journal=journal)
asyncio.run(main(*sys.argv[1:]))
"""


def client_of(base_url: str) -> BackupifyClient:
    return BackupifyClient(
        ClientCredentials("demo", "demo"),
        base_url=base_url,
        rate_limit=RateLimit(None, adaptive=False),
        reconciliation=Reconciliation(settling=0.0, patience=0.0),
    )


def journal_on(name: str, path: Path) -> Journal:
    return Journal.on(STORES[name](path), sweep="nightly")


@pytest.mark.parametrize("name", STORES)
async def test_the_next_run_finishes_a_killed_sweep_and_triggers_nothing_twice(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal"
    hang = Fault.hang(operation="trigger", after_acting=True, first=2)
    async with SimulatedBackupify(instances=10, faults=[hang], date_header=True) as server:
        sweep = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SWEEP, name, str(path), server.base_url
        )
        await server.wait_for_requests(3)  # the token, and two triggers without a response
        sweep.kill()
        assert await sweep.wait() == -9
        async with journal_on(name, path) as journal:
            assert await journal.counts() == {EntryState.INTENDED: 2}
            async with client_of(server.base_url) as client:
                results = await client.fleet(range(1, 11), concurrency=2).trigger(journal=journal)
            assert await journal.is_done()
        assert {instance: len(begun) for instance, begun in server.triggers.items()} == dict.fromkeys(
            range(1, 11), 1
        )
    kinds = {key: result.kind for key, result in results.values.items()}
    assert kinds == dict.fromkeys((1, 2), TriggerKind.ADOPTED) | dict.fromkeys(
        range(3, 11), TriggerKind.STARTED
    )


@pytest.mark.parametrize("name", STORES)
async def test_a_finished_sweep_sends_nothing_again(name: str, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    async with SimulatedBackupify(instances=3) as server, client_of(server.base_url) as client:
        async with journal_on(name, path) as journal:
            await client.fleet([1, 2, 3]).trigger(journal=journal)
        sent = len(server.requests)
        async with journal_on(name, path) as journal:
            results = await client.fleet([1, 2, 3]).trigger(journal=journal)
        assert len(server.requests) == sent
    assert {result.from_previous_run for result in results.values.values()} == {True}
