"""Responses to models: objects, lists, the active backup, invalid Unicode, and errors."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import Backup, DecodeError
from backupify_async._codec.decode import decode_active, decode_one, require_same
from tests.codec.backups import listed, one, present
from tests.support.transport_values import PATH, make_response

ONE = {"id": 7}


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


EMPTY = [b"", b" \r\n\t", b"null", b"{}", b"[]", b'{"backup": null}', b'{"backup": {}}', b'{"backup": []}']


NO_OBJECT = [
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


class TestOneObject:
    @pytest.mark.parametrize(
        "body",
        [ONE, {"backup": ONE}, {"backup_run": ONE}, {"backup": ONE, "meta": {"page": 1}}, {"a": 1, "b": ONE}],
    )
    def test_an_object_can_be_bare_or_wrapped(self, body: object) -> None:
        assert one(body) == present(body) == Backup(7)

    @pytest.mark.parametrize("body", EMPTY)
    def test_an_empty_body_is_none(self, body: bytes) -> None:
        assert one(body) is None

    @pytest.mark.parametrize("body", EMPTY)
    def test_none_is_an_error_if_an_object_is_required(self, body: bytes) -> None:
        with pytest.raises(DecodeError, match="no Backup in it"):
            present(body)

    @pytest.mark.parametrize("body", [*NO_JSON, *NO_OBJECT])
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


def mismatch(requested: int | str, received: int | str | None) -> DecodeError | None:
    """The error of a response about instance `received`; None if it is accepted."""
    try:
        require_same(make_response([]), "instance", requested, received)
    except DecodeError as error:
        return error
    return None


class TestAnotherObject:
    @pytest.mark.parametrize(
        ("requested", "received"), [(7, 8), ("7", 8), (7, "8"), ("07", 8), (7, -7), (0, 1)]
    )
    def test_a_response_about_another_id_is_an_error(self, requested: int | str, received: int | str) -> None:
        message = f"about instance {received}, but instance {int(requested)} was"
        assert message in str(mismatch(requested, received))

    @pytest.mark.parametrize(
        ("requested", "received"),
        [(7, 7), ("7", 7), (7, "7"), ("007", 7), (7, None), ("a", "b"), (7, "b"), ("a", 7), ("\u0667", 8)],
    )
    def test_equal_ids_and_ids_that_are_not_numbers_are_accepted(
        self, requested: int | str, received: int | str | None
    ) -> None:
        assert mismatch(requested, received) is None


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
    def test_invalid_text_affects_only_its_field(self, written: bytes, read: str) -> None:
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
        assert str(error)  # noqa: PT017 - it need not be raised
    else:
        assert found is None or isinstance(found, Backup | list)


@given(st.binary())
def test_any_bytes_are_read_or_a_decode_error(body: bytes) -> None:
    try:
        found = listed(body)
    except DecodeError as error:
        assert len(error.excerpt.encode()) <= 200  # noqa: PT017 - it need not be raised
    else:
        assert isinstance(found, list)
