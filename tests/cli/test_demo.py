import attrs
import pytest

from backupify_async._cli import demo
from backupify_async._cli.demo_report import in_words
from backupify_async._cli.exit_codes import ExitCode
from backupify_async.statistics import LimitSource
from backupify_async.testing import Fault
from tests.support.commands import QUIET, Run
from tests.support.processes import Terminal, finish, process

pytestmark = pytest.mark.slow


@pytest.fixture
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same story, with fewer instances and a faster server."""
    monkeypatch.setattr(demo, "_INSTANCES", 50)
    monkeypatch.setattr(demo, "_RUNNING_BEFORE", range(5, 50, 17))
    monkeypatch.setattr(demo, "_SERVER_RATE", 2_000)


class TestStory:
    def test_it_goes_as_told(self) -> None:
        with process("demo") as started:
            result = finish(started)
        assert (result.code, result.err) == (0, "")
        for said in (
            "200 instances",
            "187 idle, 12 active, 1 failed",
            "186 started, 12 active, 1 adopted, 1 failed",
            "199 active, 1 failed",
            "Throughput",
            " calls a second: found by the client, from its refusals",
            "(the server allows 120, and told nobody)",
            "refused for now (429), and sent again",
            "sent again after another failure",
            "Slowest",
            "instance 13: list, active, trigger, active: answered 403",
            "All accounted for, and no backup was started twice.",
        ):
            assert said in result.out
        assert "\x1b" not in result.out
        assert max(map(len, result.rows)) <= 100

    def test_a_terminal_sees_how_far_it_is(self) -> None:
        with Terminal(("demo",), columns=80) as terminal:
            terminal.expect("list: ")
            terminal.expect(" backups")
            terminal.process.send_signal(2)
            assert terminal.end() == 130
        assert terminal.seen.rstrip().endswith("backupify: interrupted")
        assert terminal.seen.count("\x1b[?25l") == terminal.seen.count("\x1b[?25h")

    @pytest.mark.usefixtures("in_haste")
    def test_what_does_not_go_as_told_is_told(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        more = Fault.answer(404, body="gone", operation="trigger", instance=2)
        monkeypatch.setattr(demo, "_FAULTS", (more, *demo._FAULTS))
        result = run("demo")
        assert result.code == ExitCode.SOME_FAILED
        assert "Not as it should be: trigger: 2 instances failed" in result.out
        assert "Not as it should be: not every idle instance was triggered once" in result.out
        assert "Not as it should be: in the end there are 48 active, 1 idle" in result.out


class TestLimit:
    @pytest.mark.parametrize(
        ("source", "ground"),
        [
            (LimitSource.HEADERS, "what was announced"),
            (LimitSource.WINDOW, "the waits it was told"),
            (LimitSource.IN_FLIGHT, "how many calls it takes at once"),
            (LimitSource.HISTORY, "its refusals"),
        ],
    )
    def test_it_is_told_with_its_ground(self, source: LimitSource, ground: str) -> None:
        now = attrs.evolve(QUIET, limit_source=source, limit_per_second=119.6)
        assert in_words(now) == f"about 120 calls a second: found by the client, from {ground}"

    def test_where_there_is_none_nothing_is_made_up(self) -> None:
        assert in_words(QUIET).startswith("not found: ")
