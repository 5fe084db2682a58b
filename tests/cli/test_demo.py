"""`backupify demo`."""

import attrs
import pytest

from backupify_async._cli import demo_walkthrough
from backupify_async._cli.exit_codes import ExitCode
from backupify_async._cli.rate_messages import limit_explanation
from backupify_async.statistics import LimitSource
from backupify_async.testing import Fault
from tests.support.commands import QUIET, Run
from tests.support.processes import Terminal, finish, process

pytestmark = pytest.mark.slow


@pytest.fixture
def small_and_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same walkthrough, with fewer instances and a faster server."""
    monkeypatch.setattr(demo_walkthrough, "_INSTANCES", 50)
    monkeypatch.setattr(demo_walkthrough, "_ALREADY_ACTIVE", range(5, 50, 17))
    monkeypatch.setattr(demo_walkthrough, "_SERVER_RATE", 2_000)


class TestWalkthrough:
    def test_it_prints_each_step_and_its_result(self) -> None:
        with process("demo") as started:
            result = finish(started)
        assert (result.code, result.err) == (0, "")
        for text in (
            "200 instances",
            "187 idle, 12 active, 1 failed",
            "186 started, 12 active, 1 adopted, 1 failed",
            "199 active, 1 failed",
            "Throughput",
            " calls/s, found by the client from 429 responses alone",
            "(the server allows 120 calls/s)",
            "began at that limit, by SharedState: 20",
            "refused with 429, and sent again",
            "sent again after another failure",
            "Slowest",
            "instance 13: list, active, trigger, active: 403",
            "Every instance is accounted for, and no backup was started twice.",
        ):
            assert text in result.out
        assert "\x1b" not in result.out
        assert max(map(len, result.rows)) <= 100

    def test_a_terminal_shows_the_progress(self) -> None:
        with Terminal(("demo",), columns=80) as terminal:
            terminal.expect("list: ")
            terminal.expect(" backups")
            terminal.process.send_signal(2)
            assert terminal.end() == 130
        assert terminal.seen.rstrip().endswith("backupify: interrupted")
        assert terminal.seen.count("\x1b[?25l") == terminal.seen.count("\x1b[?25h")

    @pytest.mark.usefixtures("small_and_fast")
    def test_an_unexpected_result_is_reported(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        extra = Fault.answer(404, body="gone", operation="trigger", instance=2)
        monkeypatch.setattr(demo_walkthrough, "_FAULTS", (extra, *demo_walkthrough._FAULTS))
        result = run("demo")
        assert result.code == ExitCode.SOME_FAILED
        assert "Unexpected: trigger: 2 instances failed" in result.out
        assert "Unexpected: not every idle instance was triggered exactly once" in result.out
        assert "Unexpected: the last step found 48 active, 1 idle" in result.out


class TestLimit:
    @pytest.mark.parametrize(
        ("source", "origin"),
        [
            (LimitSource.HEADERS, "the quota in the headers"),
            (LimitSource.WINDOW, "Retry-After"),
            (LimitSource.IN_FLIGHT, "its limit of calls in flight"),
            (LimitSource.HISTORY, "429 responses alone"),
        ],
    )
    def test_it_is_shown_with_its_source(self, source: LimitSource, origin: str) -> None:
        now = attrs.evolve(QUIET, limit_source=source, limit_per_second=119.6)
        assert limit_explanation(now) == f"about 120 calls/s, found by the client from {origin}"

    def test_it_is_shown_as_not_found_where_there_is_none(self) -> None:
        assert limit_explanation(QUIET).startswith("not found: ")
