"""The usual strategies for an unknown limit, for comparison."""

import math
from collections.abc import Callable
from random import Random

from backupify_async._transport.rate import Ticket
from tests.benchmarks.rate.servers import Headers, retry_after_in
from tests.benchmarks.rate.simulation import Strategy

_ALMOST = 1e-9
_REFUSALS = frozenset({429, 503})


class RetryOnly:
    """Each refused call backs off alone: Retry-After, else 0.5 x 2^n seconds with full jitter, at most 8."""

    others_first: int | None = None

    def __init__(self, random: Random) -> None:
        self.random = random

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Strategy.earliest`: now."""
        return now

    def on_send(self, now: float) -> Ticket:
        """As `Strategy.on_send`: the ticket has the time."""
        return Ticket(now)

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        """As `Strategy.on_response`: nothing is learned."""

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Strategy.on_no_response`: nothing is learned."""

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        """As `Strategy.back_off`."""
        retry_after = retry_after_in(headers)
        if retry_after is not None:
            return retry_after
        return self.random.uniform(0, min(8.0, 0.5 * 2.0 ** min(failures - 1, 10)))


class FixedWait(RetryOnly):
    """Each refused call is sent again 1 s later; Retry-After is ignored."""

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        return 1.0


class PauseAll(RetryOnly):
    """A refusal pauses all calls: for Retry-After, else for 1 s; then all are sent."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.paused_until = 0.0

    def earliest(self, now: float, in_flight: int) -> float:
        return self.paused_until

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        if status in _REFUSALS:
            self.paused_until = max(self.paused_until, now + (retry_after_in(headers) or 1.0))

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        return 0.0


class Aimd(RetryOnly):
    """Additive increase, multiplicative decrease: TCP's rule, with its slow start, for a rate.

    Each second adds one call a second, and each wave of refusals lowers the rate to 0.7 of it. Until the
    first refusal each success adds one.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.rate = 10.0
        self.starting = True
        self.sent_time = -math.inf
        self.cut_at = -math.inf

    def earliest(self, now: float, in_flight: int) -> float:
        return self.sent_time + 1 / self.rate

    def on_send(self, now: float) -> Ticket:
        self.sent_time = now
        return Ticket(now)

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        if status == 200:
            self.rate += 1.0 if self.starting else 1 / self.rate
        elif status in _REFUSALS and ticket.sent_time > self.cut_at:
            self.starting = False
            self.cut_at = now
            self.rate = max(0.5, self.rate * 0.7)

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        return retry_after_in(headers) or 0.0


class BotocoreAdaptive(RetryOnly):
    """A token bucket whose rate follows CUBIC, with the constants of botocore 1.43's `adaptive` mode.

    It measures the rate of responses in half seconds, smoothed, and sets at most twice that rate. A refused
    call also backs off alone, up to 20 s, with full jitter; Retry-After is ignored.
    """

    scale, beta, smoothing, half_second, least = 0.4, 0.7, 0.8, 0.5, 0.5

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.limited = False
        self.rate, self.tokens, self.filled = 1.0, 0.0, 0.0
        self.highest, self.failed_at = 0.0, 0.0
        self.measured, self.responses, self.counted_from = 0.0, 0, 0.0

    def earliest(self, now: float, in_flight: int) -> float:
        if not self.limited:
            return now
        self._refill(now)
        return now if self.tokens >= 1 - _ALMOST else now + (1 - self.tokens) / self.rate

    def on_send(self, now: float) -> Ticket:
        if self.limited:
            self.tokens -= 1
        return Ticket(now)

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        self._measure(now)
        if status in _REFUSALS:
            self.highest = min(self.measured, self.rate) if self.limited else self.measured
            self.failed_at = now
            self.limited = True
            rate = self.highest * self.beta
        else:
            inflection = (self.highest * (1 - self.beta) / self.scale) ** (1 / 3)
            rate = self.scale * (now - self.failed_at - inflection) ** 3 + self.highest
        self._refill(now)
        self.rate = max(self.least, min(rate, 2 * self.measured))
        self.tokens = min(self.tokens, max(1.0, self.rate))

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        return self.random.uniform(0, min(20.0, 2.0 ** min(failures - 1, 10)))

    def _refill(self, now: float) -> None:
        self.tokens = min(max(1.0, self.rate), self.tokens + (now - self.filled) * self.rate)
        self.filled = now

    def _measure(self, now: float) -> None:
        self.responses += 1
        period = math.floor(now / self.half_second) * self.half_second
        if period > self.counted_from:
            rate = self.responses / (period - self.counted_from)
            self.measured = rate * self.smoothing + self.measured * (1 - self.smoothing)
            self.responses, self.counted_from = 0, period


BASELINES: dict[str, Callable[[Random], Strategy]] = {
    "retry only": RetryOnly,
    "fixed 1 s": FixedWait,
    "pause all": PauseAll,
    "AIMD": Aimd,
    "botocore": BotocoreAdaptive,
}
