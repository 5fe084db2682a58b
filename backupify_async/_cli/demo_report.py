"""Tells a person what happened, step by step: with colours on a terminal, plain where it is piped."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, assert_never

import attrs
from rich.console import RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

from backupify_async._cli.console import PipeConsole
from backupify_async._cli.tally import pace
from backupify_async._cli.text import count, in_number
from backupify_async._escaping import printable
from backupify_async._fleet.outcomes import Outcome
from backupify_async.ids import InstanceId
from backupify_async.statistics import LimitSource, Statistics

_SLOWEST = 3


@attrs.define(eq=False)
class Step:
    """One step, as far as it is.

    Attributes:
        name: What it does.
        total: How many instances it goes over; None where it finds them.
        found: What it found, counted.
        failures: What failed, and why.
        slowest: The outcomes that took longest.
        calls: Requests sent.
        throttled: Calls refused for now (429) and sent again.
        retried: Calls sent again after another failure.
        seconds: How long it took.
    """

    name: str
    total: int | None
    found: Counter[str] = attrs.field(factory=Counter)
    failures: dict[InstanceId, BaseException] = attrs.field(factory=dict)
    slowest: list[Outcome[InstanceId, Any]] = attrs.field(factory=list)
    calls: int = 0
    throttled: int = 0
    retried: int = 0
    seconds: float = 0.0

    def take(self, outcome: Outcome[InstanceId, Any], found: Counter[str]) -> None:
        """Count an instance."""
        self.found += found
        if outcome.error is not None:
            self.failures[outcome.key] = outcome.error
        self.slowest = sorted([*self.slowest, outcome], key=lambda one: -one.elapsed)[:_SLOWEST]

    def tally(self) -> str:
        """What it found, in words."""
        return ", ".join(in_number(number, what) for what, number in self.found.most_common())


class DemoReport:
    """Prints the steps as they end, and on a terminal how far the present one is."""

    def __init__(self, statistics: Callable[[], Statistics]) -> None:
        self.steps: list[Step] = []
        self._console = PipeConsole(highlight=False, markup=False, emoji=False)
        self._statistics = statistics
        self._before = statistics()
        self._began = 0.0
        self._status: Status | None = None

    def open(self, title: str, text: str) -> None:
        """Say what it is about."""
        self._print(Text.assemble("\n", (title, "bold"), "\n", text, "\n"))

    def begin(self, name: str, total: int | None) -> Step:
        """Begin a step."""
        self._before, self._began = self._statistics(), time.monotonic()
        if self._console.is_terminal:
            self._status = self._console.status(name)
            self._status.start()
        self.steps.append(Step(name, total))
        return self.steps[-1]

    def show(self) -> None:
        """Show how far the step is."""
        if self._status is not None:
            step, now = self.steps[-1], self._statistics()
            said = [f"{step.name}: {step.tally()}", *pace(now, verbose=False)]
            self._status.update(Text(", ".join(said)))

    def end(self) -> None:
        """End a step, and print its line."""
        self.stop()
        step, now, before = self.steps[-1], self._statistics(), self._before
        step.seconds = time.monotonic() - self._began
        step.calls, step.throttled = now.requests - before.requests, now.refused - before.refused
        step.retried = now.retried - before.retried
        failed = f", {len(step.failures)} failed" if step.failures else ""
        line = Text.assemble(
            (f"  {len(self.steps)} {step.name:<9} ", "bold cyan"), step.tally(), (failed, "red")
        )
        line.align("left", 57)
        rate = step.calls / max(step.seconds, 0.001)
        line.append(f"{step.calls:>4,} calls{step.seconds:>4.1f} s{rate:>4.0f}/s", "dim")
        self._print(line)

    def stop(self) -> None:
        """Take the status away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def close(
        self, *, at_once: int, allowed: str, notes: Sequence[tuple[str, str]], surprises: Sequence[str]
    ) -> None:
        """Say what it came to.

        Args:
            at_once: How many instances were called side by side.
            allowed: What the server's limit is in truth.
            notes: What was special about an instance: which, and what.
            surprises: What was not as it should have been.
        """
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        calls, seconds = sum(step.calls for step in self.steps), sum(step.seconds for step in self.steps)
        throttled = sum(step.throttled for step in self.steps)
        retried = sum(step.retried for step in self.steps)
        speed = f"{calls / seconds:.0f} a second, {at_once} instances at once"
        table.add_row("  Throughput", f"{count(calls, 'call')} in {seconds:.1f} s: {speed}")
        table.add_row("  Limit", in_words(self._statistics()))
        table.add_row("", allowed)
        table.add_row("  Throttled", f"{count(throttled, 'call')} refused for now (429), and sent again")
        table.add_row("  Retried", f"{count(retried, 'call')} sent again after another failure")
        for heading, line in self._slowest():
            table.add_row(heading, line)
        for number, (which, what) in enumerate(notes):
            table.add_row(
                "  Failed" if number == 0 else "", Text.assemble((which, "red"), ": ", printable(what))
            )
        self._print(Text(""), table, Text(""))
        for surprise in surprises:
            self._print(Text(f"Not as it should be: {surprise}", "bold red"))
        if not surprises:
            self._print(Text("All accounted for, and no backup was started twice.", "bold green"))

    def _slowest(self) -> list[tuple[str, str]]:
        ranked = sorted(
            ((one.elapsed, step.name, one) for step in self.steps for one in step.slowest),
            key=lambda entry: -entry[0],
        )
        return [
            (
                "" if number else "  Slowest",
                f"{name} of instance {one.key}: {elapsed:.2f} s, {count(one.attempts, 'call')}",
            )
            for number, (elapsed, name, one) in enumerate(ranked[:_SLOWEST])
        ]

    def _print(self, *parts: RenderableType) -> None:
        self._console.print(*parts)


def in_words(now: Statistics) -> str:
    """What the client took the server's limit to be, and from what it took it."""
    if now.limit_per_second is None or now.limit_source is LimitSource.NONE:
        return "not found: the client was refused too rarely to tell"
    match now.limit_source:
        case LimitSource.HEADERS:
            ground = "what was announced"
        case LimitSource.WINDOW:
            ground = "the waits it was told"
        case LimitSource.IN_FLIGHT:
            ground = "how many calls it takes at once"
        case LimitSource.HISTORY:
            ground = "its refusals"
        case _:
            assert_never(now.limit_source)
    return f"about {now.limit_per_second:.0f} calls a second: found by the client, from {ground}"
