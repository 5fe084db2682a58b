"""The progress line and the summary of a command."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs
import pytest

from backupify_async import AuthenticationError, RequestTimeout, Statistics
from backupify_async._cli.command_progress import CommandProgress
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.plurals import count_of
from backupify_async.statistics import LimitSource, SpeedReason
from tests.support.commands import QUIET

pytestmark = pytest.mark.looptime


def always(statistics: Statistics) -> Callable[[], Statistics]:
    return lambda: statistics


class TestStatus:
    async def test_a_known_total_is_shown_as_a_bar(self) -> None:
        progress = CommandProgress("active", always(QUIET))
        progress.total, progress.succeeded = lambda: 1_200, 600
        assert progress.status(80) == "active [#####.....] 600 of 1,200, 0.0 calls/s, 0 in flight"

    async def test_more_than_the_total_fills_the_bar(self) -> None:
        progress = CommandProgress("active", always(QUIET))
        progress.total, progress.succeeded = lambda: 3, 4
        assert "[##########] 4 of 3" in progress.status(80)

    async def test_failures_throttled_and_retried_calls_are_counted(self) -> None:
        progress = CommandProgress(
            "list", always(attrs.evolve(QUIET, requests=50, refused=2, retried=3, in_flight=9))
        )
        progress.add_failure(ValueError())
        await asyncio.sleep(10)
        assert progress.status(200) == (
            "list 1 done, 1 failed, 5.0 calls/s, 2 throttled, 3 retried, 9 in flight"
        )

    async def test_the_rate_is_the_present_one(self) -> None:
        requests = 0
        progress = CommandProgress("list", lambda: attrs.evolve(QUIET, requests=requests))
        for _ in range(30):
            await asyncio.sleep(1)
            requests += 100
            progress.status(200)
        await asyncio.sleep(10)
        assert ", 0.0 calls/s" in progress.status(200)

    async def test_triggers_whose_response_was_lost_are_counted(self) -> None:
        progress = CommandProgress("trigger", always(attrs.evolve(QUIET, reconciling=1_003)))
        assert progress.status(200) == "trigger 0 done, reconciling 1,003, 0.0 calls/s, 0 in flight"

    async def test_backups_that_are_waited_for_are_counted(self) -> None:
        progress = CommandProgress("trigger", always(attrs.evolve(QUIET, waited_for=2)))
        assert progress.status(200) == "trigger 0 done, waiting for 2, 0.0 calls/s, 0 in flight"

    @pytest.mark.parametrize("reason", [SpeedReason.RETRY_AFTER, SpeedReason.QUOTA, SpeedReason.FINDING])
    async def test_a_pause_is_shown_with_its_reason(self, reason: SpeedReason) -> None:
        until = datetime.now(UTC) + timedelta(seconds=4.9)
        progress = CommandProgress(
            "list", always(attrs.evolve(QUIET, paused_until=until, speed_reason=reason))
        )
        assert f" calls/s, paused for 5 s: {reason.value}, " in progress.status(200)

    async def test_a_server_that_is_down_is_shown(self) -> None:
        since = datetime.now(UTC) - timedelta(seconds=12.1)
        now = attrs.evolve(QUIET, down_since=since, speed_reason=SpeedReason.DOWN)
        assert " calls/s, server down for 12 s, " in CommandProgress("list", always(now)).status(200)

    async def test_a_shared_store_that_is_away_is_shown(self) -> None:
        since = datetime.now(UTC) - timedelta(seconds=12.1)
        progress = CommandProgress("list", always(attrs.evolve(QUIET, store_away=since)))
        assert " calls/s, shared store away for 12 s, " in progress.status(200)
        assert "; shared store away for 12 s; " in progress.summary()

    async def test_the_time_between_two_calls_is_not_a_pause(self) -> None:
        until = datetime.now(UTC) + timedelta(seconds=0.1)
        progress = CommandProgress("list", always(attrs.evolve(QUIET, paused_until=until)))
        assert progress.status(200).endswith(" calls/s, 0 in flight")

    @pytest.mark.parametrize("reason", [SpeedReason.FINDING, SpeedReason.AT_LIMIT, SpeedReason.ASKING])
    async def test_it_shows_the_reason_for_the_present_rate(self, reason: SpeedReason) -> None:
        progress = CommandProgress("list", always(attrs.evolve(QUIET, speed_reason=reason)))
        assert f" calls/s, {reason.value}, " in progress.status(200)

    async def test_with_verbose_the_limit_is_shown_in_eighty_columns(self) -> None:
        now = attrs.evolve(
            QUIET, limit_source=LimitSource.HISTORY, limit_per_second=83.14, speed_reason=SpeedReason.AT_LIMIT
        )
        progress = CommandProgress("active", always(now))
        progress.total, progress.verbose = lambda: 12_000, True
        assert progress.status(79) == (
            "active 0 of 12,000, 0.0 calls/s, at the limit, about 83.1/s (history)"
        )

    async def test_not_limited_is_shown_only_with_verbose(self) -> None:
        progress = CommandProgress("active", always(QUIET))
        assert progress.status(200) == "active 0 done, 0.0 calls/s, 0 in flight"
        progress.verbose = True
        assert progress.status(200) == "active 0 done, 0.0 calls/s, not limited, 0 in flight"

    async def test_a_part_that_does_not_fit_is_omitted_whole(self) -> None:
        progress = CommandProgress("active", always(attrs.evolve(QUIET, refused=1_234, retried=5)))
        for columns in range(14, 80):
            assert {*progress.status(columns).split(", ")} <= {*progress.status(200).split(", ")}

    async def test_it_is_cut_to_the_width_of_the_terminal(self) -> None:
        assert CommandProgress("active", always(QUIET)).status(12) == "active 0 don"


class TestSummary:
    async def test_it_is_one_line(self) -> None:
        progress = CommandProgress("active", always(attrs.evolve(QUIET, requests=1_201, refused=1)))
        progress.succeeded = 1_200
        progress.found.update(idle=1_190, active=10)
        progress.add_failure(ValueError())
        await asyncio.sleep(2.5)
        assert progress.summary() == (
            "active: 1,200 succeeded (10 active, 1,190 idle), 1 failed; "
            "1,201 requests, 1 throttled, 0 retried; 2.5 s"
        )

    async def test_duplicates_are_not_failures(self) -> None:
        progress = CommandProgress("trigger", always(QUIET))
        progress.duplicates = 2
        assert progress.summary().startswith("trigger: 0 succeeded, 0 failed, 2 duplicates; ")
        assert progress.status(80).startswith("trigger 2 done")

    async def test_it_explains_once_what_the_time_out_includes(self) -> None:
        progress = CommandProgress("active", always(QUIET))
        for _ in range(2):
            progress.add_failure(
                RequestTimeout("the call took longer than total=2 s", sent=False, limit="total", seconds=2.0)
            )
        progress.add_failure(RequestTimeout("one attempt took longer than attempt=60 s"))
        assert progress.summary().endswith("; 2 timed out (--timeout includes waiting for the rate limit)")

    @pytest.mark.parametrize(
        ("source", "per_second", "text"),
        [
            (LimitSource.NONE, None, "server's limit unknown"),
            (LimitSource.HEADERS, 2.2, "server's limit about 2.2/s (headers)"),
            (LimitSource.WINDOW, 1_200.0, "server's limit about 1,200.0/s (window)"),
        ],
    )
    async def test_with_verbose_the_limit_is_shown(
        self, source: LimitSource, per_second: float | None, text: str
    ) -> None:
        progress = CommandProgress(
            "active", always(attrs.evolve(QUIET, limit_source=source, limit_per_second=per_second))
        )
        assert text not in progress.summary()
        progress.verbose = True
        assert f"; {text}; " in progress.summary()

    @pytest.mark.parametrize("reason", [SpeedReason.FINDING, SpeedReason.NOT_LIMITED])
    async def test_with_verbose_an_accepted_rate_is_not_shown_as_the_limit(self, reason: SpeedReason) -> None:
        observed = attrs.evolve(QUIET, limit_source=LimitSource.HISTORY, limit_per_second=9.0)
        progress = CommandProgress("active", always(attrs.evolve(observed, speed_reason=reason)))
        progress.verbose = True
        assert "; server's limit unknown: it accepted about 9.0/s; " in progress.summary()

    async def test_time_counts_from_the_start(self) -> None:
        progress = CommandProgress("active", always(QUIET))
        await asyncio.sleep(60)
        progress.start()
        assert progress.summary().endswith("; 0.0 s")


async def test_the_most_severe_failure_decides_the_exit_code() -> None:
    progress = CommandProgress("active", always(QUIET))
    progress.add_failure(AuthenticationError("no"))
    progress.add_failure(ValueError())
    assert (progress.failed, progress.code) == (2, ExitCode.AUTHENTICATION)


@pytest.mark.parametrize(
    ("number", "what", "text"),
    [(1, "backups", "1 backup"), (2, "backups", "2 backups"), (1, "in progress", "1 in progress")],
)
def test_a_count_of_one_is_singular(number: int, what: str, text: str) -> None:
    assert count_of(number, what) == text
