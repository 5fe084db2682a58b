"""Prints what the demo does, step by step; with colours and a status line on a terminal."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import attrs
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
        outcomes: The outcome of each instance.
        seconds: Its duration.
    """

    name: str
    found: Counter[str] = attrs.field(factory=Counter)
    outcomes: list[Outcome[InstanceId, Any]] = attrs.field(factory=list)
    seconds: float = 0.0

    @property
    def failures(self) -> dict[InstanceId, BaseException]:
        """The instances that failed, with their errors."""
        return {one.key: one.error for one in self.outcomes if one.error is not None}

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
        self._requests_before = 0
        self._started = 0.0
        self._status: Status | None = None

    def introduce(self, title: str, text: str) -> None:
        """Print the introduction."""
        self._console.print(Text.assemble("\n", (title, "bold"), "\n", text, "\n"))

    def begin(self, name: str) -> Step:
        """Begin a step."""
        self._requests_before, self._started = self._statistics().requests, time.monotonic()
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
        step = self.steps[-1]
        step.seconds = time.monotonic() - self._started
        calls = self._statistics().requests - self._requests_before
        failed = f", {len(step.failures)} failed" if step.failures else ""
        line = Text.assemble(
            (f"  {len(self.steps)} {step.name:<9} ", "bold cyan"), step.summary(), (failed, "red")
        )
        line.align("left", _RESULTS_WIDTH)
        rate = calls / max(step.seconds, 0.001)
        line.append(f"{calls:>4,} calls {step.seconds:>3.1f} s {rate:>3.0f}/s", "dim")
        self._console.print(line)

    def stop(self) -> None:
        """Remove the status line."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def finish(
        self,
        *,
        concurrency: int,
        actual: str,
        next_run: str,
        failures: Sequence[tuple[str, str]],
        problems: Sequence[str],
    ) -> None:
        """Print the summary.

        Args:
            concurrency: The number of instances processed at the same time.
            actual: The server's actual limit, in words.
            next_run: What another client did that began with what this one learned; "" for none.
            failures: Each instance that failed, and the reason.
            problems: What differs from the expected result.
        """
        table = Table.grid(padding=(0, 2))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        now, seconds = self._statistics(), sum(step.seconds for step in self.steps)
        speed = f"{now.requests / seconds:.0f} calls/s, {concurrency} instances at a time"
        table.add_row("  Throughput", f"{count(now.requests, 'call')} in {seconds:.1f} s: {speed}")
        table.add_row("  Rate limit", limit_explanation(now))
        table.add_row("", actual)
        if next_run:
            table.add_row("  Next run", next_run)
        table.add_row("  Throttled", f"{count(now.refused, 'call')} refused with 429, and sent again")
        table.add_row("  Retried", f"{count(now.retried, 'call')} sent again after another failure")
        ranked = sorted(
            ((step.name, one) for step in self.steps for one in step.outcomes),
            key=lambda entry: -entry[1].elapsed,
        )
        for number, (name, one) in enumerate(ranked[:_SLOWEST]):
            line = f"{name} of instance {one.key}: {one.elapsed:.2f} s, {count(one.attempts, 'call')}"
            table.add_row("" if number else "  Slowest", line)
        for number, (instance, reason) in enumerate(failures):
            heading = "" if number else "  Failed"
            table.add_row(heading, Text.assemble((instance, "red"), ": ", printable(reason)))
        self._console.print(Text(""), table, Text(""))
        for problem in problems:
            self._console.print(Text(f"Unexpected: {problem}", "bold red"))
        if not problems:
            end = "Every instance is accounted for, and no backup was started twice."
            self._console.print(Text(end, "bold green"))
