"""The progress of a command: its counts, as a status line and as a summary."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from rich.cells import set_cell_size

from backupify_async._cli.error_messages import ran_out_of_time
from backupify_async._cli.exit_codes import ExitCode, exit_code_of, most_severe
from backupify_async._cli.plurals import count, count_of
from backupify_async._cli.rate_messages import limit_summary, rate_status, store_message
from backupify_async.errors import WaitFailed
from backupify_async.statistics import Statistics

_BAR = 10  # characters
_SPAN = 10.0  # seconds that count as the present
_SPACING = 0.5  # seconds between two counts that are kept
_MIN_SECONDS = 0.1  # a shorter time says nothing about a rate


class CommandProgress:
    """Counts what a command has done.

    Args:
        command: The command's name.
        statistics: Returns the client's statistics.

    Attributes:
        succeeded: Instances that succeeded.
        failed: Instances that failed.
        duplicates: Ids that came a second time, and were skipped.
        failed_waits: Of the failed instances, those whose trigger succeeded and only the wait failed.
        timed_out: Of the failed instances, those that took longer than --timeout.
        found: What was found on the instances that succeeded: "active", "idle", "backups".
        total: Returns the number of instances, where it is known.
        verbose: Whether to show the server's limit.
        code: The most severe exit code so far.
    """

    def __init__(self, command: str, statistics: Callable[[], Statistics]) -> None:
        self.succeeded = 0
        self.failed = 0
        self.duplicates = 0
        self.failed_waits = 0
        self.timed_out = 0
        self.found: Counter[str] = Counter()
        self.total: Callable[[], int | None] = lambda: None
        self.verbose = False
        self.code = ExitCode.SUCCESS
        self._incomplete = ""
        self._command = command
        self._statistics = statistics
        self.start()

    def start(self) -> None:
        """Start the clock."""
        self._started = asyncio.get_running_loop().time()
        self._send_rate = SendRate(self._started)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time() - self._started

    def add_failure(self, error: BaseException) -> None:
        """Count an instance that failed."""
        self.failed += 1
        self.failed_waits += isinstance(error, WaitFailed)
        self.timed_out += ran_out_of_time(error)
        self.raise_code(ExitCode.SOME_FAILED, exit_code_of(error))

    def ended_early(self, what: str, *codes: ExitCode) -> None:
        """Note that the input ended early, and the exit codes for that."""
        self._incomplete = f", {what} ended early"
        self.raise_code(*codes)

    def raise_code(self, *codes: ExitCode) -> None:
        """Exit with one of these codes, if it is more severe."""
        self.code = most_severe(self.code, *codes)

    def status(self, columns: int) -> str:
        """The status line: its first parts, as many as fit."""
        now, done = self._statistics(), self.succeeded + self.failed + self.duplicates
        parts = [f"{self._command} {_done(done, self.total(), bar=not self.verbose)}"]
        parts += [f"{self.failed:,} failed"] if self.failed else []
        parts += [f"reconciling {now.reconciling:,}"] if now.reconciling else []
        parts += [f"waiting for {now.waited_for:,}"] if now.waited_for else []
        parts += [f"{self._send_rate.at(self._started + self.elapsed, now.requests):.1f} calls/s"]
        parts += rate_status(now, verbose=self.verbose)
        parts += [f"{now.refused:,} throttled"] if now.refused else []
        parts += [f"{now.retried:,} retried"] if now.retried else []
        parts += [f"{now.in_flight} in flight"]
        return _fitting(parts, columns)

    def summary(self) -> str:
        """One line about everything that was done."""
        now = self._statistics()
        found = ", ".join(
            count_of(number, what.replace("_", " ")) for what, number in sorted(self.found.items())
        )
        succeeded = f"{self.succeeded:,} succeeded{f' ({found})' if found else ''}"
        failed_waits = f" ({self.failed_waits:,} while waiting)" if self.failed_waits else ""
        duplicates = f", {count(self.duplicates, 'duplicate')}" if self.duplicates else ""
        failed = f"{self.failed:,} failed{failed_waits}"
        parts = [
            f"{self._command}: {succeeded}, {failed}{duplicates}{self._incomplete}",
            f"{count(now.requests, 'request')}, {now.refused:,} throttled, {now.retried:,} retried",
        ]
        parts += [limit_summary(now)] if self.verbose else []
        parts += [store_message(now)] if now.store_away else []
        parts += [f"{self.elapsed:.1f} s"]
        if self.timed_out:
            parts += [f"{self.timed_out:,} timed out (--timeout includes waiting for the rate limit)"]
        return "; ".join(parts)


def _done(done: int, total: int | None, *, bar: bool) -> str:
    if not total:
        return f"{done:,} done"
    full = min(_BAR, _BAR * done // total)
    drawn = f"[{'#' * full}{'.' * (_BAR - full)}] " if bar else ""
    return f"{drawn}{done:,} of {total:,}"


def _fitting(parts: list[str], columns: int) -> str:
    """The first part, and as many of the others as fit whole: half a number would be wrong."""
    line, *others = parts
    for part in others:
        if len(line) + len(part) + 2 > columns:
            break
        line += f", {part}"
    return line if len(line) <= columns else set_cell_size(line, columns)


class SendRate:
    """Requests per second, from a running count.

    Args:
        started: When counting began, in seconds.
    """

    def __init__(self, started: float) -> None:
        self._counts = deque([(started, 0)])

    def at(self, now: float, requests: int) -> float:
        """Requests per second in the last ten seconds, or since the start where that is shorter.

        Args:
            now: The time in seconds; never earlier than before.
            requests: The number of requests sent until now.
        """
        counts = self._counts
        while len(counts) > 1 and counts[1][0] <= now - _SPAN:
            counts.popleft()
        since, before = counts[0]
        if now - counts[-1][0] >= _SPACING:
            counts.append((now, requests))
        return (requests - before) / max(now - since, _MIN_SECONDS)
