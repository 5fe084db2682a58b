"""The entries of a journal, and the records that stores keep of them."""

from datetime import UTC
from enum import Enum

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._codec.model_json import from_json
from backupify_async._journal.entries import (
    EntryState,
    JournalEntry,
    SweepAccount,
    baseline_from_json,
    baseline_to_json,
)
from backupify_async._journal.transitions import ambiguous, failed, held_back, intended, settled
from backupify_async.ids import identifier
from backupify_async.models import UNKNOWN_BASELINE, Backup, Baseline, SentTrigger, TriggerKind, TriggerResult
from tests.journal.examples import SENT

READ = JournalEntry(1, 42)
INTENDED = intended(READ, SENT)

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
ids = st.integers() | texts


def is_identifier(text: int | str) -> bool:
    """Whether it can be part of a path."""
    try:
        return bool(identifier(text))
    except ValueError:
        return False


dates = st.none() | st.datetimes(timezones=st.just(UTC))
numbers = st.integers(-(2**63), 2**63 - 1)
scalars = st.none() | st.booleans() | numbers | texts
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(texts, scalars, max_size=3)
names = {field.name for field in attrs.fields(Backup)}
backups = st.builds(
    Backup,
    id=numbers | texts,
    backup_instance_id=st.none() | numbers | texts,
    status=st.none() | texts,
    created_at=dates,
    started_at=dates,
    completed_at=dates,
    updated_at=dates,
    extra=st.dictionaries(texts.filter(lambda name: name not in names), values, max_size=3),
)
triggers = st.builds(
    SentTrigger,
    instance_id=st.just(42),
    sent_at=st.datetimes(timezones=st.just(UTC)),
    baseline=st.just(UNKNOWN_BASELINE) | st.none() | ids,
    response_by=dates,
    clock_offset=st.none() | st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)),
    accepted=st.booleans(),
    seen=st.lists(ids, max_size=3).map(tuple),
)
entries = st.builds(
    JournalEntry,
    number=st.integers(1, 2**62),
    instance_id=ids.filter(is_identifier),
    state=st.sampled_from(EntryState),
    trigger=st.none() | triggers,
    backup=st.none() | backups,
    problem=texts,
).filter(lambda entry: entry.trigger is not None or not entry.is_in_doubt)


def same_instance(entry: JournalEntry) -> JournalEntry:
    if entry.trigger is None:
        return entry
    return attrs.evolve(entry, trigger=attrs.evolve(entry.trigger, instance_id=entry.instance_id))


entries = entries.map(same_instance)


class Named(str, Enum):  # noqa: UP042 - unlike a StrEnum, its str() is not its value
    ONE = "42"


class Numbered(int):
    def __str__(self) -> str:
        return "forty-two"


class TestARecord:
    @given(entries)
    def test_is_read_back_as_the_same_entry(self, entry: JournalEntry) -> None:
        assert JournalEntry.from_record(entry.to_record()) == entry

    def test_keeps_the_fields_of_a_backup_that_could_not_be_read(self) -> None:
        entry = settled(
            INTENDED, TriggerResult(TriggerKind.STARTED, Backup(7, extra={"created_at": "soon", "a": [1]}))
        )
        assert JournalEntry.from_record(entry.to_record()) == entry

    @pytest.mark.parametrize("more", [b"1", b'{"a":' * 900 + b"1" + b"}" * 900])
    def test_keeps_which_dates_had_no_offset(self, more: bytes) -> None:
        backup = from_json(b'{"id": 7, "created_at": "2026-01-01T12:00:00", "more": ' + more + b"}", Backup)
        entry = JournalEntry.from_record(JournalEntry(1, 42, EntryState.STARTED, backup=backup).to_record())
        assert entry.backup is not None
        assert entry.backup.without_offset == {"created_at"}
        assert entry.backup.created_at == backup.created_at

    @pytest.mark.parametrize("depth", [300, 1_000])
    def test_omits_extra_fields_of_a_backup_that_are_nested_too_deep_to_write(self, depth: int) -> None:
        deep = from_json(b'{"id": 7, "more": ' + b'{"a":' * depth + b"1" + b"}" * (depth + 1), Backup)
        entry = settled(INTENDED, TriggerResult(TriggerKind.STARTED, deep))
        assert deep.extra
        assert JournalEntry.from_record(entry.to_record()) == attrs.evolve(entry, backup=Backup(7))

    @pytest.mark.parametrize("instance_id", [42, "42", "007", "a b", 2**80])
    def test_distinguishes_a_number_from_text(self, instance_id: int | str) -> None:
        read = JournalEntry.from_record(JournalEntry(1, instance_id).to_record()).instance_id
        assert (read, type(read)) == (instance_id, type(instance_id))

    @pytest.mark.parametrize("instance_id", [Named.ONE, Numbered(42)])
    def test_has_an_id_as_it_is_in_a_path_whatever_its_class(self, instance_id: int | str) -> None:
        read = JournalEntry.from_record(JournalEntry(1, instance_id).to_record()).instance_id
        assert (read, identifier(read)) == (instance_id, identifier(instance_id))

    def test_with_an_unknown_state_is_refused(self) -> None:
        with pytest.raises(ValueError, match="paused"):
            JournalEntry.from_record({**READ.to_record(), "state": "paused"})


class TestABaseline:
    @given(st.just(UNKNOWN_BASELINE) | st.none() | ids)
    def test_is_read_back(self, baseline: Baseline) -> None:
        assert baseline_from_json(baseline_to_json(baseline)) == baseline


class TestAnEntry:
    def test_that_was_read_is_not_in_doubt_and_has_no_result(self) -> None:
        assert (READ.result, READ.is_in_doubt) == (None, False)

    def test_that_is_intended_is_in_doubt(self) -> None:
        assert JournalEntry(1, 42, EntryState.INTENDED, SENT) == INTENDED
        assert (INTENDED.result, INTENDED.is_in_doubt) == (None, True)

    @pytest.mark.parametrize("kind", TriggerKind)
    def test_that_is_settled_has_a_result(self, kind: TriggerKind) -> None:
        done = settled(INTENDED, TriggerResult(kind, Backup(8)))
        result = TriggerResult(kind, Backup(8), from_previous_run=True)
        assert (done.result, done.is_in_doubt, done.trigger) == (result, False, SENT)

    def test_that_failed_keeps_only_its_reason(self) -> None:
        entry = failed(INTENDED, "403")
        assert entry == JournalEntry(1, 42, EntryState.FAILED, problem="403")
        assert (entry.result, entry.is_in_doubt) == (None, False)

    def test_that_is_held_back_equals_the_entry_as_read(self) -> None:
        assert held_back(INTENDED) == READ

    def test_that_is_ambiguous_keeps_when_it_was_sent(self) -> None:
        entry = ambiguous(INTENDED, SENT, "contradictions")
        assert entry.trigger == SENT
        assert (entry.result, entry.is_in_doubt, entry.problem) == (None, True, "contradictions")

    def test_that_is_sent_again_drops_its_problem(self) -> None:
        assert intended(failed(INTENDED, "403"), SENT).problem == ""

    def test_that_is_sent_again_drops_what_was_known_about_the_last_request(self) -> None:
        lost = ambiguous(INTENDED, attrs.evolve(SENT, accepted=True, seen=(7,)), "contradictions")
        assert intended(lost, SENT).trigger == SENT
        assert settled(lost, TriggerResult(TriggerKind.ADOPTED, Backup(7))).trigger == SENT


def test_an_account_has_a_readable_text() -> None:
    assert str(SweepAccount("https://a.example", "ops")) == "client ops at https://a.example"
    assert str(SweepAccount("https://a.example", None)) == "a token at https://a.example"
