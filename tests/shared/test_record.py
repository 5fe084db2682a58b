"""The record to and from bytes."""

import math

import orjson
import pytest

from backupify_async._shared.record import VERSION, Record, decode, encode
from backupify_async._shared.store import BadRecord
from backupify_async._shared.time_scale import TimeScale
from tests.shared.records import RULES, used_record


def test_reads_what_it_wrote() -> None:
    value = encode(used_record())
    assert encode(decode(value)) == value


def test_reads_what_it_wrote_with_a_limiter_that_was_used_meanwhile() -> None:
    value = encode(used_record())
    record = decode(value)
    record.limiter(RULES)
    assert encode(record) == value


def test_reads_a_record_without_a_limit() -> None:
    record = decode(encode(Record(TimeScale(1.0, 2.0, "", 3.0))))
    assert (record.felt_at, record.due, record.clock) == (None, -math.inf, -math.inf)
    with pytest.raises(BadRecord):
        record.limiter(RULES)


def test_is_a_few_kilobytes() -> None:
    assert len(encode(used_record())) < 5000


@pytest.mark.parametrize(
    "value", [b"", b"\x00", b"[]", b"3", b"{}", b'{"format":"other","version":1}', encode(used_record())[:-9]]
)
def test_what_is_torn_or_foreign_is_a_bad_record(value: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(value)


def test_another_version_is_a_bad_record_that_says_so() -> None:
    plain = {**orjson.loads(encode(used_record())), "version": VERSION + 1}
    with pytest.raises(BadRecord, match="its version is") as caught:
        decode(orjson.dumps(plain))
    assert caught.value.version == VERSION + 1


@pytest.mark.parametrize("part", ["scale", "members", "slots", "times", "felt_at", "limiter", "last_slot"])
def test_a_record_without_one_of_its_parts_is_bad(part: str) -> None:
    plain = orjson.loads(encode(used_record()))
    del plain[part]
    with pytest.raises(BadRecord):
        decode(orjson.dumps(plain))


@pytest.mark.parametrize("limiter", [[{}, {}], [{"version": 0}, {}], [3, 4]])
def test_a_limiter_that_cannot_be_read_makes_a_bad_record(limiter: object) -> None:
    plain = {**orjson.loads(encode(used_record())), "limiter": limiter}
    with pytest.raises(BadRecord):
        decode(orjson.dumps(plain)).limiter(RULES)


def test_slots_that_are_not_the_limiters_calls_make_a_bad_record() -> None:
    plain = {**orjson.loads(encode(used_record())), "slots": []}
    with pytest.raises(BadRecord):
        decode(orjson.dumps(plain)).limiter(RULES)
