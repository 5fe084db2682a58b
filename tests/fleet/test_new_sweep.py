"""A sweep of triggers with a new journal: what is recorded, and when."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.journalled import JournalledSweep
from backupify_async._journal.entries import EntryState, JournalEntry
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async._journal.transitions import failed
from backupify_async.errors import ClientDraining, DuplicateInstance, JournalError
from backupify_async.ids import InstanceId
from backupify_async.models import Baseline, SentTrigger, TriggerResult
from tests.fleet.journalled_sweeps import (
    LOST,
    MISSING,
    WHEN,
    Api,
    BeforeSend,
    OnInDoubt,
    intent,
    recorded_states,
    run_sweep,
    sending,
    started,
    write_journal,
)
from tests.support.files import ACCOUNT, files_no_larger_than


class TestANewSweep:
    async def test_records_each_outcome(self, path: Path, api: Api) -> None:
        api.errors = {2: MISSING, 3: LOST}
        results = await run_sweep(path, api, [1, 2, 3, "a/b"], concurrency=3)
        assert results.values == {1: started(1), "a/b": started("a/b")}
        assert results.errors == {2: MISSING, 3: LOST}
        assert await recorded_states(path) == {
            1: EntryState.STARTED,
            2: EntryState.FAILED,
            3: EntryState.AMBIGUOUS,
            "a/b": EntryState.STARTED,
        }

    async def test_writes_each_intent_to_disk_before_the_request_is_sent(self, path: Path) -> None:
        async def run(
            backup_instance_id: InstanceId,
            baseline: Baseline,
            *,
            recorded: SentTrigger | None,
            before_send: BeforeSend,
            on_in_doubt: OnInDoubt,
        ) -> TriggerResult:
            await before_send(sending(backup_instance_id, baseline))
            async with open_snapshot(path) as storage:
                (found,) = [
                    each async for each in storage.read_entries() if each.instance_id == backup_instance_id
                ]
            assert (found.state, found.trigger) == (EntryState.INTENDED, sending(backup_instance_id))
            return started(backup_instance_id)

        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, run, {})
            results = await FanOut(sweep.trigger, sweep.ids(range(20)), concurrency=8)
        results.raise_errors()
        assert len(results.values) == 20

    async def test_writes_what_is_known_about_a_request_to_disk_before_it_is_reconciled(
        self, path: Path
    ) -> None:
        async def run(
            backup_instance_id: InstanceId,
            baseline: Baseline,
            *,
            recorded: SentTrigger | None,
            before_send: BeforeSend,
            on_in_doubt: OnInDoubt,
        ) -> TriggerResult:
            await before_send(sending(backup_instance_id, baseline))
            known = attrs.evolve(sending(1), response_by=WHEN + timedelta(seconds=9), accepted=True)
            on_in_doubt(known)
            assert not await journal.is_done()
            async with open_snapshot(path) as storage:
                (found,) = [each async for each in storage.read_entries()]
            assert found.state is EntryState.INTENDED
            assert found.trigger == known
            return started(backup_instance_id)

        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, run, {})
            assert (await FanOut(sweep.trigger, sweep.ids([1]), concurrency=1)).values == {1: started(1)}

    async def test_refuses_a_duplicate_id_without_sending_it(self, path: Path, api: Api) -> None:
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, api.trigger, {})
            async with FanOut(sweep.trigger, sweep.ids([1, 2, "1", 1]), concurrency=1) as outcomes:
                errors = [type(outcome.error) async for outcome in outcomes]
        assert errors == [type(None), type(None), DuplicateInstance, DuplicateInstance]
        assert api.sent == [1, 2]

    async def test_refuses_an_invalid_id_and_continues(self, path: Path, api: Api) -> None:
        results = await run_sweep(path, api, [1, "..", 2])
        assert (list(results.values), type(results.errors[".."])) == ([1, 2], ValueError)
        assert await recorded_states(path) == {1: EntryState.STARTED, 2: EntryState.STARTED}

    async def test_closes_an_async_source_that_is_not_a_generator(self, path: Path, api: Api) -> None:
        class Source:
            remaining = 2
            closed = False

            def __aiter__(self) -> "Source":
                return self

            async def __anext__(self) -> int:
                self.remaining -= 1
                if self.remaining < 0:
                    raise StopAsyncIteration
                return self.remaining

            async def aclose(self) -> None:
                self.closed = True

        source = Source()
        await run_sweep(path, api, source)
        assert (api.sent, source.closed) == ([1, 0], True)

    async def test_that_cannot_write_an_intent_does_not_send(self, path: Path) -> None:
        sent = []

        async def run(
            backup_instance_id: InstanceId,
            baseline: Baseline,
            *,
            recorded: SentTrigger | None,
            before_send: BeforeSend,
            on_in_doubt: OnInDoubt,
        ) -> TriggerResult:
            with files_no_larger_than(2_048):
                await before_send(sending(backup_instance_id, baseline))
            sent.append(backup_instance_id)
            return started(backup_instance_id)

        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, run, {})
            fan_out = FanOut(sweep.trigger, sweep.ids([1, 2]), concurrency=1)
            with pytest.raises(JournalError, match="check the disk"):
                await fan_out
        assert {type(error) for error in fan_out.results.errors.values()} == {JournalError}
        assert sent == []
        assert await recorded_states(path) == {1: EntryState.FAILED, 2: EntryState.FAILED}

    async def test_that_is_drained_records_new_ids_as_read_and_keeps_earlier_entries(
        self, path: Path
    ) -> None:
        async def held(
            backup_instance_id: InstanceId,
            baseline: Baseline,
            *,
            recorded: SentTrigger | None,
            before_send: BeforeSend,
            on_in_doubt: OnInDoubt,
        ) -> TriggerResult:
            if backup_instance_id == 3:
                await before_send(sending(backup_instance_id, baseline))
            raise ClientDraining("the client is draining")

        await write_journal(path, failed(JournalEntry(1, 1), "403"), intent(2, 2))
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, held, {})
            results = await FanOut(sweep.trigger, sweep.ids([1, 2, 3, 4]), concurrency=1)
        assert [type(error) for error in results.errors.values()] == [ClientDraining] * 4
        assert await recorded_states(path) == {
            1: EntryState.FAILED,
            2: EntryState.INTENDED,
            3: EntryState.READ,
            4: EntryState.READ,
        }

    async def test_that_is_cancelled_records_calls_in_flight_as_in_doubt(self, path: Path) -> None:
        in_flight = asyncio.Event()

        async def hang(
            backup_instance_id: InstanceId,
            baseline: Baseline,
            *,
            recorded: SentTrigger | None,
            before_send: BeforeSend,
            on_in_doubt: OnInDoubt,
        ) -> TriggerResult:
            await before_send(sending(backup_instance_id, baseline))
            in_flight.set()
            await asyncio.Event().wait()
            return started(backup_instance_id)

        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, hang, {})
            async with FanOut(sweep.trigger, sweep.ids([1, 2]), concurrency=1):
                await in_flight.wait()
        assert await recorded_states(path) == {1: EntryState.INTENDED}

    async def test_closes_its_source(self, path: Path, api: Api) -> None:
        closed = False

        async def source() -> AsyncIterator[InstanceId]:
            nonlocal closed
            try:
                for number in range(100):
                    yield number
            finally:
                closed = True

        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, api.trigger, {})
            async with FanOut(sweep.trigger, sweep.ids(source()), concurrency=1) as outcomes:
                await anext(outcomes)
            assert closed
