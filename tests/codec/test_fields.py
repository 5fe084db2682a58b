"""The fields of a model: strict about ids, tolerant of all else."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import Backup, BackupInstance, DecodeError
from backupify_async._codec.decode import decode_one, decode_present
from backupify_async._codec.readers import ModelT
from tests.codec.backups import one, present
from tests.support.transport_values import make_response

NO_ID = [None, True, False, 7.5, 2**70, "", [7], {"id": 7}]


class TestIds:
    @pytest.mark.parametrize("value", [7, 0, -1, 2**53 + 1, 2**64 - 1, "7", "a/b", "ü", " "])
    def test_an_int_and_a_string_keep_their_type(self, value: int | str) -> None:
        found = present({"id": value})
        assert (found.id, type(found.id)) == (value, type(value))

    @pytest.mark.parametrize("value", NO_ID)
    def test_any_other_id_is_an_error(self, value: object) -> None:
        with pytest.raises(DecodeError, match="an id must be an integer or a non-empty string, not "):
            one(orjson.dumps({"id": value}) if value != 2**70 else b'{"id": %d}' % 2**70)

    @pytest.mark.parametrize("value", ["7", 7])
    def test_a_second_id_can_be_an_int_or_a_string(self, value: int | str) -> None:
        assert present({"id": 1, "backup_instance_id": value}).backup_instance_id == value

    @pytest.mark.parametrize("value", [True, 7.5, [7]])
    def test_an_invalid_second_id_stays_in_extra(self, value: object) -> None:
        found = present({"id": 1, "backup_instance_id": value})
        assert (found.backup_instance_id, found.extra) == (None, {"backup_instance_id": value})

    def test_the_error_does_not_quote_a_long_id(self) -> None:
        body = {"id": ["static-token"] + ["x"] * 10_000}
        with pytest.raises(DecodeError) as caught:
            decode_one(make_response(body, 200, None, "static-token"), Backup)
        assert "static-token" not in str(caught.value)
        assert len(str(caught.value)) < 1000


class TestFields:
    def test_all_known_fields_are_read(self) -> None:
        raw = {
            "id": 1,
            "backup_instance_id": 42,
            "status": "completed",
            "created_at": "2024-01-02T03:04:05Z",
            "started_at": "2024-01-02T03:04:06Z",
            "completed_at": None,
            "colour": "blue",
            "extra": 1,
        }
        assert present(raw) == Backup(
            1,
            42,
            "completed",
            datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
            datetime(2024, 1, 2, 3, 4, 6, tzinfo=UTC),
            extra={"colour": "blue", "extra": 1},
        )

    def test_an_instance_is_read_by_the_same_rule(self) -> None:
        raw = {"id": "i", "customer_id": 7, "backup_definition_id": "d", "backup_frequency": 3, "x": [1]}
        assert decode_present(make_response(raw), BackupInstance) == BackupInstance(
            "i", 7, "d", 3, extra={"x": [1]}
        )

    @pytest.mark.parametrize("status", ["", "no such status", "ÜBER"])
    def test_a_status_can_be_any_string(self, status: str) -> None:
        assert present({"id": 1, "status": status}).status == status

    @pytest.mark.parametrize("status", [3, True, ["done"], {"name": "done"}])
    def test_a_status_that_is_not_a_string_stays_in_extra(self, status: object) -> None:
        found = present({"id": 1, "status": status})
        assert (found.status, found.extra) == (None, {"status": status})

    def test_null_equals_missing(self) -> None:
        found = present({"id": 1, "status": None, "created_at": None, "colour": None})
        assert found == Backup(1, extra={"colour": None})


def distinct(model: type[ModelT]) -> dict[str, Any]:
    """A different value for each field of a model."""
    kinds = {field.name: get_args(field.type) for field in attrs.fields(model) if field.name != "extra"}
    return {
        name: datetime(2000 + at, 1, 1, tzinfo=UTC)
        if datetime in kinds[name]
        else at
        if int in kinds[name]
        else str(at)
        for at, name in enumerate(kinds, 1)
    }


@pytest.mark.parametrize("model", [Backup, BackupInstance])
def test_each_field_is_read_under_its_own_name(model: type[ModelT]) -> None:
    fields = distinct(model)
    raw = {
        name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()
    }
    assert decode_one(make_response(raw), model) == model(**fields)


class TestDates:
    @pytest.mark.parametrize(
        "text",
        [
            *(
                "2024-01-02T03:04:05Z",
                "2024-01-02T03:04:05z",
                "2024-01-02t03:04:05Z",
                " 2024-01-02T03:04:05Z ",
            ),
            *("2024-01-02T05:04:05+02:00", "2024-01-02T03:04:05", "2024-01-02 03:04:05", "20240102T030405Z"),
        ],
    )
    def test_each_form_of_iso_8601_is_read_as_utc(self, text: str) -> None:
        found = present({"id": 1, "created_at": text}).created_at
        assert found == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert found.utcoffset() == timedelta(0)

    def test_nanoseconds_are_cut_off(self) -> None:
        found = present({"id": 1, "created_at": "2024-01-02T03:04:05.123456789Z"}).created_at
        assert found == datetime(2024, 1, 2, 3, 4, 5, 123456, tzinfo=UTC)

    @pytest.mark.parametrize(
        "raw",
        [
            *("", "yesterday", "2024-13-01T00:00:00Z", "2024-02-30", "9999-12-31T23:59:59-01:00"),
            *("0001-01-01T00:00:00+01:00", 1_700_000_000, 1.5, True, ["2024-01-02"], {}),
        ],
    )
    def test_an_invalid_date_stays_in_extra(self, raw: object) -> None:
        found = present({"id": 1, "created_at": raw})
        assert (found.created_at, found.extra) == (None, {"created_at": raw})


@given(
    st.integers(-(2**63), 2**64 - 1) | st.text(min_size=1), st.text(), st.datetimes(timezones=st.just(UTC))
)
def test_serialized_fields_are_read_back(id_: int | str, status: str, when: datetime) -> None:
    raw = {"id": id_, "status": status, "created_at": when.isoformat()}
    assert present({"backup": raw}) == Backup(id_, None, status, when)


class TestADateWithoutAnOffset:
    @pytest.mark.parametrize("text", ["2024-01-02T03:04:05", "2024-01-02 03:04:05", " 2024-01-02t03:04:05 "])
    def test_a_naive_date_is_utc_and_its_raw_value_stays_in_extra(self, text: str) -> None:
        backup = decode_present(make_response({"id": 1, "created_at": text}), Backup)
        assert backup.created_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert backup.extra == {"created_at": text}
        assert backup.without_offset == {"created_at"}

    @pytest.mark.parametrize("text", ["2024-01-02T03:04:05Z", "2024-01-02T05:04:05+02:00"])
    def test_a_date_with_an_offset_is_not_in_extra(self, text: str) -> None:
        backup = decode_present(make_response({"id": 1, "created_at": text, "updated_at": "soon"}), Backup)
        assert backup.without_offset == frozenset()
        assert backup.extra == {"updated_at": "soon"}
