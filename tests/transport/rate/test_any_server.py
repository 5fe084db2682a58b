"""What holds in whole runs, whatever the server responds."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupify_async._transport.rate.headers import TimeInterval
from tests.support.rate_simulation import LOST, OK, UNUSED, Reply, Run, adaptive

pytestmark = pytest.mark.slow

seconds = st.one_of(st.none(), st.integers(0, 200).map(float))
any_wait = st.one_of(seconds, st.floats(0, 150))
text = st.sampled_from(
    ["0", "1", "5", "-1", "nan", "1e10", "10000000000", "1800000000", "1800000000000", "60", "9" * 400, "3.5"]
)
any_headers: st.SearchStrategy[dict[str, str]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"X-RateLimit-Remaining": text, "X-RateLimit-Reset": text}),
    st.builds(lambda r, t: {"RateLimit": f'"x";r={r};t={t}'}, text, text),
)
round_trips = st.sampled_from([0.0, 0.001, 0.06, 0.06, 0.3, 7.0])


def replies(
    waits: st.SearchStrategy[float | None], headers: st.SearchStrategy[dict[str, str]]
) -> st.SearchStrategy[Reply]:
    accepted = st.builds(Reply, st.just(200), st.none(), headers, round_trips)
    refused = st.builds(Reply, st.just(429), waits, headers, round_trips)
    return st.one_of(accepted, accepted, refused, refused, st.sampled_from([OK, LOST, UNUSED]))


def run_through(script: list[Reply], max_concurrency: int = 64) -> Run:
    """A run in which the server sends these replies, and then accepts all calls."""
    rest = iter(script)
    run = Run(adaptive(max_concurrency=max_concurrency), lambda at: next(rest, OK), max_concurrency)
    while len(run.sent) < len(script) + 20:
        assert math.isfinite(run.limiter.earliest(run.now, 0)) or run.limiter.earliest(run.now, 0) < 0
        run.step()
    return run


@given(st.lists(replies(any_wait, any_headers), max_size=80))
@settings(max_examples=150, deadline=None)
def test_no_call_waits_for_ever(script: list[Reply]) -> None:
    assert len(run_through(script).sent) >= len(script) + 20


@given(st.lists(replies(any_wait, any_headers), max_size=60), st.integers(1, 20))
@settings(deadline=None)
def test_at_most_max_concurrency_calls_are_in_flight(script: list[Reply], max_concurrency: int) -> None:
    limiter = adaptive(max_concurrency=max_concurrency)
    rest = iter(script)
    run = Run(limiter, lambda at: next(rest, OK), max_concurrency=10**6)
    while len(run.sent) < len(script) + 50:
        run.step()
    assert run.most_in_flight <= max_concurrency


@given(st.lists(replies(seconds, st.just({})), max_size=80))
@settings(max_examples=150, deadline=None)
def test_after_a_refusal_at_most_one_probe_is_sent_before_its_earliest_end(script: list[Reply]) -> None:
    run = run_through(script)
    end: TimeInterval | None = None
    responses = iter(run.responses)
    following = next(responses, None)
    probes: list[float] = []
    probed = False
    accepted: dict[float, float] = {}
    for now, sent_time, reply in run.responses:
        if reply.status == 200:
            accepted.setdefault(sent_time, now)
    for sending in run.sent:
        if any(accepted.get(probe, math.inf) <= sending for probe in probes):
            return  # the pause is refuted: it concerns only the refused calls
        while following is not None and following[0] < sending:
            now, sent_time, reply = following
            if reply.retry_after is not None:
                span = TimeInterval(sent_time + reply.retry_after - 1, now + reply.retry_after)
                end = (end.intersect(span) if end is not None else None) or span
                probed = False
            following = next(responses, None)
        if end is not None and sending < end.low - 1e-6:
            assert not probed
            probes.append(sending)
            probed = True


@given(st.integers(1, 60), st.floats(0.02, 2), st.floats(1.1, 3))
def test_a_retry_after_that_grows_is_followed(count: int, round_trip: float, factor: float) -> None:
    waits = iter([min(100.0, math.ceil(2 * factor**number)) for number in range(count)])

    def growing(at: float) -> Reply:
        wait = next(waits, None)
        return OK if wait is None else Reply(429, float(wait), takes=round_trip)

    run = Run(adaptive(), growing).until_accepted(5, at_most=20_000)
    assert run.accepted >= 5


@given(st.integers(0, 3), st.floats(1e-3, 1e9))
def test_the_origin_of_the_clock_does_not_matter(kind: int, begin: float) -> None:
    begin = float(int(begin))
    times = []
    for start in (0.0, begin):
        slow = Reply(200, takes=0.075)  # the slow start grows by what calls take, up to 60 ms
        script = iter([slow] * 20 + [Reply(429, [None, 1.0, 3.0, 2.5][kind])] * 3 + [slow] * 60)
        run = Run(adaptive(), lambda at, script=script, slow=slow: next(script, slow), now=start)  # type: ignore[misc]
        while len(run.sent) < 70:
            run.step()
        times.append([round(sending - start, 1) for sending in run.sent])
    assert max(abs(a - b) for a, b in zip(*times, strict=True)) <= 0.3
