"""How far a sweep is: what has been done, in numbers, as a status line and as a summary."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from rich.cells import set_cell_size

from backupify_async._cli.exit_codes import ExitCode, code_of, most_severe, ran_out_of_time
from backupify_async._cli.send_rate import Speed
from backupify_async._cli.text import count, in_number
from backupify_async.errors import WaitFailed
from backupify_async.statistics import LimitSource, SpeedReason, Statistics

_BAR = 10


class Tally:
    """Counts what a command has done.

    Args:
        command: Its name.
        statistics: What the client has done.

    Attributes:
        succeeded: How many instances (or pages of them) succeeded.
        failed: How many failed.
        duplicates: How many came a second time, and had been done.
        only_waits: Of how many of those that failed only the wait did, and their trigger is well.
        timed_out: How many of those that failed took longer than --timeout.
        found: What was found at those that succeeded, counted: "active", "idle", "backups".
        total: Gives how many there are to be done, where that is known.
        verbose: Whether to tell what the server's limit is taken to be.
        code: The gravest exit code so far.
    """

    def __init__(self, command: str, statistics: Callable[[], Statistics]) -> None:
        self.succeeded = 0
        self.failed = 0
        self.duplicates = 0
        self.only_waits = 0
        self.timed_out = 0
        self.found: Counter[str] = Counter()
        self.total: Callable[[], int | None] = lambda: None
        self.verbose = False
        self.code = ExitCode.ALL_WELL
        self._broken = ""
        self._command = command
        self._statistics = statistics
        self.begin()

    def begin(self) -> None:
        """Let the time count from now on."""
        self._began = asyncio.get_running_loop().time()
        self._speed = Speed(self._began)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return asyncio.get_running_loop().time() - self._began

    def fail(self, error: BaseException) -> None:
        """Count an instance that failed."""
        self.failed += 1
        self.only_waits += isinstance(error, WaitFailed)
        self.timed_out += ran_out_of_time(error)
        self.code = most_severe(self.code, ExitCode.SOME_FAILED, code_of(error))

    def broke_off(self, what: str, *codes: ExitCode) -> None:
        """Note that what it goes over broke off, and what that asks for as exit code."""
        self._broken = f", {what} broke off"
        self.code = most_severe(self.code, *codes)

    def status(self, columns: int) -> str:
        """The status line: what fits into a number of columns, the first things first."""
        now, done = self._statistics(), self.succeeded + self.failed + self.duplicates
        pieces = [f"{self._command} {_progress(done, self.total(), bar=not self.verbose)}"]
        pieces += [f"{self.failed:,} failed"] if self.failed else []
        pieces += [f"{now.reconciling:,} being looked for"] if now.reconciling else []
        pieces += [f"{now.waited_for:,} waited for"] if now.waited_for else []
        pieces += [f"{self._speed.now(self._began + self.elapsed, now.requests):.1f} calls/s"]
        pieces += pace(now, verbose=self.verbose)
        pieces += [f"{now.refused:,} throttled"] if now.refused else []
        pieces += [f"{now.retried:,} retried"] if now.retried else []
        pieces += [f"{now.in_flight} in flight"]
        return _fitted(pieces, columns)

    def summary(self) -> str:
        """One line that says what was done."""
        now = self._statistics()
        found = ", ".join(in_number(number, what) for what, number in sorted(self.found.items()))
        succeeded = f"{self.succeeded:,} succeeded{f' ({found})' if found else ''}"
        pieces = [
            f"{self._command}: {succeeded}, {self._failures}{self._duplicates}{self._broken}",
            f"{count(now.requests, 'request')}, {now.refused:,} throttled, {now.retried:,} retried",
        ]
        pieces += [limit(now)] if self.verbose else []
        pieces += [f"{self.elapsed:.1f} s"]
        if self.timed_out:
            pieces += [f"{self.timed_out:,} timed out (--timeout counts the wait for a call's turn too)"]
        return "; ".join(pieces)

    @property
    def _failures(self) -> str:
        only_waits = f" (of {self.only_waits:,} only the wait)" if self.only_waits else ""
        return f"{self.failed:,} failed{only_waits}"

    @property
    def _duplicates(self) -> str:
        return f", {count(self.duplicates, 'duplicate')}" if self.duplicates else ""


def limit(now: Statistics) -> str:
    """What the server's limit is taken to be, and what that rests on."""
    if now.limit_source is LimitSource.NONE or now.limit_per_second is None:
        return "server's limit not known"
    rate = f"{now.limit_per_second:,.1f}/s"
    stray = now.limit_source is LimitSource.HISTORY and now.speed_reason is SpeedReason.NOT_LIMITED
    if stray or now.speed_reason is SpeedReason.FINDING:
        return f"server's limit not known: it took about {rate}"
    return f"server's limit about {rate} ({now.limit_source.value})"


def pace(now: Statistics, *, verbose: bool) -> list[str]:
    """Why calls leave as fast as they do, in words; with `verbose` also what the limit is taken to be."""
    said, limited = now.speed_reason.value, now.speed_reason is not SpeedReason.NOT_LIMITED
    if (down := seconds_down(now)) is not None:
        said = f"server down for {down} s"
    elif paused := seconds_paused(now):
        said = f"paused for {paused} s: {said}"
    if not verbose or now.limit_per_second is None or not limited:
        return [said] if verbose or limited else []
    return [said, f"about {now.limit_per_second:,.1f}/s ({now.limit_source.value})"]


def seconds_paused(now: Statistics) -> int:
    """For how many seconds nobody sends; 0 where that is only the distance between two calls."""
    if now.paused_until is None:
        return 0
    return max(0, round((now.paused_until - datetime.now(UTC)).total_seconds()))


def seconds_down(now: Statistics) -> int | None:
    """For how many seconds the server has been down; None where it is not."""
    if now.down_since is None:
        return None
    return max(0, round((datetime.now(UTC) - now.down_since).total_seconds()))


def _progress(done: int, total: int | None, *, bar: bool) -> str:
    if not total:
        return f"{done:,} done"
    full = min(_BAR, _BAR * done // total)
    drawn = f"[{'#' * full}{'.' * (_BAR - full)}] " if bar else ""
    return f"{drawn}{done:,} of {total:,}"


def _fitted(pieces: list[str], columns: int) -> str:
    """A line of the first piece, and of as many of the others as fit: half a number is worse than none."""
    line, *others = pieces
    for piece in others:
        if len(line) + len(piece) + 2 > columns:
            break
        line += f", {piece}"
    return line if len(line) <= columns else set_cell_size(line, columns)
