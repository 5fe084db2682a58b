"""What the adaptive limiter guarantees with any server, whatever happens to it: no crawl and no storm."""

import math
from collections import deque
from enum import StrEnum

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.benchmarks.rate.disturbance_cases import Disturbance
from tests.benchmarks.rate.disturbed_servers import Outage, Scheduled, StrayRefusals, Unlimited, empty
from tests.benchmarks.rate.measuring import Outcome, measure
from tests.benchmarks.rate.recovery import DEADLINES, Kind, Moment, span
from tests.benchmarks.rate.servers import FixedWindow, Gcra, Server, TokenBucket
from tests.benchmarks.rate.table import OURS
from tests.benchmarks.rate.timing import Timing

pytestmark = pytest.mark.slow

# Below a call a second the limit is found up to half a minute after an outage: `span` is 8 calls.
_SLOWEST, _FASTEST = 1.0, 300.0  # calls a second
# Up to 1.3 calls a second, the first minute has 11 to 14 refusals; the following ones have 4 or 5.
_SLOWEST_WITHOUT_STORM = 2.0
_REST = 30.0  # seconds without an event, at the end of a run


class Model(StrEnum):
    """How a server counts."""

    BUCKET = "bucket"
    GCRA = "gcra"
    WINDOW = "window"


@attrs.frozen
class Limit:
    """A kind of server, at any rate.

    Attributes:
        model: How it counts.
        seconds: Its burst in seconds of its rate, or its period.
        retry_after: Whether refusals have a Retry-After, in whole seconds, rounded up.
    """

    model: Model
    seconds: float
    retry_after: bool

    @property
    def period(self) -> float:
        """Seconds over which its rate is an average."""
        return self.seconds if self.model is Model.WINDOW else 0.0

    def at(self, rate: float) -> Server:
        """A server of this kind that allows `rate` calls a second, and whose store is full."""
        store, retry_after = max(5, round(rate * self.seconds)), math.ceil if self.retry_after else None
        if self.model is Model.WINDOW:
            return FixedWindow(store, self.seconds, retry_after=retry_after)
        if self.model is Model.GCRA:
            return Gcra(rate, store, retry_after=retry_after)
        return TokenBucket(rate, store, retry_after=retry_after)


@attrs.frozen
class Event:
    """What happens to a server.

    Attributes:
        after: Seconds since the end of the event before.
        kind: `RISE`, `FALL` or `OUTAGE`.
        size: The factor by which the limit rises or falls, or how many seconds the outage lasts.
    """

    after: float
    kind: Kind
    size: float


@attrs.frozen
class Case:
    """A server, what happens to it, and the network between.

    Attributes:
        limit: What kind of server it is.
        rate: Calls a second that it allows at first; infinity for no limit.
        debt: Seconds' worth of calls that it owes at the start; None where its store is full.
        stray: The number of a call that is refused although the limit permits it; 0 for none.
        events: What happens.
        timing: How long network and server take.
        seed: Of the network's jitter.
        rest: Seconds after the last event.
    """

    limit: Limit
    rate: float
    debt: float | None = None
    stray: int = 0
    events: tuple[Event, ...] = ()
    timing: Timing = Timing()  # noqa: RUF009 - it is frozen
    seed: int = 0
    rest: float = 0.0

    def outcome(self) -> Outcome:
        """What a client reaches."""
        servers, outages, moments = [(0.0, self.rate)], [], [Moment(0.0, Kind.START)]
        now = 0.0
        for event in self.events:
            now += event.after
            moments.append(Moment(now, event.kind))
            if event.kind is Kind.OUTAGE:
                outages.append(Outage(now, now + event.size))
                now += event.size
                moments.append(Moment(now, Kind.BACK))
                continue
            factor = event.size if event.kind is Kind.RISE else 1 / event.size
            servers.append((now, max(_SLOWEST, servers[-1][1] * factor)))

        def build(_: object, __: object) -> Server:
            stages = [(at, Unlimited() if rate > _FASTEST else self.limit.at(rate)) for at, rate in servers]
            if self.debt is not None and self.rate <= _FASTEST:
                empty(stages[0][1], self.debt)
            server = Scheduled(deque(stages), outages)
            return StrayRefusals(server, lambda sending, _: sending == self.stray)

        slowest = min(rate for _, rate in servers)
        rest = self.rest or _REST + self.limit.period + span(slowest, self.limit.period)
        row = Disturbance(
            "", build, None, tuple(moments), round_trip=self.timing.round_trip, within=now + rest
        )
        return measure(row, self.timing, OURS, self.seed)

    def late(self) -> list[str]:
        """The events after which the client reached the limit later than promised."""
        return [
            f"{kind}: {seconds}"
            for kind, seconds in self.outcome().back
            if seconds is None or seconds > DEADLINES[kind] + self.limit.period
        ]


def between(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of three digits, evenly distributed on a logarithmic scale."""
    return st.floats(math.log(low), math.log(high)).map(lambda power: float(f"{math.exp(power):.3g}"))


rates = between(_SLOWEST, _FASTEST)
even = st.builds(Limit, st.sampled_from([Model.BUCKET, Model.GCRA]), between(0.05, 5), st.booleans())
silent = st.builds(Limit, st.sampled_from([Model.BUCKET, Model.GCRA]), between(0.05, 5), st.just(False))
windows = st.builds(Limit, st.just(Model.WINDOW), st.sampled_from([2.0, 5.0, 10.0, 60.0]), st.just(True))


def timing(round_trip: float, success: float) -> st.SearchStrategy[Timing]:
    """Networks with this round trip, and servers that take `success` seconds or more for an accepted call."""
    return st.builds(Timing, st.just(round_trip), between(success, 0.5), st.sampled_from([0.0, 0.001, 0.005]))


far = timing(0.06, 0.001)
short = st.builds(Timing, st.just(0.06), between(0.001, 0.05), st.just(0.001))
near = timing(0.001, 0.001)
busy = timing(0.001, 0.15) | timing(0.06, 0.1)  # slow to run: 400 calls a second without a limit
seeds = st.integers(0, 100)
debts = st.none() | st.floats(0, 5)
strays = st.sampled_from([0, 0, 1, 2, 30])
soon = between(2, 100)


few = settings(max_examples=8, deadline=None, derandomize=True)


def cases(
    limit: st.SearchStrategy[Limit],
    *events: st.SearchStrategy[Event],
    rate: st.SearchStrategy[float] = rates,
    timing: st.SearchStrategy[Timing] = far | near,
) -> st.SearchStrategy[Case]:
    """Servers of these kinds to which these events happen."""
    return st.builds(Case, limit, rate, debts, strays, st.tuples(*events), timing, seeds)


def event(
    kind: Kind, size: st.SearchStrategy[float], after: st.SearchStrategy[float]
) -> st.SearchStrategy[Event]:
    """Events of one kind."""
    return st.builds(Event, after, st.just(kind), size)


outages = event(Kind.OUTAGE, between(0.1, 120), soon)  # and short ones
rises = event(Kind.RISE, between(1.5, 1_000), between(2, 600))
falls = event(Kind.FALL, between(1.5, 100), soon)


class TestNoCrawl:
    """Seconds until 90 % of the limit is used. Servers that count in windows get a period more."""

    @few
    @given(cases(even | windows))
    def test_ten_seconds_after_a_start_the_limit_is_used(self, case: Case) -> None:
        assert not case.late()

    @few
    @given(st.builds(Case, silent, st.just(math.inf), stray=strays, timing=busy, seed=seeds))
    def test_ten_seconds_after_a_stray_refusal_without_a_limit_the_speed_is_full(self, case: Case) -> None:
        assert not case.late()

    @few
    @given(cases(even | windows, outages))
    def test_fifteen_seconds_after_an_outage_the_limit_is_used(self, case: Case) -> None:
        assert not case.late()

    @few
    @given(cases(even, rises, timing=busy))
    def test_twenty_five_seconds_after_a_rise_the_limit_is_used(self, case: Case) -> None:
        assert not case.late()

    # Calls of at most 110 ms: slower ones leave too little time in a window to probe its quota.
    @few
    @given(cases(windows, event(Kind.RISE, between(1.5, 30), soon), rate=between(1, 10), timing=short))
    def test_twenty_five_seconds_after_the_rise_of_a_window_the_limit_is_used(self, case: Case) -> None:
        assert not case.late()

    @few
    @given(cases(silent, falls, rises, timing=busy))
    def test_after_a_fall_and_a_rise_the_limit_is_used(self, case: Case) -> None:
        assert not case.late()


class TestNoStorm:
    @few
    @given(
        st.builds(
            Case,
            silent,
            between(_SLOWEST_WITHOUT_STORM, _FASTEST),
            debts,
            strays,
            timing=far | near,
            seed=seeds,
            rest=st.just(75.0),
        )
    )
    def test_after_a_start_refusals_are_at_most_1_percent_or_10_a_minute(self, case: Case) -> None:
        assert not case.outcome().refusals.too_many
