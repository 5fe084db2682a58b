"""A sweep of triggers whose journal has entries of a previous run."""

from enum import Enum
from pathlib import Path

import attrs
import pytest

from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.journalled import JournalledSweep
from backupify_async._journal.entries import EntryState, JournalEntry, SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async._journal.transitions import ambiguous, failed, intended, settled
from backupify_async.errors import (
    AmbiguousTrigger,
    ClientClosed,
    DuplicateInstance,
    JournalError,
    RequestTimeout,
)
from backupify_async.ids import InstanceId
from backupify_async.models import Backup, SentTrigger, TriggerKind, TriggerResult
from tests.fleet.journalled_sweeps import (
    LOST,
    MISSING,
    WHEN,
    Api,
    failing_source,
    intent,
    recorded_states,
    run_sweep,
    sending,
    write_journal,
)
from tests.support.files import ACCOUNT


class TestAContinuedSweep:
    async def test_reads_finished_results_from_the_journal(self, path: Path, api: Api) -> None:
        kinds = list(TriggerKind)
        done = [
            settled(JournalEntry(n, n), TriggerResult(kind, Backup(n))) for n, kind in enumerate(kinds, 1)
        ]
        await write_journal(path, *done)
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, api.trigger, {})
            async with FanOut(sweep.trigger, sweep.ids([1, 2, 3]), concurrency=1) as outcomes:
                found = [(outcome.key, outcome.value, outcome.attempts) async for outcome in outcomes]
        results = [TriggerResult(kind, Backup(n), from_previous_run=True) for n, kind in enumerate(kinds, 1)]
        assert found == [(n, result, 0) for n, result in enumerate(results, 1)]
        assert api.sent == []

    async def test_reconciles_triggers_in_doubt_and_sends_the_rest(self, path: Path, api: Api) -> None:
        sent, lost = intent(1, 1), ambiguous(intent(2, 2), SentTrigger(2, WHEN), "lost")
        await write_journal(path, sent, lost, failed(JournalEntry(3, 3), "403"), JournalEntry(4, 4))
        results = await run_sweep(path, api, [1, 2, 3, 4, 5])
        assert list(results.values) == api.sent == [1, 2, 3, 4, 5]
        assert api.reconciled == {1: SentTrigger(1, WHEN), 2: SentTrigger(2, WHEN)}
        assert set((await recorded_states(path)).values()) == {EntryState.STARTED}

    async def test_keeps_in_doubt_what_it_could_not_reconcile(self, path: Path) -> None:
        errors: dict[InstanceId, BaseException] = {1: ClientClosed("closed"), 2: LOST, 3: MISSING}
        await write_journal(path, *(intent(n, n) for n in (1, 2, 3)))
        await run_sweep(path, Api(errors, blind=True), [])
        assert await recorded_states(path) == {
            1: EntryState.INTENDED,
            2: EntryState.AMBIGUOUS,
            3: EntryState.INTENDED,
        }

    async def test_gets_all_that_the_previous_run_recorded_about_a_request(self, path: Path) -> None:
        await write_journal(path, intended(JournalEntry(1, 1), sending(1)))
        api = Api()
        await run_sweep(path, api, [])
        assert api.reconciled == {1: sending(1)}

    @pytest.mark.parametrize("accepted", [True, False])
    async def test_that_stays_ambiguous_records_all_that_is_known_for_the_next_run(
        self, path: Path, accepted: bool
    ) -> None:
        once = attrs.evolve(sending(1), accepted=accepted, seen=(7, "8"))
        await run_sweep(path, Api({1: AmbiguousTrigger(once, RequestTimeout("slow"))}), [1])
        again = attrs.evolve(once, seen=(7, "8", 9))
        blind = Api({1: AmbiguousTrigger(again, RequestTimeout("slow"))}, blind=True)
        await run_sweep(path, blind, [])
        api = Api()
        await run_sweep(path, api, [])
        assert (blind.reconciled, api.reconciled) == ({1: once}, {1: again})

    async def test_continues_after_the_ids_in_the_journal(self, path: Path, api: Api) -> None:
        with pytest.raises(OSError, match="broke off"):
            await run_sweep(path, api, failing_source(1, 2))
        results = await run_sweep(path, api, [1, 2, 3])
        assert (list(results.values), api.sent) == ([1, 2, 3], [1, 2, 3])

    async def test_refuses_a_duplicate_of_an_id_from_the_previous_run(self, path: Path, api: Api) -> None:
        with pytest.raises(OSError, match="broke off"):
            await run_sweep(path, api, failing_source(1, 2, 1))
        results = await run_sweep(path, api, [1, 2, 1, 3, 3])
        assert {key: type(error) for key, error in results.errors.items()} == {
            1: DuplicateInstance,
            3: DuplicateInstance,
        }
        assert api.sent == [1, 2, 3]

    async def test_recognizes_an_id_whatever_its_class(self, path: Path, api: Api) -> None:
        class Named(str, Enum):  # noqa: UP042 - unlike a StrEnum, its str() is not its value
            ONE = "42"

        await run_sweep(path, api, [Named.ONE])
        await run_sweep(path, api, [Named.ONE, "42"])
        assert api.sent == ["42"]

    async def test_recognizes_digits_as_a_number_and_sends_them_as_they_were_written(
        self, path: Path, api: Api
    ) -> None:
        with pytest.raises(OSError, match="broke off"):
            await run_sweep(path, api, failing_source("042", 42))
        results = await run_sweep(path, api, [42, "042", "0043"])
        assert (list(results.values), api.sent) == (["042", "0043"], ["042", "0043"])
        assert {key: type(error) for key, error in results.errors.items()} == {42: DuplicateInstance}
        assert await recorded_states(path) == {"042": EntryState.STARTED, "0043": EntryState.STARTED}

    async def test_refuses_another_spelling_of_an_id_in_the_journal_as_a_duplicate(
        self, path: Path, api: Api
    ) -> None:
        await run_sweep(path, api, [42])
        results = await run_sweep(path, api, ["042"])
        assert list(results.values) == api.sent == [42]
        assert isinstance(results.errors["042"], DuplicateInstance)

    async def test_does_not_read_an_async_source_that_was_read_to_its_end_before(
        self, path: Path, api: Api
    ) -> None:
        await run_sweep(path, api, [1, 2])
        results = await run_sweep(path, api, failing_source())
        assert (list(results.values), api.sent) == ([1, 2], [1, 2])

    async def test_is_refused_as_another_sweep_if_the_list_has_a_new_id(self, path: Path, api: Api) -> None:
        await run_sweep(path, api, [1, 2])
        with pytest.raises(JournalError, match="and 3 is none of them: a new sweep needs a new file"):
            await run_sweep(path, api, [2, 3])
        assert api.sent == [1, 2]

    async def test_accepts_a_list_with_a_duplicate_id(self, path: Path, api: Api) -> None:
        await run_sweep(path, api, [1, 2])
        results = await run_sweep(path, api, [1, 2, 1])
        assert isinstance(results.errors[1], DuplicateInstance)
        assert api.sent == [1, 2]

    async def test_triggers_ids_that_were_read_but_not_sent_before_a_crash(
        self, path: Path, api: Api
    ) -> None:
        await write_journal(path, JournalEntry(1, 1), read_to_end=True)
        await run_sweep(path, api, failing_source())
        assert api.sent == [1]

    async def test_of_another_account_is_refused_before_anything_is_read(self, path: Path, api: Api) -> None:
        await write_journal(path, JournalEntry(1, 1))
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, SweepAccount("https://b.example", None), api.trigger, {})
            with pytest.raises(JournalError, match="another account"):
                await FanOut(sweep.trigger, sweep.ids(failing_source(1)), concurrency=1)
        assert api.sent == []
