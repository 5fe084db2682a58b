"""Random schedules of any kind of server and start, with an outage, a rise, and a third random change."""

import math
from collections import deque
from collections.abc import Callable
from random import Random

from tests.benchmarks.rate.disturbance_cases import Disturbance
from tests.benchmarks.rate.disturbed_servers import (
    Outage,
    Scheduled,
    StrayRefusals,
    Unlimited,
    empty,
    half_spent,
)
from tests.benchmarks.rate.recovery import Kind, Moment
from tests.benchmarks.rate.servers import LOST, FixedWindow, Gcra, Server, SlidingLog, TokenBucket

Make = Callable[[float], Server]

EVEN = "buckets and GCRA"
WINDOWS = "windows and logs that say when"
_LEAST_REST, _GREATEST_REST, _LONG_REST = 40.0, 90.0, 300.0  # seconds between two moments


def schedule(family: str, number: int) -> Disturbance:
    """The schedule of this number, which is always the same.

    Args:
        family: `EVEN` or `WINDOWS`, which also seeds the random numbers.
        number: Any number.
    """
    random = Random(f"{family} {number}")
    make = _even(random) if family == EVEN else _windows(random)
    rate = _log_uniform(random, 1, 200)
    servers: list[tuple[float, float]] = [(0.0, rate)]
    outages: list[Outage] = []
    moments = [Moment(0.0, Kind.START)]
    events = [Kind.RISE, Kind.OUTAGE, *random.choices([Kind.FALL, Kind.OUTAGE, Kind.RISE], k=1)]
    random.shuffle(events)
    now = 0.0
    for event in events:
        now += _rest(random)
        if event is Kind.OUTAGE:
            outage = _outage(random, now)
            outages.append(outage)
            moments += [Moment(now, Kind.OUTAGE), Moment(outage.end, Kind.BACK)]
            now = outage.end
            continue
        factor = _log_uniform(random, 2, 40)
        rate = min(rate * factor, 3_000.0) if event is Kind.RISE else max(rate / factor, 1.0)
        servers.append((now, rate))
        moments.append(Moment(now, event))
    begins = random.choice(["full", "full", "empty", "in debt", "half spent", "stray"])
    seed = random.random()

    def build(_: object, __: object) -> Server:
        chance = Random(seed)
        first = make(rate_of_first)
        if begins in {"empty", "in debt"}:
            empty(first, chance.uniform(0.5, 5) if begins == "in debt" else 0.0)
        elif begins == "half spent":
            half_spent(first)
        stages = [(0.0, first), *((at, _make_or_unlimited(make, rate)) for at, rate in servers[1:])]
        server = Scheduled(deque(stages), outages)
        return StrayRefusals(server, lambda sending, _: sending == 1) if begins == "stray" else server

    rate_of_first = servers[0][1]
    name = f"{family} {number}: {begins}, " + ", ".join(f"{m.at:.0f} {m.kind}" for m in moments[1:])
    return Disturbance(name, build, None, tuple(moments), within=now + _LEAST_REST)


def _make_or_unlimited(make: Make, rate: float) -> Server:
    return Unlimited() if rate >= 2_000 else make(rate)


def _log_uniform(random: Random, low: float, high: float) -> float:
    return math.exp(random.uniform(math.log(low), math.log(high)))


def _rest(random: Random) -> float:
    if random.random() < 0.15:
        return random.uniform(_GREATEST_REST, _LONG_REST)
    return random.uniform(_LEAST_REST, _GREATEST_REST)


def _outage(random: Random, begin: float) -> Outage:
    seconds = random.uniform(0.2, 1.0) if random.random() < 0.3 else _log_uniform(random, 1, 120)
    retry_after = random.choice([None, None, math.ceil])
    return Outage(begin, begin + seconds, random.choice([429, 429, 429, LOST]), retry_after)


def _even(random: Random) -> Make:
    seconds = _log_uniform(random, 0.1, 2)  # of the rate, which the store holds
    retry_after = random.choice([None, None, math.ceil])
    if random.random() < 0.4:
        return lambda rate: Gcra(rate, max(5, round(rate * seconds)), retry_after=retry_after)
    return lambda rate: TokenBucket(rate, max(5, round(rate * seconds)), retry_after=retry_after)


def _windows(random: Random) -> Make:
    period = random.choice([1, 2, 5, 10])
    phase = random.uniform(0, period)
    announces = random.random() < 0.5
    if not announces and random.random() < 0.3:
        return lambda rate: SlidingLog(max(5, round(rate * period)), period, retry_after=math.ceil)
    return lambda rate: FixedWindow(
        max(5, round(rate * period)), period, phase, announces=announces, retry_after=math.ceil
    )
