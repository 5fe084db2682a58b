"""A limiter that finds the server's limit, and stays just below it.

Four parts say when the next call may leave; the latest time holds.

- `cap`: how many may be in flight, few at first. Where the server limits that, nothing is paced.
- `announced`: what the server says of its quota in its `headers`. The best source: what it explains is kept
  from the others.
- `windows`: Retry-After of two seconds and more, which tells when a window ends.
- `pace`: refusals that tell nothing else. They still tell the rate.

A ceiling of the user's own holds above all of them. A Retry-After beyond `max_retry_after` is not waited
for: the limiter is closed until then, and calls fail at once.
"""

import math
from collections.abc import Mapping

import attrs

from backupify_async._transport.rate.concurrency_limit import ConcurrencyLimit
from backupify_async._transport.rate.fixed_rate import Gcra
from backupify_async._transport.rate.headers import Quota
from backupify_async._transport.rate.limiter import PAUSE, UNKNOWN, Estimate, Observation
from backupify_async._transport.rate.pacer import Pacer
from backupify_async._transport.rate.quota_tracker import QuotaTracker
from backupify_async._transport.rate.state import LimiterState, read_state, write_state
from backupify_async._transport.rate.ticket import Ticket
from backupify_async._transport.rate.window_model import WindowModel
from backupify_async.config import RateLimit, RetryPolicy
from backupify_async.statistics import LimitSource, SpeedReason

_SLOWEST = 1.0  # calls a second, for a guess
_REFUTED = 3  # closings in a row that were none: a Retry-After concerns the refused call alone
_NO_CEILING = RateLimit()
_DEFAULT_RETRY = RetryPolicy()
_DEFAULT_CONCURRENCY = 64  # as in `Settings`


class AdaptiveLimiter:
    """Learns from every response. The client makes one by default; make your own to keep what it learns.

        limiter = AdaptiveLimiter()
        async with BackupifyClient(credentials, limiter=limiter) as client:
            ...
        json.dump(limiter.state(), file)  # the next process: AdaptiveLimiter.from_state(json.load(file))

    All times in it are seconds of the event loop's clock. Processes on one machine share that clock until the
    machine restarts; a state from before, or from another machine, is not valid.

    Args:
        limit: The ceiling. `adaptive` is ignored.
        retry: Says how long refusals are waited out.
        max_concurrency: How many requests can be in flight at once.
    """

    def __init__(
        self,
        limit: RateLimit = _NO_CEILING,
        retry: RetryPolicy = _DEFAULT_RETRY,
        max_concurrency: int = _DEFAULT_CONCURRENCY,
    ) -> None:
        self._ceiling = Gcra(limit)
        self._longest_wait = retry.max_retry_after
        self._cap = ConcurrencyLimit(max_concurrency)
        self._announced = QuotaTracker()
        self._windows: WindowModel | None = WindowModel()
        self._pace = Pacer()
        self._in_flight = 0
        self._refuted = 0  # how often in a row a Retry-After closed nothing
        self._untroubled = True  # no refusal and no announcement was met: nothing to hold anybody back
        self.blocked_until = -math.inf

    def state(self) -> dict[str, object]:
        """What was learned, as plain JSON types: for `from_state`."""
        return write_state(
            LimiterState(
                cap=self._cap,
                announced=self._announced,
                windows=self._windows,
                pace=self._pace,
                refuted=self._refuted,
                untroubled=self._untroubled,
                blocked_until=self.blocked_until,
            )
        )

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, object],
        limit: RateLimit = _NO_CEILING,
        retry: RetryPolicy = _DEFAULT_RETRY,
        max_concurrency: int = _DEFAULT_CONCURRENCY,
    ) -> "AdaptiveLimiter":
        """A limiter that continues from what another one learned.

        Args:
            state: What `state()` returned.
            limit: As for a new one.
            retry: As for a new one.
            max_concurrency: As for a new one.

        Raises:
            ValueError: It is of another version, or not a limiter's state.
        """
        known, limiter = read_state(state), cls(limit, retry, max_concurrency)
        limiter._cap = attrs.evolve(known.cap, max_concurrency=max_concurrency)
        limiter._announced, limiter._windows, limiter._pace = known.announced, known.windows, known.pace
        limiter._refuted, limiter._untroubled = known.refuted, known.untroubled
        limiter.blocked_until = known.blocked_until
        return limiter

    @property
    def paused_until(self) -> float:
        """Before this time nobody sends: a window or an announcement says so, or an outage is waited out."""
        windows = -math.inf if self._windows is None else self._windows.blocked_until
        return max(windows, self._announced.end, self._pace.silent_until)

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`."""
        self._in_flight = in_flight
        if in_flight >= self._cap.cap:
            return math.inf
        if self._untroubled:
            return self._ceiling.earliest()
        paced = self._cap.earliest(in_flight) if self._cap.known else self._pace.earliest(now, in_flight)
        announced = self._announced.earliest(now, in_flight)
        if math.inf in (paced, announced):
            return math.inf
        when = max(self._ceiling.earliest(), paced, announced)
        if self._windows is not None:
            opened_at = self._windows.opened_at
            when = max(when, self._windows.earliest(now, in_flight))
            if self._windows.opened_at > opened_at:
                self._pace.resume(now)
        return when

    def on_send(self, now: float) -> Ticket:
        """As `Limiter.on_send`."""
        self._in_flight += 1
        self._ceiling.on_send(now)
        ticket = self._pace.on_send(now)
        if not self._untroubled:
            self._announced.on_send()
            self._cap.on_send(now, ticket, self._in_flight)
            if self._windows is not None:
                self._windows.on_send()
        return ticket

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_cancel`."""
        self._in_flight = max(0, self._in_flight - 1)
        self._ceiling.on_cancel(-math.inf)
        self._pace.on_cancel(now, ticket)
        if not self._untroubled:
            self._announced.on_cancel()
            if self._windows is not None:
                self._windows.on_cancel()

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_no_response`."""
        self._in_flight = max(0, self._in_flight - 1)
        self._pace.on_no_response(now, ticket)

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        """As `Limiter.on_response`."""
        _, now, status, retry_after, quota, over_cap = observation
        if self._untroubled and (quota is not None or status == 429):
            self._untroubled = False
            if self._windows is not None:
                self._windows.begin(self._pace.taken)
        if quota is not None and quota.reset > self._longest_wait:
            quota = None  # so far ahead that a refusal has to be asked for, which names it
        if status == 429:
            if retry_after is not None and over_cap:
                self.blocked_until = max(self.blocked_until, now + retry_after)
            self._refused(now, ticket, retry_after, quota)
        else:
            self._succeeded(now, ticket, status, quota)
        self._in_flight = max(0, self._in_flight - 1)

    def _succeeded(self, now: float, ticket: Ticket, status: int, quota: Quota | None) -> None:
        sent_time = ticket.sent_time
        self._cap.on_success(now, ticket, self._in_flight)
        self._pace.on_success(now, ticket)
        if self._untroubled:
            return
        if self._windows is not None:
            self._windows.on_success(now, sent_time)
            if self._windows.refuted:
                self._disbelieve(now)
        if quota is not None:
            self._announced.on_success(now, sent_time, quota, max(0, self._in_flight - 1))
        elif status < 500:  # a proxy's answer says nothing of what the server announces
            self._announced.fall_silent(sent_time)

    def _disbelieve(self, now: float) -> None:
        """A call was accepted while nobody should have been: the pauses concern the refused calls alone."""
        proven = self._windows is not None and self._windows.rate is not None
        self._refuted = 1 if proven else self._refuted + 1
        self._windows = WindowModel() if self._refuted < _REFUTED else None
        if self._windows is not None:
            self._windows.begin(self._in_flight)
        self._cap.restart()
        self._pace.resume(now)

    def estimate(self, now: float) -> Estimate:
        """As `Limiter.estimate`."""
        windows, announced, pace = self._windows, self._announced, self._pace
        source, (rate, reason) = LimitSource.HISTORY, pace.believed(now)
        if announced.speaks:
            source, rate, reason = LimitSource.HEADERS, announced.rate, SpeedReason.NOT_LIMITED
        elif windows is not None and windows.shown:
            source, rate = LimitSource.WINDOW, windows.rate
            reason = SpeedReason.AT_LIMIT if rate else SpeedReason.FINDING
        elif not (pace.was_refused or announced.was_refused):
            return UNKNOWN
        elif self._cap.known:
            rate, reason = self._cap.rate or rate, SpeedReason.IN_FLIGHT
        elif rate is None and self._cap.is_over and not pace.probes_refused:
            reason = SpeedReason.NOT_LIMITED  # a stray refusal, of which nothing is left
        rate = rate or pace.average_until(self.paused_until)
        return Estimate(source, rate, self._waits_for(now) or reason)

    def _waits_for(self, now: float) -> SpeedReason | None:
        """What everybody waits for, if more than the distance between two calls."""
        asked_until = max(self._pace.asked_until, self.blocked_until)
        waits = [(self._announced.end, SpeedReason.QUOTA), (asked_until, SpeedReason.RETRY_AFTER)]
        if self._windows is not None:
            known = self._windows.rate is not None
            reason = SpeedReason.WINDOW if known else SpeedReason.RETRY_AFTER
            waits.append((self._windows.blocked_until, reason))
        until, reason = max(waits, key=lambda wait: wait[0])
        return reason if until - now > PAUSE else None

    def _refused(self, now: float, ticket: Ticket, retry_after: float | None, quota: Quota | None) -> None:
        windows, sent_time = self._windows, ticket.sent_time
        if quota is not None:
            self._announced.on_refusal(now, sent_time, quota, retry_after)
            if self._announced.speaks:
                self._pace.on_no_response(now, ticket)
                if windows is not None:
                    windows.on_cancel()
                return
        if windows is None or retry_after is None:
            if windows is not None:
                windows.on_cancel()
            self._slow_down(now, ticket, retry_after)
            return
        if windows.concerns(now, sent_time, retry_after) or self._pace.probes_refused:
            self._pace.on_no_response(now, ticket)
            windows.on_refusal(now, sent_time, retry_after)
        else:
            windows.on_cancel()
            if not windows.misleads:
                self._slow_down(now, ticket, retry_after)
        if windows.misleads:
            # An even pace comes to the same, and spends no burst at its opening.
            self._pace.know(now, windows.rate or max(_SLOWEST, self._pace.average))
            self._pace.on_refusal(now, ticket, retry_after)
            self._windows = None

    def _slow_down(self, now: float, ticket: Ticket, retry_after: float | None) -> None:
        if self._cap.on_refusal(now, ticket, self._in_flight, paced=self._pace.rate is not None):
            self._pace.on_no_response(now, ticket)
            return
        if self._windows is not None and not self._windows.shown:
            self._windows.begin(self._in_flight - 1)  # what came before says nothing of a window to come
        self._pace.on_refusal(now, ticket, retry_after if self._refuted < _REFUTED else None)
