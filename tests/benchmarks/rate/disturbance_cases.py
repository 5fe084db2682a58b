"""The rows of the table of disturbances: each with a server, what happens to it, and when."""

import math
from collections import deque
from collections.abc import Callable
from random import Random

import attrs

from tests.benchmarks.rate.baselines import RetryOnly
from tests.benchmarks.rate.disturbed_servers import (
    InFlight,
    Outage,
    Scheduled,
    StrayRefusals,
    Unlimited,
    empty,
    half_spent,
)
from tests.benchmarks.rate.recovery import Kind, Moment
from tests.benchmarks.rate.servers import LOST, Both, FixedWindow, Gcra, Server, SlidingLog, TokenBucket
from tests.benchmarks.rate.simulation import Rival
from tests.benchmarks.rate.timing import Timing

Build = Callable[[Random, Timing], Server]
_LOOPBACK = 0.001  # seconds of round trip
_START = Moment(0.0, Kind.START)


@attrs.frozen
class Disturbance:
    """One row.

    Attributes:
        name: In a few words.
        build: Makes the server, from random numbers and the time that a call takes.
        calls: How many are sent; None: as many as the time permits, until `within`.
        moments: When the server changes, in order.
        round_trip: Median, in seconds.
        least_service: The least seconds that the server works on an accepted call.
        rivals: Other clients.
        ideal: Makes the server of the omniscient client, if that is another.
        excused: How many calls need not be accepted.
        silent_window: Whether botocore's rule is permitted to be better.
        within: Seconds of a run with `calls=None`.
    """

    name: str
    build: Build
    calls: int | None
    moments: tuple[Moment, ...] = (_START,)
    round_trip: float = attrs.field(default=0.060, kw_only=True)
    least_service: float = attrs.field(default=0.0, kw_only=True)
    rivals: tuple[Rival, ...] = attrs.field(default=(), kw_only=True)
    ideal: Build | None = attrs.field(default=None, kw_only=True)
    excused: int = attrs.field(default=0, kw_only=True)
    silent_window: bool = attrs.field(default=False, kw_only=True)
    within: float = attrs.field(default=0.0, kw_only=True)

    def timing(self, service: Timing) -> Timing:
        """How long its network and server take, if servers take as long as `service` says."""
        success = max(service.success, self.least_service)
        return attrs.evolve(service, round_trip=self.round_trip, success=success)

    def server(self, seed: int, service: Timing) -> Server:
        """A server of this row, the same for the same seed."""
        return self.build(Random(f"{self.name} {seed}"), self.timing(service))

    def omniscient(self, seed: int, service: Timing) -> Server:
        """The server of the omniscient client."""
        return (self.ideal or self.build)(Random(f"{self.name} {seed}"), self.timing(service))


def _bucket(
    rate: float, burst: int, *changes: tuple[float, float], status: int = 429
) -> Callable[[], TokenBucket]:
    return lambda: TokenBucket(rate, burst, deque(changes), status=status)


def _plain(make: Callable[[], Server]) -> Build:
    return lambda _, __: make()


def _with(make: Callable[[], Server], *outages: Outage) -> Build:
    return lambda _, __: Scheduled(deque([(0.0, make())]), outages)


def _restarted(make: Callable[[], Server], begin: float, end: float, status: int) -> Build:
    outage = Outage(begin, end, status)
    return lambda _, __: Scheduled(deque([(0.0, make()), (end, make())]), [outage])


def _strays(make: Callable[[], Server], strays: Callable[[int, int], bool]) -> Build:
    return lambda _, __: StrayRefusals(make(), strays)


def _random_strays(random: Random, _: Timing) -> Server:
    return StrayRefusals(Unlimited(), lambda _, __: random.random() < 0.002)


def _in_flight(status: int) -> Build:
    return lambda _, timing: InFlight(10, timing.success, status=status)


def _then(*moments: tuple[float, Kind]) -> tuple[Moment, ...]:
    return (_START, *(Moment(at, kind) for at, kind in moments))


def _out(begin: float, end: float) -> tuple[Moment, ...]:
    return _then((begin, Kind.OUTAGE), (end, Kind.BACK))


_50 = _bucket(50, 10)
_100 = _bucket(100, 20)
_RETRYING_RIVAL = Rival(RetryOnly, 0.0, 20.0)
_FAIR_SHARE = _bucket(25, 10, (20.0, 50.0))  # half of 50 a second while there is another client

DISTURBANCES = (
    Disturbance("stray 429 to the first call, no limit", _strays(Unlimited, lambda n, _: n == 1), 5_000),
    Disturbance("2 of 1,000 refused at random, no limit", _random_strays, 5_000),
    Disturbance("83/s burst 17, 1 s in debt", lambda _, __: empty(TokenBucket(83, 17), 1.0), 5_000),
    Disturbance("83/s burst 17, empty", lambda _, __: empty(TokenBucket(83, 17)), 5_000),
    Disturbance("5/s burst 5, 5 s in debt", lambda _, __: empty(TokenBucket(5, 5), 5.0), 1_000),
    Disturbance(
        "1,000 per 60 s with Retry-After, half spent",
        lambda _, __: half_spent(FixedWindow(1000, 60, 20.0, retry_after=math.ceil)),
        3_000,
    ),
    Disturbance("50/s, refused from 10 to 20 s", _with(_50, Outage(10, 20)), 2_000, _out(10, 20)),
    Disturbance(
        "50/s, refused from 10 to 20 s, Retry-After",
        _with(_50, Outage(10, 20, retry_after=math.ceil)),
        2_000,
        _out(10, 20),
    ),
    Disturbance("50/s, refused from 20 to 21 s", _with(_50, Outage(20, 21)), 2_500, _out(20, 21)),
    Disturbance("50/s, refused from 60 to 180 s", _with(_50, Outage(60, 180)), 6_000, _out(60, 180)),
    Disturbance(
        "100/s, 1/s from 10 to 30 s",
        _plain(_bucket(100, 20, (10.0, 1.0), (30.0, 100.0))),
        8_000,
        _then((10, Kind.FALL), (30, Kind.RISE)),
    ),
    Disturbance(
        "5/s, from 15 s on 200/s", _plain(_bucket(5, 5, (15.0, 200.0))), 5_000, _then((15, Kind.RISE))
    ),
    Disturbance(
        "5/s, from 300 s on 200/s", _plain(_bucket(5, 5, (300.0, 200.0))), 6_500, _then((300, Kind.RISE))
    ),
    Disturbance(
        "20/s, from 60 s on no limit",
        lambda _, __: Scheduled(deque([(0.0, TokenBucket(20, 10)), (60.0, Unlimited())])),
        6_200,
        _then((60, Kind.RISE)),
    ),
    Disturbance(
        "200/s, from 20 s on 5/s", _plain(_bucket(200, 20, (20.0, 5.0))), 4_300, _then((20, Kind.FALL))
    ),
    Disturbance(
        "60 s of 429 from 0.06 s on, no limit", _with(Unlimited, Outage(0.06, 60)), 300, _out(0.06, 60)
    ),
    Disturbance(
        "300 s of 429 from 0.06 s on, no limit", _with(Unlimited, Outage(0.06, 300)), 300, _out(0.06, 300)
    ),
    Disturbance("20/s without burst, 1 ms away", _plain(lambda: Gcra(20, 1)), 2_000, round_trip=_LOOPBACK),
    Disturbance(
        "40/s burst 200 and 80/s burst 10, 1 ms away",
        _plain(lambda: Both(Gcra(40, 201), Gcra(80, 11))),
        4_000,
        round_trip=_LOOPBACK,
    ),
    Disturbance("50/s burst 10, 1 ms away", _plain(_50), 3_000, round_trip=_LOOPBACK),
    Disturbance(
        "50/s burst 20, 503, 1 ms away", _plain(_bucket(50, 20, status=503)), 3_000, round_trip=_LOOPBACK
    ),
    Disturbance("10 in flight, 1 ms away", _in_flight(429), 3_000, round_trip=_LOOPBACK, least_service=0.02),
    Disturbance(
        "10 in flight, 503, 1 ms away", _in_flight(503), 3_000, round_trip=_LOOPBACK, least_service=0.02
    ),
    Disturbance("100/s, no connection from 20 to 22 s", _restarted(_100, 20, 22, LOST), 5_000, _out(20, 22)),
    Disturbance("100/s, 502 from 20 to 22 s", _restarted(_100, 20, 22, 502), 5_000, _out(20, 22)),
    Disturbance("100/s, no connection from 20 to 50 s", _restarted(_100, 20, 50, LOST), 5_000, _out(20, 50)),
    Disturbance(
        "50/s with 64 rivals that retry, until 20 s",
        _plain(_50),
        3_000,
        _then((20, Kind.RISE)),
        rivals=(_RETRYING_RIVAL,),
        ideal=_plain(_FAIR_SHARE),
    ),
    Disturbance(
        "100/s, one instance of 2,000 always 429",
        _strays(_100, lambda _, call: call == 1_000),
        2_000,
        excused=1,
    ),
    Disturbance(
        "1,000 per 60 s, silent", _plain(lambda: FixedWindow(1000, 60, 20.0)), 5_000, silent_window=True
    ),
    Disturbance("300 per 5 s, silent", _plain(lambda: FixedWindow(300, 5, 2.0)), 5_000, silent_window=True),
    Disturbance("sliding 300 per 10 s, half spent", lambda _, __: half_spent(SlidingLog(300, 10)), 5_000),
)
