"""A sweep of triggers with a journal; the trigger itself is a stand-in."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

import attrs
import pytest

from backupify_async._fleet.fan_out import FanOut
from backupify_async._fleet.journalled import JournalledSweep
from backupify_async._fleet.outcomes import Results
from backupify_async._journal.entries import EntryState, JournalEntry, SweepAccount
from backupify_async._journal.journal import Journal
from backupify_async._journal.snapshot import open_snapshot
from backupify_async._journal.transitions import ambiguous, failed, intended, settled
from backupify_async.errors import (
    AmbiguousTrigger,
    ClientClosed,
    ClientDraining,
    DuplicateInstance,
    JournalError,
    NotFound,
    RequestTimeout,
)
from backupify_async.ids import InstanceId
from backupify_async.models import UNKNOWN_BASELINE, Backup, Baseline, SentTrigger, TriggerKind, TriggerResult
from tests.support.files import ACCOUNT, files_no_larger_than, run_sql

WHEN = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
BeforeSend = Callable[[SentTrigger], Awaitable[None]]
OnInDoubt = Callable[[SentTrigger], None]

MISSING = NotFound(404, "POST", "/x")
TOLD = TriggerResult(TriggerKind.STARTED, Backup(900))


def sending(instance_id: InstanceId, baseline: Baseline = UNKNOWN_BASELINE) -> SentTrigger:
    """What is known about a request that is about to be sent."""
    return SentTrigger(instance_id, WHEN, baseline, WHEN + timedelta(seconds=60), (-1.0, 0.5))


def intent(number: int, instance_id: InstanceId, baseline: Baseline = UNKNOWN_BASELINE) -> JournalEntry:
    """An entry of a previous run that only knows when it sent."""
    return intended(JournalEntry(number, instance_id), SentTrigger(instance_id, WHEN, baseline))


LOST = AmbiguousTrigger(sending(3), RequestTimeout("slow"))


def started(instance_id: InstanceId) -> TriggerResult:
    return TriggerResult(TriggerKind.STARTED, Backup(f"of {instance_id}"))


@attrs.define
class Api:
    """Stands in for what triggers one instance, and records its calls."""

    errors: dict[InstanceId, BaseException] = attrs.field(factory=dict)
    """Raised after the request was sent."""
    blind: bool = False
    """Whether looks fail: what is unsettled from before ends in an error before anything leaves."""
    sent: list[InstanceId] = attrs.field(factory=list)
    reconciled: dict[InstanceId, SentTrigger] = attrs.field(factory=dict)
    baselines: dict[InstanceId, Baseline] = attrs.field(factory=dict)

    async def trigger(
        self,
        backup_instance_id: InstanceId,
        baseline: Baseline,
        *,
        recorded: SentTrigger | None,
        before_send: BeforeSend,
        on_in_doubt: OnInDoubt,
    ) -> TriggerResult:
        self.baselines[backup_instance_id] = baseline
        if recorded is not None:
            self.reconciled[backup_instance_id] = recorded
            if self.blind:
                raise self.errors[backup_instance_id]
        await before_send(sending(backup_instance_id, baseline))
        self.sent.append(backup_instance_id)
        if backup_instance_id in self.errors:
            raise self.errors[backup_instance_id]
        return started(backup_instance_id)


async def swept(
    path: Path, api: Api, source: Iterable[InstanceId] | AsyncIterable[InstanceId], *, at_once: int = 1
) -> Results[InstanceId, TriggerResult]:
    async with Journal(path) as journal:
        sweep = JournalledSweep(journal, ACCOUNT, api.trigger, {})
        return await FanOut(sweep.trigger, sweep.ids(source), concurrency=at_once)


async def written(path: Path) -> dict[InstanceId, EntryState]:
    async with open_snapshot(path) as storage:
        return {entry.instance_id: entry.state async for entry in storage.read_entries()}


async def put(path: Path, *entries: JournalEntry, read_to_end: bool = False) -> None:
    """Write a journal of an earlier process."""
    async with Journal(path) as journal:
        await journal.begin(ACCOUNT)
        for entry in entries:
            journal.put(entry)
        if read_to_end:
            await journal.mark_end()


async def broken_off(*ids: InstanceId) -> AsyncIterator[InstanceId]:
    for instance_id in ids:
        yield instance_id
    raise OSError("the list broke off")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sweep.sqlite"


@pytest.fixture
def api() -> Api:
    return Api()


class TestANewSweep:
    async def test_records_each_outcome(self, path: Path, api: Api) -> None:
        api.errors = {2: MISSING, 3: LOST}
        results = await swept(path, api, [1, 2, 3, "a/b"], at_once=3)
        assert results.values == {1: started(1), "a/b": started("a/b")}
        assert results.errors == {2: MISSING, 3: LOST}
        assert await written(path) == {
            1: EntryState.STARTED,
            2: EntryState.FAILED,
            3: EntryState.AMBIGUOUS,
            "a/b": EntryState.STARTED,
        }

    async def test_has_each_intent_on_disk_before_the_request_is_sent(self, path: Path) -> None:
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

    async def test_has_on_disk_what_is_known_of_a_request_that_is_being_reconciled(self, path: Path) -> None:
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

    async def test_refuses_an_id_that_comes_twice_without_sending_it(self, path: Path, api: Api) -> None:
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, api.trigger, {})
            async with FanOut(sweep.trigger, sweep.ids([1, 2, "1", 1]), concurrency=1) as outcomes:
                errors = [type(outcome.error) async for outcome in outcomes]
        assert errors == [type(None), type(None), DuplicateInstance, DuplicateInstance]
        assert api.sent == [1, 2]

    async def test_refuses_what_cannot_be_an_id_and_goes_on(self, path: Path, api: Api) -> None:
        results = await swept(path, api, [1, "..", 2])
        assert (list(results.values), type(results.errors[".."])) == ([1, 2], ValueError)
        assert await written(path) == {1: EntryState.STARTED, 2: EntryState.STARTED}

    async def test_closes_an_async_source_that_is_not_a_generator(self, path: Path, api: Api) -> None:
        class Source:
            left = 2
            closed = False

            def __aiter__(self) -> "Source":
                return self

            async def __anext__(self) -> int:
                self.left -= 1
                if self.left < 0:
                    raise StopAsyncIteration
                return self.left

            async def aclose(self) -> None:
                self.closed = True

        source = Source()
        await swept(path, api, source)
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
        assert await written(path) == {1: EntryState.FAILED, 2: EntryState.FAILED}

    async def test_a_drain_leaves_new_ids_as_read_and_earlier_entries_as_they_were(self, path: Path) -> None:
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

        await put(path, failed(JournalEntry(1, 1), "403"), intent(2, 2))
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, held, {})
            results = await FanOut(sweep.trigger, sweep.ids([1, 2, 3, 4]), concurrency=1)
        assert [type(error) for error in results.errors.values()] == [ClientDraining] * 4
        assert await written(path) == {
            1: EntryState.FAILED,
            2: EntryState.INTENDED,
            3: EntryState.READ,
            4: EntryState.READ,
        }

    async def test_that_is_cancelled_records_what_is_in_flight_as_in_doubt(self, path: Path) -> None:
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
        assert await written(path) == {1: EntryState.INTENDED}

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


class TestASweepThatGoesOn:
    async def test_answers_what_is_done_from_the_journal(self, path: Path, api: Api) -> None:
        kinds = list(TriggerKind)
        done = [
            settled(JournalEntry(n, n), TriggerResult(kind, Backup(n))) for n, kind in enumerate(kinds, 1)
        ]
        await put(path, *done)
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, ACCOUNT, api.trigger, {})
            async with FanOut(sweep.trigger, sweep.ids([1, 2, 3]), concurrency=1) as outcomes:
                found = [(outcome.key, outcome.value, outcome.attempts) async for outcome in outcomes]
        results = [TriggerResult(kind, Backup(n), from_previous_run=True) for n, kind in enumerate(kinds, 1)]
        assert found == [(n, result, 0) for n, result in enumerate(results, 1)]
        assert api.sent == []

    async def test_reconciles_what_is_in_doubt_and_triggers_the_rest(self, path: Path, api: Api) -> None:
        sent, lost = intent(1, 1), ambiguous(intent(2, 2), SentTrigger(2, WHEN), "lost")
        await put(path, sent, lost, failed(JournalEntry(3, 3), "403"), JournalEntry(4, 4))
        results = await swept(path, api, [1, 2, 3, 4, 5])
        assert list(results.values) == api.sent == [1, 2, 3, 4, 5]
        assert api.reconciled == {1: SentTrigger(1, WHEN), 2: SentTrigger(2, WHEN)}
        assert set((await written(path)).values()) == {EntryState.STARTED}

    async def test_leaves_in_doubt_what_it_could_not_reconcile(self, path: Path) -> None:
        errors: dict[InstanceId, BaseException] = {1: ClientClosed("closed"), 2: LOST, 3: MISSING}
        await put(path, *(intent(n, n) for n in (1, 2, 3)))
        await swept(path, Api(errors, blind=True), [])
        assert await written(path) == {
            1: EntryState.INTENDED,
            2: EntryState.AMBIGUOUS,
            3: EntryState.INTENDED,
        }

    async def test_knows_what_the_previous_run_knew_of_its_request(self, path: Path) -> None:
        await put(path, intended(JournalEntry(1, 1), sending(1)))
        api = Api()
        await swept(path, api, [])
        assert api.reconciled == {1: sending(1)}

    @pytest.mark.parametrize("accepted", [True, False])
    async def test_gives_the_next_run_all_that_is_known_where_it_stays_ambiguous(
        self, path: Path, accepted: bool
    ) -> None:
        once = attrs.evolve(sending(1), accepted=accepted, seen=(7, "8"))
        await swept(path, Api({1: AmbiguousTrigger(once, RequestTimeout("slow"))}), [1])
        again = attrs.evolve(once, seen=(7, "8", 9))
        blind = Api({1: AmbiguousTrigger(again, RequestTimeout("slow"))}, blind=True)
        await swept(path, blind, [])
        api = Api()
        await swept(path, api, [])
        assert (blind.reconciled, api.reconciled) == ({1: once}, {1: again})

    async def test_goes_on_after_the_ids_that_the_journal_has(self, path: Path, api: Api) -> None:
        with pytest.raises(OSError, match="broke off"):
            await swept(path, api, broken_off(1, 2))
        results = await swept(path, api, [1, 2, 3])
        assert (list(results.values), api.sent) == ([1, 2, 3], [1, 2, 3])

    async def test_refuses_an_id_that_comes_twice_as_if_it_had_not_stopped(
        self, path: Path, api: Api
    ) -> None:
        with pytest.raises(OSError, match="broke off"):
            await swept(path, api, broken_off(1, 2, 1))
        results = await swept(path, api, [1, 2, 1, 3, 3])
        assert {key: type(error) for key, error in results.errors.items()} == {
            1: DuplicateInstance,
            3: DuplicateInstance,
        }
        assert api.sent == [1, 2, 3]

    async def test_recognizes_an_id_whatever_its_class(self, path: Path, api: Api) -> None:
        class Named(str, Enum):  # noqa: UP042 - StrEnum has no words of its own
            ONE = "42"

        await swept(path, api, [Named.ONE])
        await swept(path, api, [Named.ONE, "42"])
        assert api.sent == ["42"]

    async def test_recognizes_digits_by_their_number_and_sends_them_as_they_were_written(
        self, path: Path, api: Api
    ) -> None:
        with pytest.raises(OSError, match="broke off"):
            await swept(path, api, broken_off("042", 42))
        results = await swept(path, api, [42, "042", "0043"])
        assert (list(results.values), api.sent) == (["042", "0043"], ["042", "0043"])
        assert {key: type(error) for key, error in results.errors.items()} == {42: DuplicateInstance}
        assert await written(path) == {"042": EntryState.STARTED, "0043": EntryState.STARTED}

    async def test_refuses_an_id_that_the_journal_writes_otherwise_as_a_duplicate(
        self, path: Path, api: Api
    ) -> None:
        await swept(path, api, [42])
        results = await swept(path, api, ["042"])
        assert list(results.values) == api.sent == [42]
        assert isinstance(results.errors["042"], DuplicateInstance)

    async def test_does_not_read_an_async_source_again_that_was_read_to_its_end(
        self, path: Path, api: Api
    ) -> None:
        await swept(path, api, [1, 2])
        results = await swept(path, api, broken_off())
        assert (list(results.values), api.sent) == ([1, 2], [1, 2])

    async def test_is_refused_as_another_sweep_where_a_list_has_a_new_id(self, path: Path, api: Api) -> None:
        await swept(path, api, [1, 2])
        with pytest.raises(JournalError, match="and 3 is none of them: a new sweep needs a new file"):
            await swept(path, api, [2, 3])
        assert api.sent == [1, 2]

    async def test_accepts_a_list_in_which_an_id_comes_twice(self, path: Path, api: Api) -> None:
        await swept(path, api, [1, 2])
        results = await swept(path, api, [1, 2, 1])
        assert isinstance(results.errors[1], DuplicateInstance)
        assert api.sent == [1, 2]

    async def test_triggers_what_was_read_and_not_sent_before_a_crash(self, path: Path, api: Api) -> None:
        await put(path, JournalEntry(1, 1), read_to_end=True)
        await swept(path, api, broken_off())
        assert api.sent == [1]

    async def test_of_another_account_is_refused_before_anything_is_read(self, path: Path, api: Api) -> None:
        await put(path, JournalEntry(1, 1))
        async with Journal(path) as journal:
            sweep = JournalledSweep(journal, SweepAccount("https://b.example", None), api.trigger, {})
            with pytest.raises(JournalError, match="another account"):
                await FanOut(sweep.trigger, sweep.ids(broken_off(1)), concurrency=1)
        assert api.sent == []


class TestADamagedJournal:
    @pytest.mark.parametrize(
        "cells",
        [
            *("evidence = '5'", "evidence = 'null'", "evidence = '{}'", "evidence = '[1]'", "evidence = '['"),
            *("evidence = '[null, 5, true, []]'", "evidence = '[null, [1], true, []]'"),
            *("evidence = '[null, [1, \"2\"], true, []]'", "evidence = '[null, [NaN, 1], true, []]'"),
            *("evidence = '[null, null, \"yes\", []]'", "evidence = '[null, null, true, 5]'"),
            *("evidence = '[null, null, true, \"ab\"]'", "evidence = '[null, null, true, [[]]]'"),
            *("evidence = '[5, null, true, []]'", f"evidence = '{'[' * 9_000}'"),
            *("backup = '5'", "backup = '[]'", "backup = 'null'", "backup = '{}'", "backup = x'ff'"),
            *(
                "baseline = '[1]'",
                "baseline = '{}'",
                "baseline = 'true'",
                "baseline = 'x'",
                "baseline = x'31'",
            ),
            *("sent_at = 'soon'", "sent_at = '2026-11-23T03:00:00'", "sent_at = 5", "sent_at = NULL"),
            *("instance_id = ''", "instance_id = '..'", "instance_id = 'x'", "instance_id = x'31'"),
            *("instance_id = ' 1'", "instance_id = '٢'", "is_number = 2", "is_number = 'yes'"),
            *("state = 'paused'", "state = x'00'", "problem = x'00'"),
        ],
    )
    async def test_is_reported_and_nothing_is_sent(self, path: Path, api: Api, cells: str) -> None:
        await put(path, intended(JournalEntry(1, 1), sending(1, 7)))
        await asyncio.to_thread(run_sql, path, f"UPDATE lines SET {cells}")
        with pytest.raises(
            JournalError, match="is damaged: check which backups are running before you begin a new sweep"
        ):
            await swept(path, api, [1, 2])
        with pytest.raises(JournalError, match="is damaged"):
            await written(path)
        assert (api.sent, api.reconciled) == ([], {})

    @pytest.mark.parametrize(
        "cells",
        ["begun_at = 'once'", "begun_at = 5", "base_url = x'00'", "client_id = x'00'", "read_to_end = 7"],
    )
    async def test_is_reported_where_the_record_of_the_sweep_is_damaged(
        self, path: Path, api: Api, cells: str
    ) -> None:
        await put(path, JournalEntry(1, 1))
        await asyncio.to_thread(run_sql, path, f"UPDATE sweep SET {cells}")
        with pytest.raises(JournalError, match="is damaged"):
            await swept(path, api, [1])
        assert api.sent == []
