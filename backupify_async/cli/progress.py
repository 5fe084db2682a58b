"""How far a sweep is: what has been done, in numbers, as a status line and as a summary."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from rich.cells import set_cell_size

from backupify_async.cli.exits import ExitCode, code_of, gravest
from backupify_async.cli.text import count
from backupify_async.statistics import Statistics

_BAR = 20


class Tally:
    """Counts what a command has done.

    Args:
        command: Its name.
        statistics: What the client has done.

    Attributes:
        succeeded: How many instances (or pages of them) succeeded.
        failed: How many failed.
        found: What was found at those that succeeded, counted: "active", "idle", "backups".
        total: Gives how many there are to be done, where that is known.
        code: The gravest exit code so far.
    """

    def __init__(self, command: str, statistics: Callable[[], Statistics]) -> None:
        self.succeeded = 0
        self.failed = 0
        self.found: Counter[str] = Counter()
        self.total: Callable[[], int | None] = lambda: None
        self.code = ExitCode.ALL_WELL
        self._command = command
        self._statistics = statistics
        self.begin()

    def begin(self) -> None:
        """Let the time count from now on."""
        self._began = asyncio.get_running_loop().time()

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return asyncio.get_running_loop().time() - self._began

    def fail(self, error: BaseException) -> None:
        """Count an instance that failed."""
        self.failed += 1
        self.code = gravest(self.code, ExitCode.SOME_FAILED, code_of(error))

    def status(self, columns: int) -> str:
        """The status line, cut to a number of columns."""
        now, done = self._statistics(), self.succeeded + self.failed
        pieces = [f"{self._command} {_bar(done, self.total())}"]
        pieces += [f"{self.failed:,} failed"] if self.failed else []
        pieces += [f"{now.requests / max(self.elapsed, 0.1):.1f} calls/s", f"{now.in_flight} in flight"]
        pieces += [f"{now.refused:,} throttled"] if now.refused else []
        pieces += [f"{now.retried:,} retried"] if now.retried else []
        if now.paused_until is not None:
            pieces.append(f"paused for {(now.paused_until - datetime.now(UTC)).total_seconds():.0f} s")
        line = ", ".join(pieces)
        return line if len(line) <= columns else set_cell_size(line, columns)

    def summary(self) -> str:
        """One line that says what was done."""
        now = self._statistics()
        found = ", ".join(f"{number:,} {what}" for what, number in sorted(self.found.items()))
        return (
            f"{self._command}: {self.succeeded:,} succeeded{f' ({found})' if found else ''}, "
            f"{self.failed:,} failed; {count(now.requests, 'request')}, {now.refused:,} throttled, "
            f"{now.retried:,} retried; {self.elapsed:.1f} s"
        )


def _bar(done: int, total: int | None) -> str:
    if not total:
        return f"{done:,} done"
    full = min(_BAR, _BAR * done // total)
    return f"[{'#' * full}{'.' * (_BAR - full)}] {done:,} of {total:,}"
