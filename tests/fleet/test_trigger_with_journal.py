"""`fleet.trigger(journal=...)`, over sockets against the simulated server."""

import asyncio
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backupify_async import (
    BackupifyClient,
    ClientCredentials,
    FanOutAborted,
    Journal,
    JournalError,
    PollPolicy,
    RateLimit,
    Reconciliation,
    Results,
    StaticToken,
    TriggerKind,
    TriggerResult,
    WaitFailed,
    WaitKind,
)
from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async._journal.snapshot import open_snapshot
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.files import files_no_larger_than, run_sql

AT_ONCE = Reconciliation(settling=0.0, patience=0.0)


def simulated(instances: int, *faults: Fault) -> SimulatedBackupify:
    return SimulatedBackupify(instances=instances, faults=faults, date_header=True)


def client_of(server: SimulatedBackupify) -> BackupifyClient:
    return BackupifyClient(
        ClientCredentials("demo", "demo"),
        base_url=server.base_url,
        rate_limit=RateLimit(None, adaptive=False),
        reconciliation=AT_ONCE,
    )


async def entries(path: Path) -> list[JournalEntry]:
    async with open_snapshot(path) as storage:
        return [entry async for entry in storage.read_entries()]


async def test_a_crash_after_the_request_was_sent_is_reconciled_and_starts_no_second_backup(
    path: Path,
) -> None:
    hang = Fault.hang(operation="trigger", after_acting=True, first=1)
    async with (
        SimulatedBackupify(instances=3, faults=[hang], date_header=True) as server,
        client_of(server) as client,
    ):
        async with Journal(path) as journal, client.fleet([1, 2, 3], concurrency=1).trigger(journal=journal):
            await server.wait_for_requests(2)
        assert [entry.state for entry in await entries(path)] == [EntryState.INTENDED]
        async with Journal(path) as journal:
            results = await client.fleet([1, 2, 3]).trigger(journal=journal)
        (begun,) = server.triggers[1]
    kinds = {key: value.kind for key, value in results.values.items()}
    assert kinds == {1: TriggerKind.ADOPTED, 2: TriggerKind.STARTED, 3: TriggerKind.STARTED}
    backup = results.values[1].backup
    assert backup is not None
    assert backup.id == begun.id


async def test_a_request_without_an_effect_before_a_crash_is_reconciled_and_sent_again(path: Path) -> None:
    hang = Fault.hang(operation="trigger", after_acting=False, first=1)
    async with (
        SimulatedBackupify(instances=1, faults=[hang], date_header=True) as server,
        client_of(server) as client,
    ):
        async with Journal(path) as journal, client.fleet([1]).trigger(journal=journal):
            await server.wait_for_requests(2)
        async with Journal(path) as journal:
            results = await client.fleet([1]).trigger(journal=journal)
        assert (results.values[1].kind, len(server.triggers[1])) == (TriggerKind.STARTED, 1)


async def test_the_baseline_from_before_the_crash_takes_precedence_over_a_later_one(path: Path) -> None:
    hang = Fault.hang(operation="trigger", after_acting=True, first=1)
    async with (
        SimulatedBackupify(instances=1, faults=[hang], date_header=True) as server,
        client_of(server) as client,
    ):
        before = (await client.fleet([1]).latest()).values
        asked = len(server.requests)
        async with Journal(path) as journal, client.fleet([1]).trigger(journal=journal, baseline=before):
            await server.wait_for_requests(asked + 1)
        after = (await client.fleet([1]).latest()).values
        async with Journal(path) as journal:
            results = await client.fleet([1]).trigger(journal=journal, baseline=after)
        assert (results.values[1].kind, len(server.triggers[1])) == (TriggerKind.ADOPTED, 1)
    assert before[1] is not None
    assert [entry.trigger and entry.trigger.baseline for entry in await entries(path)] == [before[1].id]


async def test_a_trigger_that_cannot_be_recorded_is_not_sent_and_stops_the_sweep(path: Path) -> None:
    async with SimulatedBackupify(instances=50) as server, client_of(server) as client:
        journal = await Journal(path).open()
        fleet = client.fleet(server.instance_ids, concurrency=1)
        async with fleet.trigger(journal=journal) as outcomes:
            await anext(outcomes)
            with files_no_larger_than(2_048), pytest.raises(FanOutAborted, match="check the disk"):
                async for _ in outcomes:
                    pass
        await journal.close()
        sent = sum(len(begun) for begun in server.triggers.values())
        assert sent < 50
        async with Journal(path) as journal:
            results = await client.fleet(server.instance_ids).trigger(journal=journal)
        assert (len(results.values), {len(begun) for begun in server.triggers.values()}) == (50, {1})


async def test_a_second_sweep_despite_the_lock_ends_the_first_and_nothing_is_triggered_twice(
    path: Path,
) -> None:
    quick = SimulatedBackupify(instances=40, backups=1, backup_duration=1e-3, latency=0.02, date_header=True)
    async with quick as server, client_of(server) as first, client_of(server) as second:
        ids = server.instance_ids
        one = await Journal(path).open()
        sweep = asyncio.ensure_future(first.fleet(ids, concurrency=4).trigger(journal=one))
        await server.wait_for_requests(12)
        await asyncio.to_thread(Path(f"{path}.lock").unlink)
        async with Journal(path) as two:
            done = await second.fleet(ids, concurrency=4).trigger(journal=two)
            with pytest.raises(FanOutAborted, match="another process has opened") as stopped:
                await sweep
        with pytest.raises(JournalError, match="outcomes that were not written:"):
            await one.close()
        assert {len(begun) for begun in server.triggers.values()} == {1}
    assert len(done.values) == 40
    # Triggers in flight were finished, and each that was begun has an outcome.
    assert {type(error) for error in stopped.value.errors.values()} == {JournalError}
    assert 0 < len(stopped.value.values) < 40


async def test_a_sweep_whose_file_is_gone_triggers_nothing_more(path: Path) -> None:
    async with SimulatedBackupify(instances=40, latency=0.02) as server, client_of(server) as client:
        journal = await Journal(path).open()
        sweep = asyncio.ensure_future(
            client.fleet(server.instance_ids, concurrency=4).trigger(journal=journal)
        )
        await server.wait_for_requests(12)
        await asyncio.to_thread(path.rename, f"{path}.old")
        with pytest.raises(FanOutAborted, match="was moved, removed or replaced") as stopped:
            await sweep
        await asyncio.to_thread(Path(f"{path}.old").rename, path)
        await journal.close()
        assert set(stopped.value.values) == set(server.triggers)
        async with Journal(path) as journal:
            results = await client.fleet(server.instance_ids).trigger(journal=journal)
        assert (len(results.values), {len(begun) for begun in server.triggers.values()}) == (40, {1})


async def test_a_token_counts_as_another_account_than_client_credentials(path: Path) -> None:
    async with SimulatedBackupify(instances=1) as server:
        async with client_of(server) as client, Journal(path) as journal:
            await client.fleet([1]).trigger(journal=journal)
        token = StaticToken(server.issue_token())
        async with BackupifyClient(token, base_url=f"{server.base_url}/") as client, Journal(path) as journal:
            with pytest.raises(JournalError, match=f"client demo at {server.base_url}, and not a token at"):
                await client.fleet([1]).trigger(journal=journal)
        run_sql(path, "UPDATE sweep SET client_id = NULL")
        async with BackupifyClient(token, base_url=f"{server.base_url}/") as client, Journal(path) as journal:
            assert list((await client.fleet([1]).trigger(journal=journal)).values) == [1]


async def test_a_journal_that_is_not_open_is_refused(path: Path) -> None:
    async with SimulatedBackupify(instances=1) as server, client_of(server) as client:
        with pytest.raises(Exception, match="is not open: use `async with`"):
            await client.fleet([1]).trigger(journal=Journal(path))
        assert server.requests == []


class TestWithAWait:
    EVERY_10_MS = PollPolicy(interval=0.01)

    async def test_each_trigger_is_recorded_at_once_and_has_its_outcome_when_the_backup_is_over(
        self, path: Path
    ) -> None:
        async with (
            SimulatedBackupify(instances=3, backup_duration=0.05) as server,
            client_of(server) as client,
            Journal(path) as journal,
        ):
            results = await client.fleet([1, 2, 3]).trigger(journal=journal, wait=True, poll=self.EVERY_10_MS)
            started = {one: begun.id for one, (begun,) in server.triggers.items()}
        assert summary(results) == dict.fromkeys((1, 2, 3), (TriggerKind.STARTED, WaitKind.COMPLETED, False))
        assert {entry.instance_id: entry.state for entry in await entries(path)} == dict.fromkeys(
            started, EntryState.STARTED
        )
        assert {
            entry.instance_id: entry.backup and entry.backup.id for entry in await entries(path)
        } == started

    async def test_a_wait_that_was_cancelled_is_continued_by_the_next_run(self, path: Path) -> None:
        async with (
            SimulatedBackupify(instances=3, backup_duration=math.inf) as server,
            client_of(server) as client,
        ):
            async with Journal(path) as journal:
                fleet = client.fleet([1, 2, 3], concurrency=1)
                async with fleet.trigger(journal=journal, wait=True, poll=self.EVERY_10_MS) as outcomes:
                    await server.wait_for_requests(8)  # the token, triggers and checks
            leftover = {one.key: one.error for one in outcomes.leftover}
            assert {type(error) for error in leftover.values()} == {WaitFailed}
            server.inject(
                Fault.answer(200, body='{"id": "b-1", "status": "completed"}', operation="get_backup")
            )
            async with Journal(path) as journal:
                results = await client.fleet([1, 2, 3]).trigger(
                    journal=journal, wait=True, poll=self.EVERY_10_MS
                )
            assert {one: len(begun) for one, begun in server.triggers.items()} == {1: 1, 2: 1, 3: 1}
        continued = {one for one, result in results.values.items() if result.from_previous_run}
        assert continued >= set(leftover) >= {1}
        assert {waited for _, waited, _ in summary(results).values()} == {WaitKind.COMPLETED}

    async def test_a_drain_stops_the_triggers_and_lets_the_waits_finish(self, path: Path) -> None:
        async with (
            SimulatedBackupify(instances=9, backup_duration=0.2, latency=0.05) as server,
            client_of(server) as client,
        ):
            async with Journal(path) as journal:
                fleet = client.fleet(server.instance_ids, concurrency=2)
                sweep = asyncio.ensure_future(
                    fleet.trigger(journal=journal, wait=True, poll=self.EVERY_10_MS)
                )
                await server.wait_for_requests(4)  # the token, two triggers, and one check or trigger
                assert await client.drain() == 0
                with pytest.raises(FanOutAborted) as stopped:
                    await sweep
            done = stopped.value.values
            assert 0 < len(done) < 9
            async with client_of(server) as later, Journal(path) as journal:
                results = await later.fleet(server.instance_ids).trigger(
                    journal=journal, wait=True, poll=self.EVERY_10_MS
                )
            assert {len(begun) for begun in server.triggers.values()} == {1}
        assert len(results.values) == 9
        assert {one for one, result in results.values.items() if result.from_previous_run} == set(done)
        assert {waited for _, waited, _ in summary(results).values()} == {WaitKind.COMPLETED}


def summary(
    results: Results[int | str, TriggerResult],
) -> dict[int | str, tuple[TriggerKind, WaitKind | None, bool]]:
    """How each trigger and its wait ended, and whether a previous run triggered it."""
    return {
        one: (result.kind, result.waited.kind if result.waited else None, result.from_previous_run)
        for one, result in results.values.items()
    }


async def test_a_sweep_can_run_in_the_background(path: Path) -> None:
    async with (
        SimulatedBackupify(instances=3) as server,
        client_of(server) as client,
        Journal(path) as journal,
    ):
        results = await client.fleet([1, 2, 3], background=True).trigger(journal=journal, ordered=True)
    assert list(results.values) == [1, 2, 3]
    sent = [entry.trigger for entry in await entries(path)]
    assert all(one is not None and one.sent_at < datetime.now(UTC) for one in sent)
    assert asyncio.all_tasks() == {asyncio.current_task()}
