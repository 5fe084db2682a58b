"""What the headers of a response say about a limit: its quota, and the end of a wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from backupify_async._transport.rate.headers import Quota, TimeInterval, read_quota, wait_end

WALL = 1_800_000_000.0

WEEK = 7 * 86_400.0

times = st.floats(0, 1e4)


def read(**headers: str) -> Quota | None:
    return read_quota({name.replace("_", "-"): value for name, value in headers.items()}, WALL)


class TestTheDraft:
    @pytest.mark.parametrize(
        "text",
        [
            "limit=100, remaining=50, reset=5",
            "limit=100,remaining=50,reset=5",
            "remaining=50, reset=5",
            "Limit=100, Remaining=50, Reset=5",
            "reset = 5, remaining = 50",
            "limit=100;w=60, remaining=50, reset=5",
        ],
    )
    def test_the_older_form_lists_fields(self, text: str) -> None:
        assert read(RateLimit=text) == Quota(50, 5)

    @pytest.mark.parametrize(
        "text", ['"default";r=50;t=5', "default; r=50; t=5", '"x";t=5;r=50', '"x";pk=:abc=:;r=50;t=5']
    )
    def test_the_newer_form_names_a_policy(self, text: str) -> None:
        assert read(RateLimit=text) == Quota(50, 5)

    def test_of_several_policies_the_tightest_applies(self) -> None:
        assert read(RateLimit='"minute";r=50;t=30, "second";r=2;t=1, "day";r=900;t=9000') == Quota(2, 1)

    def test_a_repeated_header_is_one_list(self) -> None:
        headers = CIMultiDict([("RateLimit", '"minute";r=50;t=30'), ("RateLimit", '"second";r=2;t=1')])
        assert read_quota(headers, WALL) == Quota(2, 1)

    def test_of_two_equally_tight_the_longer_applies(self) -> None:
        assert read(RateLimit='"second";r=0;t=1, "minute";r=0;t=30') == Quota(0, 30)

    def test_a_policy_alone_does_not_say_what_remains(self) -> None:
        assert read(RateLimit_Policy='"default";q=100;w=60') is None

    def test_a_remaining_without_a_reset_is_ignored(self) -> None:
        assert [read(RateLimit=text) for text in ('"x";r=5', '"x";t=5', "remaining=5", "")] == [None] * 4


class TestTheOlderHeaders:
    @pytest.mark.parametrize("family", ["RateLimit", "X_RateLimit", "X_Rate_Limit"])
    def test_each_family_is_read(self, family: str) -> None:
        assert read(**{f"{family}_Limit": "9", f"{family}_Remaining": "7", f"{family}_Reset": "3"}) == Quota(
            7, 3
        )

    @pytest.mark.parametrize("reset", ["30", "1800000030", "1800000030000"], ids=["s", "epoch", "epoch ms"])
    def test_a_reset_is_seconds_or_an_epoch_or_one_in_milliseconds(self, reset: str) -> None:
        quota = read(X_RateLimit_Remaining="7", X_RateLimit_Reset=reset)
        assert quota is not None
        assert (quota.remaining, quota.reset) == (7, 30)

    @pytest.mark.parametrize(
        ("reset", "date", "seconds"),
        [
            ("1800000030", None, 1.0),
            ("1800000030", "Fri, 15 Jan 2027 08:00:00 GMT", 3.0),
            ("1800000030.25", None, 1.0),
            ("1800000030250", None, 0.0),
            ("1800000030250", "Fri, 15 Jan 2027 08:00:00 GMT", 2.0),
        ],
        ids=["seconds", "seconds, by a Date", "a fraction", "ms", "ms, by a Date"],
    )
    def test_an_epoch_in_seconds_is_rounded_and_so_is_a_date(
        self, reset: str, date: str | None, seconds: float
    ) -> None:
        dated = {} if date is None else {"Date": date}
        quota = read(X_RateLimit_Remaining="7", X_RateLimit_Reset=reset, **dated)
        assert quota is not None
        assert quota.rounding == seconds

    def test_fractions_of_a_second_are_read(self) -> None:
        assert read(X_RateLimit_Remaining="7", X_RateLimit_Reset="0.25") == Quota(7, 0.25)

    def test_what_follows_the_number_is_ignored(self) -> None:
        assert read(RateLimit_Remaining="7;w=60", RateLimit_Reset="3, 60") == Quota(7, 3)

    def test_header_names_are_case_insensitive(self) -> None:
        headers = CIMultiDict({"x-ratelimit-remaining": "7", "x-ratelimit-reset": "3"})
        assert read_quota(headers, WALL) == Quota(7, 3)


class TestContradictions:
    def test_families_that_differ_give_the_tightest(self) -> None:
        assert read(
            RateLimit="remaining=50, reset=5", X_RateLimit_Remaining="3", X_RateLimit_Reset="9"
        ) == Quota(3, 9)

    def test_an_invalid_one_does_not_affect_the_other(self) -> None:
        assert read(RateLimit="remaining=5, reset=3", RateLimit_Remaining="-1", RateLimit_Reset="x") == Quota(
            5, 3
        )

    @pytest.mark.parametrize(
        "reset",
        ["-1", "nan", "NaN", "inf", "1e10", "10000000000", "1799999999", "604801", "", " ", "soon", "٣"],
    )
    def test_an_invalid_reset_is_ignored(self, reset: str) -> None:
        assert read(X_RateLimit_Remaining="0", X_RateLimit_Reset=reset) is None

    @pytest.mark.parametrize("remaining", ["-1", "nan", "", "many"])
    def test_an_invalid_remaining_is_ignored(self, remaining: str) -> None:
        assert read(X_RateLimit_Remaining=remaining, X_RateLimit_Reset="5") is None


class TestWhenAWaitEnds:
    def test_whole_seconds_are_read_as_rounded_up(self) -> None:
        assert wait_end(10.5, 10.0, 5.0, rounded_down=False) == TimeInterval(14.0, 15.5)

    def test_whole_seconds_are_read_as_rounded_down_where_that_was_proven(self) -> None:
        assert wait_end(10.5, 10.0, 5.0, rounded_down=True) == TimeInterval(15.0, 16.5)

    def test_a_fraction_is_exact(self) -> None:
        assert wait_end(10.5, 10.0, 2.5, rounded_down=False) == TimeInterval(12.5, 13.0)

    def test_two_intervals_can_intersect(self) -> None:
        assert TimeInterval(1, 5).intersect(TimeInterval(3, 9)) == TimeInterval(3, 5)

    def test_disjoint_intervals_do_not_intersect(self) -> None:
        assert TimeInterval(1, 2).intersect(TimeInterval(3, 9)) is None

    @given(times, st.floats(0, 2), st.integers(0, 100), st.floats(0, 1), st.booleans())
    def test_the_true_end_is_inside_the_interval(
        self, sent_time: float, taken: float, whole: int, at: float, rounded_down: bool
    ) -> None:
        end = sent_time + at * taken + whole + (0.5 if rounded_down else -0.5)
        span = wait_end(sent_time + taken, sent_time, float(whole), rounded_down=rounded_down)
        assert span.low - 1e-6 <= end <= span.high + 1e-6


numbers = st.one_of(
    st.floats().map(str), st.integers(-(10**15), 10**15).map(str), st.text(max_size=6), st.just("9" * 400)
)

structured = st.lists(
    st.tuples(
        st.sampled_from(["remaining", "reset", "r", "t", '"x"', "limit", ""]), numbers, st.sampled_from(";, ")
    )
).map(lambda parts: "".join(f"{name}={number}{end}" for name, number, end in parts))


@given(
    st.dictionaries(
        st.sampled_from(
            ["RateLimit-Remaining", "RateLimit-Reset", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
        ),
        numbers,
    ),
    st.one_of(structured, st.text()),
    st.floats(0, 1e11),
)
def test_any_text_is_read_without_an_error_and_gives_a_possible_quota(
    headers: dict[str, str], text: str, wall: float
) -> None:
    quota = read_quota({"RateLimit": text, **headers}, wall)
    assert quota is None or (0 <= quota.reset <= WEEK and quota.remaining >= 0)
