"""A limiter that finds the server's limit and stays just below it.

Four parts say when the next call can be sent, and the latest time applies:

- `ConcurrencyLimit`: few calls in flight at first. If the server limits what is in flight, nothing is paced.
- `QuotaTracker`: a quota announced in headers. It is the best source: the other parts do not hear of the
  refusals that it explains.
- `WindowModel`: a quota for each window, or for the last seconds. Retry-After of 2 s and more shows it, or
  two lockouts.
- `Pacer`: all other refusals. They still reveal the rate.

The user's own ceiling applies above all of them. A Retry-After longer than `max_retry_after` is not
waited for: the limiter is blocked until then, and calls fail at once.
"""

import math
from collections.abc import Mapping

import attrs

from backupify_async._transport.rate.concurrency_limit import ConcurrencyLimit
from backupify_async._transport.rate.fixed_rate import Gcra
from backupify_async._transport.rate.headers import Quota
from backupify_async._transport.rate.limiter import PAUSE, UNKNOWN, Estimate, Observation
from backupify_async._transport.rate.state import LimiterState, read_state, write_state
from backupify_async._transport.rate.ticket import Ticket
from backupify_async._transport.rate.window_model import WindowModel, silent_windows
from backupify_async.config import RateLimit, RetryPolicy
from backupify_async.statistics import LimitSource, SpeedReason

_SLOWEST = 1.0  # calls a second, for a guess
_UNCLOSED = 3  # closings in a row that closed nothing: Retry-After concerns only the refused call
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
        self._max_retry_after = retry.max_retry_after
        self._in_flight = 0
        self._use(LimiterState(ConcurrencyLimit(max_concurrency)))

    def _use(self, state: LimiterState) -> None:
        self._state = state
        self._concurrency, self._quota = state.concurrency, state.quota
        self._windows, self._pacer = state.windows, state.pacer

    def state(self) -> dict[str, object]:
        """What was learned, as plain JSON types, for `from_state`."""
        return write_state(self._state)

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
        concurrency = attrs.evolve(known.concurrency, max_concurrency=max_concurrency)
        limiter._use(attrs.evolve(known, concurrency=concurrency))
        return limiter

    @property
    def blocked_until(self) -> float:
        """As `Limiter.blocked_until`."""
        return self._state.blocked_until

    @property
    def paused_until(self) -> float:
        """As `Limiter.paused_until`: a window or a quota is spent, or an outage is waited out."""
        return max(self._windows.blocked_until, self._quota.end, self._pacer.paused_until)

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`."""
        self._in_flight = in_flight
        if in_flight >= self._concurrency.cap:
            return math.inf
        if self._state.unlimited:
            return self._ceiling.earliest()
        if self._concurrency.known:
            paced = self._concurrency.earliest(in_flight)
        else:
            paced = self._pacer.earliest(now, in_flight)
        when = max(self._ceiling.earliest(), paced, self._quota.earliest(now, in_flight))
        if when == math.inf:
            return when
        opened_at = self._windows.opened_at
        when = max(when, self._windows.earliest(now, in_flight))
        if self._windows.opened_at > opened_at:
            self._pacer.resume(now)
        if self._windows.silent and self._windows.rate is None:
            self._replace_windows(WindowModel())  # more was accepted
        return when

    def on_send(self, now: float) -> Ticket:
        """As `Limiter.on_send`."""
        self._in_flight += 1
        self._ceiling.on_send(now)
        ticket = self._pacer.on_send(now)
        if not self._state.unlimited:
            self._quota.on_send()
            self._concurrency.on_send(now, ticket, self._in_flight)
            self._windows.on_send()
        return ticket

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_cancel`."""
        self._in_flight = max(0, self._in_flight - 1)
        self._ceiling.on_cancel(-math.inf)
        self._pacer.on_cancel(now, ticket)
        if not self._state.unlimited:
            self._quota.on_cancel()
            self._windows.on_cancel()

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_no_response`."""
        self._in_flight = max(0, self._in_flight - 1)
        self._pacer.on_no_response(now, ticket)

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        """As `Limiter.on_response`."""
        _, now, status, retry_after, quota, over_cap = observation
        state = self._state
        if state.unlimited and (quota is not None or status == 429):
            state.unlimited = False
            self._windows.used = self._pacer.sent
        if quota is not None and quota.reset > self._max_retry_after:
            quota = None  # the first refusal raises an error instead, which names the wait
        if status == 429:
            if retry_after is not None and over_cap:
                state.blocked_until = max(state.blocked_until, now + retry_after)
            self._on_refusal(now, ticket, retry_after, quota)
        else:
            self._on_success(now, ticket, status, quota)
        self._in_flight = max(0, self._in_flight - 1)

    def _on_success(self, now: float, ticket: Ticket, status: int, quota: Quota | None) -> None:
        self._concurrency.on_success(now, ticket, self._in_flight)
        refill = self._pacer.on_success(now, ticket)
        if self._state.unlimited:
            return
        self._windows.on_success(now, ticket.sent_time)
        if refill is not None and self._windows.enabled and not self._windows.in_use:
            suspected = silent_windows(refill, ticket.sent_time)
            if suspected is not None:
                self._replace_windows(suspected)
                self._pacer.forget(now)
                self._concurrency.restart(math.inf)
        if self._windows.per_call:
            self._on_nothing_closed(now)
        if quota is not None or status < 500:  # a proxy's error says nothing of what the server announces
            self._quota.on_success(now, ticket.sent_time, quota, max(0, self._in_flight - 1))

    def _on_nothing_closed(self, now: float) -> None:
        """A call was accepted in a closing: that Retry-After concerned only the refused call."""
        proven = self._windows.rate is not None
        self._state.unclosed = 1 if proven else self._state.unclosed + 1
        enabled = self._state.unclosed < _UNCLOSED
        self._replace_windows(WindowModel(enabled=enabled, used=self._in_flight))
        self._concurrency.restart()
        self._pacer.resume(now)

    def _replace_windows(self, windows: WindowModel) -> None:
        self._windows = self._state.windows = windows

    def _on_refusal(self, now: float, ticket: Ticket, retry_after: float | None, quota: Quota | None) -> None:
        windows, pacer, sent_time = self._windows, self._pacer, ticket.sent_time
        if quota is not None:
            self._quota.on_refusal(now, sent_time, quota, retry_after)
            if self._quota.in_use:
                pacer.on_no_response(now, ticket)
                windows.on_cancel()
                return
        suspected = retry_after is not None and pacer.probes_refused and windows.enabled
        judged = retry_after is not None or windows.silent
        if suspected or windows.concerns(now, sent_time, retry_after):
            pacer.on_no_response(now, ticket)
            windows.on_refusal(now, sent_time, retry_after)
        else:
            windows.on_cancel()
            if not judged or not windows.no_window:
                self._slow_down(now, ticket, retry_after)
        if judged and windows.no_window:
            # An even pace comes to the same, without a burst at each opening.
            pacer.assume(now, windows.rate or max(_SLOWEST, pacer.average()))
            pacer.on_refusal(now, ticket, retry_after)
            self._state.unclosed += windows.silent
            self._replace_windows(WindowModel(enabled=windows.silent and self._state.unclosed < _UNCLOSED))

    def _slow_down(self, now: float, ticket: Ticket, retry_after: float | None) -> None:
        if self._concurrency.on_refusal(now, ticket, self._in_flight, paced=self._pacer.rate is not None):
            self._pacer.on_no_response(now, ticket)
            return
        if not self._windows.in_use:
            self._windows.used = self._in_flight - 1  # earlier calls say nothing of a window to come
        self._pacer.on_refusal(now, ticket, retry_after if self._state.unclosed < _UNCLOSED else None)

    def estimate(self, now: float) -> Estimate:
        """As `Limiter.estimate`."""
        windows, quota, pacer = self._windows, self._quota, self._pacer
        source, (rate, reason) = LimitSource.HISTORY, pacer.estimate(now)
        if quota.in_use:
            source, rate, reason = LimitSource.HEADERS, quota.rate, SpeedReason.NOT_LIMITED
        elif windows.in_use:
            source, rate = LimitSource.WINDOW, windows.rate
            reason = SpeedReason.AT_LIMIT if rate else SpeedReason.FINDING
        elif not (pacer.was_refused or quota.was_refused):
            return UNKNOWN
        elif self._concurrency.known:
            source, rate = LimitSource.IN_FLIGHT, self._concurrency.rate or rate
            reason = SpeedReason.IN_FLIGHT
        elif rate is None and self._concurrency.is_full and not pacer.probes_refused:
            reason = SpeedReason.NOT_LIMITED  # after a stray refusal
        rate = rate or pacer.average(self.paused_until)
        return Estimate(source, rate, self._pause_reason(now) or reason)

    def _pause_reason(self, now: float) -> SpeedReason | None:
        """Why nothing is sent now, if that lasts longer than the time between two calls."""
        known = self._windows.rate is not None
        asked_until = max(self._pacer.asked_until, self.blocked_until)
        until, reason = max(
            (self._quota.end, SpeedReason.QUOTA),
            (asked_until, SpeedReason.RETRY_AFTER),
            (self._windows.blocked_until, SpeedReason.WINDOW if known else SpeedReason.RETRY_AFTER),
            key=lambda wait: wait[0],
        )
        return reason if until - now > PAUSE else None
