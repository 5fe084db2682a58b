"""How a Retry-After header is read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._transport.retry_after import http_date, read_retry_after
from tests.support.transport_values import make_response

NOW = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
IN_TEN = ["Sun, 06 Nov 1994 08:49:47 GMT", "Sunday, 06-Nov-94 08:49:47 GMT", "Sun Nov  6 08:49:47 1994"]
PIECES = "Sun Sun, Sunday, 6 06 Nov 1994 94 06-Nov-94 GMT +9999 -0000 8:49 24:61:99 99999999999 - , : 0 Jan,"


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0.0),
            ("7", 7.0),
            (" 7\t", 7.0),
            ("007", 7.0),
            ("1.5", 1.5),
            ("2.", 2.0),
            ("604800", 604_800.0),
        ],
    )
    def test_seconds_can_have_fractions(self, value: str, seconds: float) -> None:
        assert read_retry_after(value, None, NOW) == seconds

    @pytest.mark.parametrize("value", IN_TEN)
    def test_a_date_is_read_by_our_clock_if_the_server_names_no_date(self, value: str) -> None:
        assert read_retry_after(value, None, NOW) == 10.0

    @pytest.mark.parametrize("value", IN_TEN)
    @pytest.mark.parametrize("date", ["Sun, 06 Nov 1994 08:49:45 GMT", "Sun Nov  6 08:49:45 1994"])
    def test_a_date_is_read_by_the_date_of_the_response(self, value: str, date: str) -> None:
        assert read_retry_after(value, date, NOW + timedelta(days=400)) == 2.0

    def test_an_unreadable_date_of_the_response_is_ignored(self) -> None:
        assert read_retry_after(IN_TEN[0], "yesterday", NOW) == 10.0

    @pytest.mark.parametrize(
        "value",
        [
            *("", " ", "-1", "+1", "nan", "inf", "1e3", "0x10", "1,5", "1 2", "٣", "soon", "1;2"),
            *("604801", "9" * 400, "9" * 5000),
            *(
                "Sun, 06 Nov 1994 08:49:37 GMT",
                "Sun, 06 Nov 1994 08:49:36 GMT",
                "Mon, 01 Jan 0001 00:00:00 GMT",
            ),
            *(
                "Sun, 06 Nov 2094 08:49:37 GMT",
                "Fri, 31 Dec 99999 23:59:59 GMT",
                "Sun, 99 Nov 1994 08:49:47 GMT",
            ),
        ],
    )
    def test_any_other_value_is_ignored(self, value: str) -> None:
        assert read_retry_after(value, None, NOW) is None

    def test_the_name_of_the_header_is_case_insensitive(self) -> None:
        assert make_response(b"Retry later", 429, {"retry-after": "5"}).retry_after == 5.0
        assert make_response(b"Retry later", 429).retry_after is None

    @given(st.text(), st.none() | st.text())
    def test_any_text_is_read_without_an_error(self, value: str, date: str | None) -> None:
        seconds = read_retry_after(value, date, NOW)
        assert seconds is None or 0 <= seconds <= 604_800

    @given(st.lists(st.sampled_from(PIECES.split()), max_size=7).map(" ".join))
    def test_any_pieces_of_dates_are_read_without_an_error(self, value: str) -> None:
        seconds = read_retry_after(value, value, NOW)
        assert seconds is None or 0 <= seconds <= 604_800


class TestHttpDate:
    @pytest.mark.parametrize("value", [None, "", "06 Nov", "Sun, 06 Nov 1994 25:00:00 GMT"])
    def test_anything_else_is_none(self, value: str | None) -> None:
        assert http_date(value) is None

    @pytest.mark.parametrize("value", ["Sun, 06 Nov 1994 08:49:37 -0000", "Sun Nov  6 08:49:37 1994"])
    def test_a_date_without_a_zone_is_utc(self, value: str) -> None:
        assert http_date(value) == NOW
