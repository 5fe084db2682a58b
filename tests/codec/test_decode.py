"""JSON to models: strict about ids, tolerant of all else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import Backup, BackupInstance, DecodeError
from backupify_async._codec.decode import decode_active, decode_list, decode_one, decode_present, require_same
from backupify_async._codec.readers import ModelT
from tests.support.transport_values import PATH, make_response

ONE = {"id": 7}


def one(body: bytes | object) -> Backup | None:
    return decode_one(make_response(body), Backup)


def present(body: bytes | object) -> Backup:
    return decode_present(make_response(body), Backup)


def listed(body: bytes | object) -> list[Backup]:
    return decode_list(make_response(body), Backup)


NO_JSON = [
    b"<html>sorry</html>",
    b'{"id": 7',
    b'[{"id": 7}, ',
    b'{"id": "\xff"}',
    b'{"id": "\\ud83d"}',
    b"\xff",
    b"\xef\xbb\xbf",
    b"NaN",
    b'{"id": 7, "x": NaN}',
    b'{"id": 7, "status": "a\tb"}',
    b"{'id': 7}",
]
NOTHING = [b"", b" \r\n\t", b"null", b"{}", b"[]", b'{"backup": null}', b'{"backup": {}}', b'{"backup": []}']
NO_THING = [
    b"7",
    b'"7"',
    b"true",
    b"false",
    b"0",
    b'""',
    b'{"error": "x"}',
    b'{"error": null}',
    b'{"id": null}',
    b'[{"id": 7}]',
    b'{"a": 1, "b": 2}',
]
NO_ID = [None, True, False, 7.5, 2**70, "", [7], {"id": 7}]


class TestOneObject:
    @pytest.mark.parametrize(
        "body",
        [ONE, {"backup": ONE}, {"backup_run": ONE}, {"backup": ONE, "meta": {"page": 1}}, {"a": 1, "b": ONE}],
    )
    def test_an_object_can_be_bare_or_wrapped(self, body: object) -> None:
        assert one(body) == present(body) == Backup(7)

    @pytest.mark.parametrize("body", NOTHING)
    def test_an_empty_body_is_none(self, body: bytes) -> None:
        assert one(body) is None

    @pytest.mark.parametrize("body", NOTHING)
    def test_none_is_an_error_where_an_object_is_required(self, body: bytes) -> None:
        with pytest.raises(DecodeError, match="no Backup in it"):
            present(body)

    @pytest.mark.parametrize("body", [*NO_JSON, *NO_THING])
    def test_any_other_body_is_an_error(self, body: bytes) -> None:
        with pytest.raises(DecodeError):
            one(body)

    @pytest.mark.parametrize("body", [{"a": ONE, "b": ONE}, {"a": {"b": ONE}}])
    def test_an_ambiguous_body_is_an_error(self, body: object) -> None:
        with pytest.raises(DecodeError, match="an object with an id was expected"):
            one(body)


class TestAList:
    @pytest.mark.parametrize(
        "body", [[ONE], {"backups": [ONE]}, {"backup_runs": [ONE]}, {"total": 1, "backups": [ONE]}]
    )
    def test_a_list_can_be_bare_or_wrapped(self, body: object) -> None:
        assert listed(body) == [Backup(7)]

    def test_each_item_can_be_wrapped(self) -> None:
        assert listed([{"backup": {"id": 1}}, {"id": 2}]) == [Backup(1), Backup(2)]

    @pytest.mark.parametrize("body", [b"null", b"[]", b'{"backups": []}', b'{"backups": null}'])
    def test_a_list_can_be_empty(self, body: bytes) -> None:
        assert listed(body) == []

    @pytest.mark.parametrize(
        "body",
        [
            *NO_JSON,
            b"",
            b"  \n",
            b"7",
            b'"x"',
            b"{}",
            b'{"error": "x"}',
            b'{"errors": []}',
            b'{"id": null}',
            b'{"a": [], "b": []}',
            b'{"a": 1, "b": 2}',
        ],
    )
    def test_any_other_body_is_an_error(self, body: bytes) -> None:
        with pytest.raises(DecodeError):
            listed(body)

    @pytest.mark.parametrize("item", [None, 7, "7", [], {}, {"status": "done"}, {"id": None}])
    def test_an_unreadable_item_is_an_error_and_is_not_dropped(self, item: object) -> None:
        with pytest.raises(DecodeError):
            listed([ONE, item])


class TestAnActiveBackup:
    @pytest.mark.parametrize("body", [b"null", b"{}", b"[]", b'{"backup": null}', b'{"backups": []}'])
    @pytest.mark.parametrize("status", [200, 201, 203])
    def test_json_can_state_that_there_is_none(self, body: bytes, status: int) -> None:
        assert decode_active(42, make_response(body, status)) is None

    @pytest.mark.parametrize(
        ("status", "headers"),
        [
            (204, {}),
            (204, {"Content-Encoding": "gzip"}),
            (200, {"Content-Length": "0"}),
            (200, {"Content-Length": "0", "Content-Encoding": "identity"}),
        ],
    )
    def test_the_headers_can_state_that_there_is_none(self, status: int, headers: dict[str, str]) -> None:
        assert decode_active(42, make_response(b"", status, headers)) is None

    @pytest.mark.parametrize(
        ("status", "headers"),
        [
            (200, {}),
            (200, {"Content-Length": "10"}),
            (200, {"Content-Length": "0", "Content-Encoding": "gzip"}),
            (202, {"Content-Length": "0"}),
        ],
    )
    def test_an_unannounced_empty_body_is_an_error(self, status: int, headers: dict[str, str]) -> None:
        with pytest.raises(DecodeError, match="the body is empty, and the headers do not announce that"):
            decode_active(42, make_response(b"", status, headers))

    def test_a_list_of_one_is_read(self) -> None:
        assert decode_active(42, make_response([ONE])) == Backup(7)


class TestAnotherObject:
    @pytest.mark.parametrize(("asked", "told"), [(7, 8), ("7", 8), (7, "8"), ("07", 8), (7, -7), (0, 1)])
    def test_a_response_about_another_id_is_an_error(self, asked: int | str, told: int | str) -> None:
        with pytest.raises(DecodeError, match=f"about instance {told}, but instance {int(asked)} was"):
            require_same(make_response([]), "instance", asked, told)

    @pytest.mark.parametrize(
        ("asked", "told"),
        [(7, 7), ("7", 7), (7, "7"), ("007", 7), (7, None), ("a", "b"), (7, "b"), ("a", 7), ("\u0667", 8)],
    )
    def test_equal_ids_and_ids_that_are_not_numbers_are_accepted(
        self, asked: int | str, told: int | str | None
    ) -> None:
        require_same(make_response([]), "instance", asked, told)


class TestInvalidUnicode:
    def test_a_byte_order_mark_is_ignored(self) -> None:
        assert present(b"\xef\xbb\xbf" + orjson.dumps(ONE)) == Backup(7)
        assert listed(b"\xef\xbb\xbf" + orjson.dumps([ONE])) == [Backup(7)]

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            (rb"Team \ud83d", "Team \ufffd"),
            (rb"\ude00 first", "\ufffd first"),
            (rb"\ud83d\ude00 and \ud83d", "\U0001f600 and \ufffd"),
            (rb"\\ud83d \ud83d", "\\ud83d \ufffd"),
            (b"caf\xe9", "caf\ufffd"),
        ],
    )
    def test_invalid_text_affects_one_field_only(self, written: bytes, read: str) -> None:
        body = b'[{"id": 1, "name": "%s", "in": ["%s", {"%s": 1}]}, {"id": 2}]' % ((written,) * 3)
        assert listed(body) == [Backup(1, extra={"name": read, "in": [read, {read: 1}]}), Backup(2)]

    def test_a_second_id_with_invalid_text_is_none(self) -> None:
        assert present(rb'{"id": 1, "backup_instance_id": "\ud83d"}') == Backup(1)

    def test_numbers_are_read_as_in_valid_json(self) -> None:
        numbers = b'"a": 18446744073709551615, "b": 99999999999999999999999, "c": 1.5, "d": -7'
        clean, spoiled = (b'{"id": 1, "name": "%s", %s}' % (name, numbers) for name in (b"x", rb"\ud83d"))
        assert {**present(spoiled).extra, "name": "x"} == present(clean).extra

    def test_json_that_is_nested_too_deeply_is_an_error(self) -> None:
        with pytest.raises(DecodeError, match="not JSON"):
            listed(rb'[{"id": 1, "name": "\ud83d", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]")


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

    def test_null_is_the_same_as_missing(self) -> None:
        found = present({"id": 1, "status": None, "created_at": None, "colour": None})
        assert found == Backup(1, extra={"colour": None})


def distinct(model: type[ModelT]) -> dict[str, Any]:
    """A value for each field of a model, and no two alike."""
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
    raw = {name: told.isoformat() if isinstance(told, datetime) else told for name, told in fields.items()}
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
    def test_every_form_of_iso_8601_is_utc(self, text: str) -> None:
        found = present({"id": 1, "created_at": text}).created_at
        assert found == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
        assert found.utcoffset() == timedelta(0)

    def test_nanoseconds_are_cut(self) -> None:
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


class TestTheError:
    def test_the_error_has_the_path_the_content_type_and_200_bytes(self) -> None:
        response = make_response(b"<html>" + b"x" * 1000, 200, {"Content-Type": "text/html"})
        with pytest.raises(DecodeError) as caught:
            decode_one(response, Backup)
        error = caught.value
        assert (error.path, error.content_type) == (PATH, "text/html")
        assert error.excerpt == "<html>" + "x" * 194
        assert error.problem.startswith("not JSON: ")

    def test_invalid_utf_8_is_escaped(self) -> None:
        with pytest.raises(DecodeError) as caught:
            one(b"\xff\xfe")
        assert caught.value.excerpt == "\\xff\\xfe"

    def test_an_echoed_secret_is_redacted(self) -> None:
        body = b"x" * 190 + b"static-token is what you sent"
        with pytest.raises(DecodeError) as caught:
            decode_one(make_response(body, 200, None, "static-token"), Backup)
        assert caught.value.excerpt == "x" * 190 + "[secret] i"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "status", "created_at", "extra", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values, st.sampled_from([one, present, listed]))
def test_any_json_is_read_or_a_decode_error(value: Any, decode: Callable[[object], object]) -> None:
    try:
        found = decode(orjson.dumps(value))
    except DecodeError as error:
        assert str(error)  # noqa: PT017 - it may be raised, and then it can be read
    else:
        assert found is None or isinstance(found, Backup | list)


@given(st.binary())
def test_any_bytes_are_read_or_a_decode_error(body: bytes) -> None:
    try:
        found = listed(body)
    except DecodeError as error:
        assert len(error.excerpt.encode()) <= 200  # noqa: PT017 - it may be raised, and then it is short
    else:
        assert isinstance(found, list)


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
