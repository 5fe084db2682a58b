"""Our limiter without a session, at a simulated gate: many times faster, for tables of many servers.

This is the only module of the benchmarks that calls the limiter. It handles responses as `Feedback` does.
"""

import math
import time
from random import Random

from backupify_async._transport.rate import Ticket, make_limiter
from backupify_async._transport.retry_rules import full_jitter
from backupify_async._transport.throttling import RateSignals, RecentResponses, RefusalScope, Sending, observe
from backupify_async.config import RateLimit, RetryPolicy
from tests.benchmarks.rate.ideal import IN_FLIGHT
from tests.benchmarks.rate.servers import Headers, retry_after_in

LEARNING = RateLimit(per_second=None, adaptive=True)
_POLICY = RetryPolicy()


class OurLimiter:
    """Our limiter as a `Strategy`: a refused call waits at the gate, any other failure backs off."""

    others_first: int | None = 3

    def __init__(self, random: Random) -> None:
        self._random = random
        self._limiter = make_limiter(LEARNING, _POLICY, IN_FLIGHT)
        self._recent = RecentResponses(_POLICY.max_retry_after)
        self._refused_since: dict[int, float] = {}
        self._waits_at_gate = False  # the call of the last response

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`, and with the limits of the gate: calls in flight, and a blocked limiter."""
        if in_flight >= IN_FLIGHT:
            return math.inf
        return max(self._limiter.earliest(now, in_flight), self._limiter.blocked_until)

    def on_send(self, now: float) -> Ticket:
        """As `Limiter.on_send`."""
        return self._limiter.on_send(now)

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        """As `Limiter.on_response`; a refusal that concerns only its call counts as no response."""
        sent_time, since = ticket.sent_time, self._refused_since.get(call)
        signals = RateSignals(status, retry_after_in(headers), headers)
        sending = Sending(call, sent_time, since)
        refusal = None if status == 200 else self._recent.classify(signals, sending, time.time())
        self._waits_at_gate = refusal is not None and not refusal.backs_off
        if refusal is None:
            if status < 500:
                self._recent.accepted(sent_time)
                self._refused_since.pop(call, None)
            self._limiter.on_response(ticket, observe(sent_time, now, status, headers, None))
            return
        self._refused_since.setdefault(call, now)
        if refusal.scope is RefusalScope.OWN:
            self._limiter.on_no_response(now, ticket)
        else:
            self._limiter.on_response(ticket, observe(sent_time, now, status, headers, refusal))

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_no_response`."""
        self._waits_at_gate = False
        self._limiter.on_no_response(now, ticket)

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        """As in a session: for its Retry-After, and with full jitter unless it waits at the gate."""
        retry_after = retry_after_in(headers) or 0.0
        if self._waits_at_gate:
            return retry_after
        return max(retry_after, full_jitter(failures, _POLICY, self._random.uniform))
