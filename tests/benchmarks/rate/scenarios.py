"""The servers of the table, each with its targets, and the kinds of random servers."""

import math
from collections import deque
from collections.abc import Callable, Iterator
from random import Random

import attrs

from tests.benchmarks.rate.servers import Both, FixedWindow, Gcra, Server, Shared, SlidingLog, TokenBucket


@attrs.frozen
class Target:
    """Targets in percent.

    Attributes:
        ideal: The least share of the ideal, for the median.
        refused: The greatest share of the requests that were refused, for the median.
        worst: The least share of the ideal, for the worst seed, or the 10th percentile of random servers.
    """

    ideal: float
    refused: float = math.inf
    worst: float = 0.0


@attrs.frozen
class Scenario:
    """One row of the table.

    Attributes:
        name: Its name.
        build: Makes the server, with random phases and parameters.
        short: The target at 5,000 calls.
        long: The target at 20,000 calls.
    """

    name: str
    build: Callable[[Random], Server]
    short: Target
    long: Target

    def server(self, seed: int) -> Server:
        """A server of this kind, the same for the same seed."""
        return self.build(Random(f"{self.name} {seed}"))

    def target(self, calls: int) -> Target:
        """The target for this number of calls."""
        return self.long if calls >= 20_000 else self.short


def _window(
    quota: int, period: float, *, announces: bool = False, silent: bool = False
) -> Callable[[Random], Server]:
    rounding = None if silent else math.ceil
    return lambda random: FixedWindow(
        quota, period, random.uniform(0, period), announces, retry_after=rounding
    )


def _changing(_: Random) -> Server:
    return TokenBucket(100, 20, deque([(30.0, 25.0), (60.0, 200.0)]))


def _bursts(random: Random, until: float = 4000.0) -> Iterator[float]:
    """When another client sends its calls: 20 to 60 a second, for 1 to 4 s, on average 8 s apart."""
    now = 0.0
    while now < until:
        now += random.expovariate(1 / 8.0)
        end = now + random.uniform(1, 4)
        rate = random.uniform(20, 60)
        when = now
        while when < end:
            yield when
            when += random.expovariate(rate)
        now = end


def _shared(random: Random) -> Server:
    return Shared(TokenBucket(100, 20), deque(_bursts(random)))


def _both(random: Random) -> Server:
    second, minute = _window(20, 1)(random), _window(600, 60)(random)
    return Both(second, minute, retry_after=math.ceil)


_EVEN = Target(99, 0.9), Target(99, 0.6)
_EVEN_RETRY_AFTER = Target(95, 0.5), Target(97, 0.2)
_WINDOW = Target(99, 1.3), Target(99, 0.5)
_HEADERS = Target(99, 0.1), Target(99, 0.05)
_SLIDING = Target(92, 1.3), Target(96, 0.5)

SCENARIOS = (
    Scenario("token bucket 83/s burst 17", lambda _: TokenBucket(83, 17), *_EVEN),
    Scenario(
        "token bucket 83/s burst 17, Retry-After",
        lambda _: TokenBucket(83, 17, retry_after=math.ceil),
        *_EVEN_RETRY_AFTER,
    ),
    Scenario("token bucket 5/s burst 5", lambda _: TokenBucket(5, 5), *_EVEN),
    Scenario(
        "token bucket 5/s burst 5, Retry-After",
        lambda _: TokenBucket(5, 5, retry_after=math.ceil),
        *_EVEN_RETRY_AFTER,
    ),
    Scenario("GCRA 50/s burst 10", lambda _: Gcra(50, 10), *_EVEN),
    Scenario(
        "GCRA 50/s burst 10, Retry-After", lambda _: Gcra(50, 10, retry_after=math.ceil), *_EVEN_RETRY_AFTER
    ),
    Scenario(
        "GCRA 50/s burst 20, Retry-After always 5",
        lambda _: Gcra(50, 20, retry_after=lambda _: 5),
        Target(97, 1.3),
        Target(97, 0.6),
    ),
    Scenario("window 140 per 2 s, Retry-After", _window(140, 2), *_WINDOW),
    Scenario("window 60 per 60 s, Retry-After", _window(60, 60), *_WINDOW),
    Scenario("window 1,000 per 60 s, Retry-After", _window(1000, 60), *_WINDOW),
    Scenario("window 50 per 1 s, Retry-After", _window(50, 1), Target(92, 1.3, worst=85), Target(95, 0.5)),
    Scenario("window 140 per 2 s, headers", _window(140, 2, announces=True), *_HEADERS),
    Scenario("window 1,000 per 60 s, headers", _window(1000, 60, announces=True), *_HEADERS),
    Scenario("sliding 300 per 10 s", lambda _: SlidingLog(300, 10), *_SLIDING),
    Scenario(
        "sliding 300 per 10 s, Retry-After", lambda _: SlidingLog(300, 10, retry_after=math.ceil), *_SLIDING
    ),
    Scenario(
        "sliding 300 per 10 s, refused count too", lambda _: SlidingLog(300, 10, punishes=True), *_SLIDING
    ),
    Scenario("window 100 per 10 s, silent", _window(100, 10, silent=True), Target(95, 2.0), Target(97, 1.0)),
    Scenario(
        "2,000/s burst 100, not reached", lambda _: TokenBucket(2000, 100), Target(97, 0), Target(99, 0)
    ),
    Scenario("100/s, then 25/s, then 200/s", _changing, Target(91, 1.3), Target(96, 1.0)),
    Scenario("100/s shared with bursts", _shared, Target(88, 2.5), Target(90, 2.0)),
    Scenario("20 per 1 s and 600 per 60 s", _both, Target(90, 2.0), Target(95, 1.0)),
)


def _rate(random: Random) -> float:
    """From 0.5 to 300 calls a second, evenly distributed on a logarithmic scale."""
    return math.exp(random.uniform(math.log(0.5), math.log(300)))


def _rounding(random: Random) -> Callable[[float], int]:
    """Most servers round a Retry-After up; some round it down."""
    return random.choice([math.ceil, math.ceil, math.ceil, math.floor])


def _random_bucket(random: Random) -> Server:
    rate = _rate(random)
    return TokenBucket(rate, random.randint(5, max(5, round(2 * rate))))


def _random_gcra(random: Random) -> Server:
    rate = _rate(random)
    return Gcra(rate, random.randint(5, max(5, round(rate))), retry_after=math.ceil)


def _quota(random: Random, period: float) -> int:
    return max(5, round(_rate(random) * period))


def _random_window(random: Random) -> Server:
    period = random.choice([2, 5, 10, 15, 30, 60])
    return FixedWindow(
        _quota(random, period), period, random.uniform(0, period), retry_after=_rounding(random)
    )


def _random_headers(random: Random) -> Server:
    period = random.choice([1, 2, 5, 10, 15, 30, 60])
    phase = random.uniform(0, period)
    return FixedWindow(_quota(random, period), period, phase, announces=True, retry_after=_rounding(random))


def _random_silent_window(random: Random) -> Server:
    period = random.choice([5, 10, 15, 30, 60])
    return FixedWindow(_quota(random, period), period, random.uniform(0, period))


def _random_sliding(random: Random) -> Server:
    period = random.choice([2, 5, 10, 30, 60])
    return SlidingLog(_quota(random, period), period, retry_after=random.choice([None, math.ceil]))


def _random_both(random: Random) -> Server:
    quota = random.randint(10, 100)
    second = FixedWindow(quota, 1, random.uniform(0, 1))
    minute = FixedWindow(round(quota * random.uniform(15, 50)), 60, random.uniform(0, 60))
    return Both(second, minute, retry_after=math.ceil)


_ANY = Target(95, worst=85), Target(97, worst=90)

RANDOM_KINDS = (
    Scenario("random token buckets, silent", _random_bucket, *_ANY),
    Scenario("random GCRA, Retry-After", _random_gcra, *_ANY),
    Scenario("random windows, Retry-After", _random_window, *_ANY),
    Scenario("random windows, headers", _random_headers, *_ANY),
    Scenario("random windows, silent", _random_silent_window, *_ANY),
    Scenario("random sliding logs", _random_sliding, *_ANY),
    Scenario("random pairs of limits", _random_both, *_ANY),
)
