"""Prints what the demo does, step by step; with colours and a status line on a terminal."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from rich.console import RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

from backupify_async._cli.console import PipeConsole
from backupify_async._cli.plurals import count, count_of
from backupify_async._cli.rate_messages import limit_explanation, rate_status
from backupify_async._escaping import printable
from backupify_async._fleet.outcomes import Outcome
from backupify_async.ids import InstanceId
from backupify_async.statistics import Statistics

_SLOWEST = 3  # outcomes that are shown
_RESULTS_WIDTH = 57  # characters; with the figures after it, a line fits into 80


@attrs.define(eq=False)
class Step:
    """One step of the demo.

    Attributes:
        name: Its name.
        found: What it found, counted.
        failures: The instances that failed, with their errors.
        slowest: The outcomes that took longest.
        calls: Requests sent.
        throttled: Calls refused by the rate limit (429) and sent again.
        retried: Calls sent again after another failure.
        seconds: Its duration.
    """

    name: str
    found: Counter[str] = attrs.field(factory=Counter)
    failures: dict[InstanceId, BaseException] = attrs.field(factory=dict)
    slowest: list[Outcome[InstanceId, Any]] = attrs.field(factory=list)
    calls: int = 0
    throttled: int = 0
    retried: int = 0
    seconds: float = 0.0

    def add(self, outcome: Outcome[InstanceId, Any], found: Counter[str]) -> None:
        """Count an instance."""
        self.found += found
        if outcome.error is not None:
            self.failures[outcome.key] = outcome.error
        self.slowest = sorted([*self.slowest, outcome], key=lambda one: -one.elapsed)[:_SLOWEST]

    def summary(self) -> str:
        """What it found, in words."""
        return ", ".join(count_of(number, what) for what, number in self.found.most_common())


class DemoReport:
    """Prints each step when it ends, and on a terminal the progress of the current one.

    Args:
        statistics: Returns the client's statistics.
    """

    def __init__(self, statistics: Callable[[], Statistics]) -> None:
        self.steps: list[Step] = []
        self._console = PipeConsole(highlight=False, markup=False, emoji=False)
        self._statistics = statistics
        self._before = statistics()
        self._started = 0.0
        self._status: Status | None = None

    def introduce(self, title: str, text: str) -> None:
        """Print the introduction."""
        self._print(Text.assemble("\n", (title, "bold"), "\n", text, "\n"))

    def begin(self, name: str) -> Step:
        """Begin a step."""
        self._before, self._started = self._statistics(), time.monotonic()
        if self._console.is_terminal:
            self._status = self._console.status(name)
            self._status.start()
        self.steps.append(Step(name))
        return self.steps[-1]

    def update(self) -> None:
        """Show the progress of the current step."""
        if self._status is not None:
            step, now = self.steps[-1], self._statistics()
            parts = [f"{step.name}: {step.summary()}", *rate_status(now, verbose=False)]
            self._status.update(Text(", ".join(parts)))

    def end(self) -> None:
        """End the current step, and print its line."""
        self.stop()
        step, now, before = self.steps[-1], self._statistics(), self._before
        step.seconds = time.monotonic() - self._started
        step.calls, step.throttled = now.requests - before.requests, now.refused - before.refused
        step.retried = now.retried - before.retried
        failed = f", {len(step.failures)} failed" if step.failures else ""
        line = Text.assemble(
            (f"  {len(self.steps)} {step.name:<9} ", "bold cyan"), step.summary(), (failed, "red")
        )
        line.align("left", _RESULTS_WIDTH)
        rate = step.calls / max(step.seconds, 0.001)
        line.append(f"{step.calls:>4,} calls {step.seconds:>3.1f} s {rate:>3.0f}/s", "dim")
        self._print(line)

    def stop(self) -> None:
        """Remove the status line."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def finish(
        self, *, concurrency: int, actual: str, failures: Sequence[tuple[str, str]], problems: Sequence[str]
    ) -> None:
        """Print the summary.

        Args:
            concurrency: The number of instances processed at the same time.
            actual: The server's actual limit, in words.
            failures: Each instance that failed, and the reason.
            problems: What differs from the expected result.
        """
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        calls, seconds = sum(step.calls for step in self.steps), sum(step.seconds for step in self.steps)
        throttled = sum(step.throttled for step in self.steps)
        retried = sum(step.retried for step in self.steps)
        speed = f"{calls / seconds:.0f} calls/s, {concurrency} instances at a time"
        table.add_row("  Throughput", f"{count(calls, 'call')} in {seconds:.1f} s: {speed}")
        table.add_row("  Rate limit", limit_explanation(self._statistics()))
        table.add_row("", actual)
        table.add_row("  Throttled", f"{count(throttled, 'call')} refused with 429, and sent again")
        table.add_row("  Retried", f"{count(retried, 'call')} sent again after another failure")
        for heading, line in self._slowest():
            table.add_row(heading, line)
        for number, (instance, reason) in enumerate(failures):
            heading = "" if number else "  Failed"
            table.add_row(heading, Text.assemble((instance, "red"), ": ", printable(reason)))
        self._print(Text(""), table, Text(""))
        for problem in problems:
            self._print(Text(f"Unexpected: {problem}", "bold red"))
        if not problems:
            self._print(
                Text("Every instance is accounted for, and no backup was started twice.", "bold green")
            )

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
