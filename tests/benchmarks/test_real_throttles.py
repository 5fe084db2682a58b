"""The table of real throttles, without running one: limits, configurations, packages, and what is missed."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.benchmarks.rate.real import __main__ as real
from tests.benchmarks.rate.real import limits
from tests.benchmarks.rate.real.clients import Run
from tests.benchmarks.rate.real.packages import NPM, Needs, install, reason_to_skip
from tests.benchmarks.rate.real.table import Row, failures, line
from tests.benchmarks.rate.real.throttles import NAMED, THROTTLES, Throttle

BUCKET = NAMED["nginx 50/s burst 20 nodelay"]


def test_a_bucket_takes_a_burst_at_once_and_then_its_rate() -> None:
    bucket = limits.bucket(50, 21)
    assert (bucket(21, 0.0), bucket(71, 0.0)) == (0.0, 1.0)


def test_of_two_limits_the_tighter_one_counts() -> None:
    two = limits.both(limits.bucket(40, 201), limits.bucket(80, 11))
    assert (two(91, 0.0), two(2_201, 0.0)) == (1.0, 50.0)


def test_a_window_that_begins_with_a_call_lasts_its_whole_period() -> None:
    windows = limits.windows(300, 5)
    assert (windows(300, 3.0), windows(301, 3.0), windows(3_000, 3.0)) == (0.0, 5.0, 45.0)


def test_an_aligned_window_can_be_nearly_over_at_the_first_call() -> None:
    windows = limits.windows(300, 5, aligned=True)
    assert (windows(300, 13.0), windows(301, 13.0)) == (0.0, 2.0)


def test_a_rolling_count_gives_its_first_window_at_once_and_nothing_more_until_that_is_over() -> None:
    rolling = limits.rolling(500, 10)
    assert (rolling(500, 0.0), rolling(3_000, 0.0)) == (0.0, 60.0)


def test_slots_in_flight_are_used_again_after_each_response() -> None:
    assert limits.in_flight(10, 0.05)(3_000, 0.0) == pytest.approx(15)


def test_calls_for_seconds_are_the_inverse_of_seconds_for_calls() -> None:
    assert limits.most(limits.bucket(50, 21), 0.0, 1.0) == 71
    assert limits.most(limits.windows(300, 5), 0.0, 4.9) == 300


def test_each_throttle_has_a_unique_name_by_which_another_process_finds_it() -> None:
    assert len(NAMED) == len(THROTTLES)


@pytest.mark.parametrize("throttle", THROTTLES, ids=lambda throttle: throttle.name)
def test_each_setting_of_a_configuration_is_filled_in(throttle: Throttle) -> None:
    text = throttle.config(port=1234, backend=5678)
    assert not any(f"@{name}@" in text for name in (*throttle.settings, "port", "backend"))
    if throttle.software.source in ("nginx.conf", "haproxy.cfg"):
        assert "127.0.0.1:1234" in text
        assert "127.0.0.1:5678" in text
        assert all(str(value) in text for value in throttle.settings.values())


def test_throttles_that_are_not_installed_are_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert real.main(["--packages", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    rows = dict(row.strip("| ").split(" | ") for row in printed.splitlines() if "skipped: " in row)
    assert {name.strip() for name in rows} == set(NAMED)
    assert rows[BUCKET.name.ljust(48)] == "skipped: no nginx on the PATH"
    flask = rows["Flask-Limiter, 300 per 5 s".ljust(48)]
    assert flask == "skipped: pip packages that are not installed: flask, flask-limiter, waitress"
    assert f"0 missed, {len(THROTTLES)} skipped." in printed


def test_only_missing_packages_are_named(tmp_path: Path) -> None:
    (tmp_path / "npm" / "node_modules" / "express").mkdir(parents=True)
    needs = Needs(sys.executable, ("express", "express-rate-limit"), NPM)
    assert reason_to_skip(needs, tmp_path) == "npm packages that are not installed: express-rate-limit"
    (tmp_path / "npm" / "node_modules" / "express-rate-limit").mkdir()
    assert reason_to_skip(needs, tmp_path) is None


def test_no_package_is_installed_if_the_program_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install(Needs("node", ("express",), NPM), tmp_path) is None
    assert not list(tmp_path.iterdir())


def row(ours: Run) -> Row:
    peer = Run(seconds=90.0, sent=6_000, accepted=2_998, errors=Counter(ClientResponseError=2))
    return Row(BUCKET, {"ours": ours, "retry only": peer})


def test_a_share_is_by_time_or_by_calls_if_the_run_was_cut() -> None:
    whole = row(Run(seconds=60.0, sent=3_000, accepted=3_000))
    assert whole.share(whole.runs["ours"]) == pytest.approx(100 * 59.58 / 60)
    cut = row(Run(seconds=60.0, sent=310, accepted=302, cut=True))
    assert cut.share(cut.runs["ours"]) == pytest.approx(100 * 302 / 3_021)


@pytest.mark.parametrize(
    ("ours", "missed"),
    [
        (Run(seconds=60.0, sent=3_000, accepted=3_000), False),
        (Run(seconds=70.0, sent=3_000, accepted=3_000), True),
        (Run(seconds=60.0, sent=3_001, accepted=2_999, errors=Counter(ServerError=1)), True),
        (Run(seconds=60.0, sent=310, accepted=302, cut=True), True),
    ],
    ids=["near the limit", "too slow", "a call lost", "stalled"],
)
def test_a_row_is_missed_if_our_client_is_too_slow_or_fails_a_call(ours: Run, missed: bool) -> None:
    assert row(ours).missed == missed
    assert ("missed" in line(row(ours))) == missed


def test_a_run_of_a_few_seconds_is_not_judged_by_its_share() -> None:
    assert not row(Run(seconds=9.0, sent=300, accepted=300)).missed


def test_a_run_that_reached_no_limit_is_marked() -> None:
    assert "not reached / 0.0 / 0 / 0.1 s" in line(row(Run(seconds=0.1, sent=20, accepted=20)))


def test_a_throttle_that_is_installed_but_does_not_start_is_a_miss() -> None:
    broken = Row(BUCKET, reason="cannot be started: nginx: [emerg] unknown directive", broken=True)
    assert broken.missed
    assert "unknown directive" in line(broken)


def test_the_errors_of_failed_calls_are_shown_for_each_client() -> None:
    ours = Run(seconds=60.0, sent=3_001, accepted=2_999, errors=Counter(ServerError=1))
    assert failures(row(ours)) == [
        f"{BUCKET.name}, ours: 1 ServerError",
        f"{BUCKET.name}, retry only: 2 ClientResponseError",
    ]
