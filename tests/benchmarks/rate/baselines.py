"""The usual ways to live with an unknown limit, for comparison: small and pure."""

import math
from collections.abc import Callable
from random import Random

from backupify_async._transport.rate import Ticket
from tests.benchmarks.rate.crowd import Way
from tests.benchmarks.rate.servers import Headers, told_to_wait

_ALMOST = 1e-9
_REFUSALS = frozenset({429, 503})


class RetryOnly:
    """Each refused call backs off alone: Retry-After, else 0.5 x 2^n seconds with full jitter, at most 8."""

    others_first: int | None = None

    def __init__(self, random: Random) -> None:
        self.random = random

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Way.earliest`: at once."""
        return now

    def on_send(self, now: float) -> Ticket:
        """As `Way.on_send`: the ticket tells the time of sending."""
        return Ticket(now)

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        """As `Way.on_response`: nothing is learned."""

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Way.on_no_response`: nothing is learned."""

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        """As `Way.back_off`."""
        retry_after = told_to_wait(headers)
        if retry_after is not None:
            return retry_after
        return self.random.uniform(0, min(8.0, 0.5 * 2.0 ** min(failures - 1, 10)))


class FixedWait(RetryOnly):
    """Each refused call is sent again 1 s later, whatever the server says."""

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        return 1.0


class PauseAll(RetryOnly):
    """A refusal stops everybody: for Retry-After, else for 1 s; then all go on."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.paused_until = 0.0

    def earliest(self, now: float, in_flight: int) -> float:
        return self.paused_until

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        if status in _REFUSALS:
            self.paused_until = max(self.paused_until, now + (told_to_wait(headers) or 1.0))

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        return 0.0


class Aimd(RetryOnly):
    """Additive increase, multiplicative decrease: TCP's rule, with its slow start, for a rate.

    It adds one call a second each second, and goes down to 0.7 of it once for each wave of refusals.
    Until the first refusal each success adds one.
    """

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.rate = 10.0
        self.starting = True
        self.left_at = -math.inf
        self.cut_at = -math.inf

    def earliest(self, now: float, in_flight: int) -> float:
        return self.left_at + 1 / self.rate

    def on_send(self, now: float) -> Ticket:
        self.left_at = now
        return Ticket(now)

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        if status == 200:
            self.rate += 1.0 if self.starting else 1 / self.rate
        elif status in _REFUSALS and ticket.sent_time > self.cut_at:
            self.starting = False
            self.cut_at = now
            self.rate = max(0.5, self.rate * 0.7)

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        return told_to_wait(headers) or 0.0


class BotocoreAdaptive(RetryOnly):
    """A rate by CUBIC behind a token bucket, with the constants of botocore 1.43's `adaptive` mode.

    What it measures is the rate of answers in half seconds, smoothed; no more than twice that is ever set.
    A refused call also backs off by itself, up to 20 s, with full jitter; Retry-After is not read.
    """

    scale, beta, smoothing, half_second, least = 0.4, 0.7, 0.8, 0.5, 0.5

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        self.limited = False
        self.rate, self.tokens, self.filled = 1.0, 0.0, 0.0
        self.highest, self.failed_at = 0.0, 0.0
        self.measured, self.answers, self.counted_from = 0.0, 0, 0.0

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
        self.answers += 1
        period = math.floor(now / self.half_second) * self.half_second
        if period > self.counted_from:
            rate = self.answers / (period - self.counted_from)
            self.measured = rate * self.smoothing + self.measured * (1 - self.smoothing)
            self.answers, self.counted_from = 0, period


BASELINES: dict[str, Callable[[Random], Way]] = {
    "retry only": RetryOnly,
    "fixed 1 s": FixedWait,
    "pause all": PauseAll,
    "AIMD": Aimd,
    "botocore": BotocoreAdaptive,
}
