"""Requests and responses as values, and ids in paths."""

import tracemalloc
from enum import IntEnum, StrEnum
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._transport.request import Request
from backupify_async.ids import identifier, instance_key
from tests.support.transport_values import make_request, make_response

TEMPLATE = "/v1/backup_instances/{instance_id}/backups/{backup_id}"


class Number(IntEnum):
    ONE = 1


class Name(StrEnum):
    ONE = "a/b"


class TestAnId:
    @pytest.mark.parametrize(
        ("value", "path"),
        [
            *((42, "42"), ("42", "42"), (0, "0"), (-1, "-1"), (10**30, "1" + "0" * 30), ("007", "007")),
            *(
                ("a/b", "a%2Fb"),
                ("a b", "a%20b"),
                (" ", "%20"),
                ("ü", "%C3%BC"),
                ("%2F", "%252F"),
                ("?#", "%3F%23"),
            ),
            *(
                ("...", "..."),
                (".a", ".a"),
                ("%2e%2e", "%252e%252e"),
                ("a\\b", "a%5Cb"),
                ("\u2028", "%E2%80%A8"),
            ),
            *((Number.ONE, "1"), (Name.ONE, "a%2Fb"), ("{0}", "%7B0%7D")),
        ],
    )
    def test_that_is_an_int_is_its_digits_and_a_text_is_quoted(self, value: object, path: str) -> None:
        assert identifier(value) == path

    @pytest.mark.parametrize(
        "value", ["", ".", "..", "\n", "a\x00", "a\tb", "\x7f", "a\x85", "42\r\nHost: x"]
    )
    def test_that_would_change_the_path_is_refused_by_name(self, value: str) -> None:
        with pytest.raises(ValueError, match=r"^backup_id must not be empty") as caught:
            identifier(value, "backup_id")
        assert repr(value) in str(caught.value)

    @pytest.mark.parametrize("value", ["\ud800", "a\udcffb"])
    def test_with_a_lone_surrogate_is_refused_by_name(self, value: str) -> None:
        with pytest.raises(ValueError, match=r"^backup_id is not valid Unicode"):
            identifier(value, "backup_id")

    @pytest.mark.parametrize("value", [None, True, False, 1.0, float("nan"), b"42", [42], (), object])
    def test_of_another_type_is_refused_by_name(self, value: object) -> None:
        with pytest.raises(TypeError, match=r"^backup_id must be an int or a str, not "):
            identifier(value, "backup_id")

    @given(st.text() | st.integers())
    def test_that_is_accepted_can_be_read_back(self, value: str | int) -> None:
        try:
            path = identifier(value)
        except ValueError:
            return
        assert unquote(path) == str(value)
        assert path.isascii()
        assert not set(path) & set("/?#\\ ")


class TestTheKeyOfAnInstance:
    @pytest.mark.parametrize("value", [42, "42", "042", "00000042"])
    def test_is_the_number_of_its_digits(self, value: object) -> None:
        assert instance_key(value) == "42"

    @pytest.mark.parametrize("value", [0, "0", "000"])
    def test_of_only_zeros_is_one_zero(self, value: object) -> None:
        assert instance_key(value) == "0"

    def test_can_have_more_digits_than_python_converts(self) -> None:
        assert instance_key("0" + "7" * 5_000) == instance_key("7" * 5_000) == "7" * 5_000

    @pytest.mark.parametrize(
        "value", ["+42", " 42", "42 ", "4_2", "-042", "42.0", "0x2a", "٤٢", "²", "a/042"]
    )
    def test_of_an_id_that_is_not_all_ascii_digits_is_its_form_in_the_path(self, value: str) -> None:
        assert instance_key(value) == identifier(value)
        assert instance_key(value) not in ("42", "2")

    @pytest.mark.parametrize("value", ["", "..", None, 1.5, True])
    def test_of_an_invalid_id_is_refused(self, value: object) -> None:
        with pytest.raises((TypeError, ValueError), match="backup_instance_id must"):
            instance_key(value)


class TestARequest:
    def test_a_get_fills_its_template(self) -> None:
        request = Request.get(TEMPLATE, instance_id="a/b", backup_id=7)
        assert request == Request("GET", "/v1/backup_instances/a%2Fb/backups/7", repeatable=True)

    def test_a_bad_id_is_named_as_the_template_names_it(self) -> None:
        with pytest.raises(ValueError, match=r"^backup_id must not be empty"):
            Request.get(TEMPLATE, instance_id=1, backup_id="..")

    def test_a_query_leaves_out_what_is_none(self) -> None:
        request = Request.get("/v1/x", query={"a": None, "b": 1, "c d": "e&f", "g": ""})
        assert request.target == "/v1/x?b=1&c+d=e%26f&g="

    def test_without_a_query_there_is_no_question_mark(self) -> None:
        assert Request.get("/v1/x", query={"a": None}).target == "/v1/x"

    def test_a_post_is_never_sent_twice(self) -> None:
        request = Request.post("/v1/x/{id}", id=1, answers=frozenset({409}))
        assert request == Request("POST", "/v1/x/1", repeatable=False, answers=frozenset({409}))


class TestWhatIsShown:
    def test_a_request_shows_no_header_body_or_secret(self) -> None:
        assert "s3cret" not in repr(make_request("s3cret"))

    def test_a_response_shows_neither_body_nor_request(self) -> None:
        assert "s3cret" not in repr(make_response(b"s3cret", 200, None, "s3cret"))

    def test_an_excerpt_is_200_bytes_without_the_secrets(self) -> None:
        response = make_response(b"a=s3cret b=t0ken " + b"x" * 999, 400, None, "s3cret", "t0ken")
        assert response.excerpt == "a=[secret] b=[secret] " + "x" * 178

    def test_a_secret_is_concealed_before_the_excerpt_is_cut(self) -> None:
        assert "s3c" not in make_response(b"x" * 197 + b"s3cret", 400, None, "s3cret").excerpt

    @pytest.mark.parametrize("echo", ["a/b+c=", "a%2Fb%2Bc%3D", "a\\/b+c="])
    def test_a_secret_is_concealed_in_any_spelling(self, echo: str) -> None:
        response = make_response(echo.encode(), 400, {"Content-Type": f"x; {echo}"}, "a/b+c=")
        assert (response.excerpt, response.content_type) == ("[secret]", "x; [secret]")

    def test_bytes_that_are_no_text_are_escaped(self) -> None:
        assert make_response(b"\xff" * 999, 400).excerpt == "\\xff" * 50

    def test_unprintable_characters_are_escaped_wherever_a_response_is_shown(self) -> None:
        evil = "x\nCRITICAL root \x1b[2J\x7f\x9b\u2028\u202e"
        shown = "x\\nCRITICAL root \\x1b[2J\\x7f\\x9b\\u2028\\u202e"
        response = make_response(evil.encode(), 400, {"Content-Type": evil})
        assert (response.excerpt, response.content_type) == (shown, shown)
        assert response.request.conceal(f"{evil}\ud800") == f"{shown}\\ud800"
        assert make_response(b"\x1b" * 999, 400).excerpt == "\\x1b" * 50

    def test_an_excerpt_of_a_large_body_does_not_copy_the_body(self) -> None:
        response = make_response(b"x" * 4 * 2**20, 200, None, "s3cret")
        tracemalloc.start()
        try:
            assert response.excerpt == "x" * 200
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 2**20

    def test_the_content_type_can_be_missing(self) -> None:
        assert make_response().content_type == ""
        assert make_response(b"", 200, {"content-type": "text/html"}).content_type == "text/html"
