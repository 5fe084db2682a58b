"""The benchmarks of rate limits: how their servers respond, how their clients queue, and their scores."""

import math
import re
import subprocess
import sys
from collections import deque
from random import Random

import pytest

from tests.benchmarks.rate import client, simulation
from tests.benchmarks.rate.baselines import RetryOnly
from tests.benchmarks.rate.disturbance_cases import DISTURBANCES, Disturbance
from tests.benchmarks.rate.disturbed_servers import (
    InFlight,
    Outage,
    Scheduled,
    StrayRefusals,
    Unlimited,
    empty,
    half_spent,
)
from tests.benchmarks.rate.ideal import ideal_seconds
from tests.benchmarks.rate.limiter import OurLimiter
from tests.benchmarks.rate.recovery import Kind, Moment, refusals, seconds_to_limit, share
from tests.benchmarks.rate.schedules import EVEN, WINDOWS, schedule
from tests.benchmarks.rate.servers import LOST, FixedWindow, Gcra, Server, SlidingLog, TokenBucket
from tests.benchmarks.rate.timing import Timing, service

pytestmark = pytest.mark.slow


def _statuses(server: Server, *times: float) -> list[int]:
    return [server.respond(time)[0] for time in times]


def test_service_is_written_in_milliseconds_for_a_success_and_a_refusal() -> None:
    timing = service("300/1")
    assert (timing.success, timing.refusal) == (0.3, 0.001)
    assert (timing.service(200), timing.service(429), str(timing)) == (0.3, 0.001, "300/1")


@pytest.mark.parametrize(
    "server", [TokenBucket(10, 5), Gcra(10, 5), FixedWindow(10, 1), SlidingLog(10, 1)], ids=str
)
def test_an_empty_server_refuses_its_first_call(server: Server) -> None:
    assert _statuses(empty(server), 0.0) == [429]


def test_no_call_is_accepted_while_a_server_is_in_debt() -> None:
    assert _statuses(empty(TokenBucket(10, 5), debt=2.0), 2.0, 2.2) == [429, 200]


def test_half_of_a_window_can_be_spent() -> None:
    assert _statuses(half_spent(FixedWindow(4, 1)), 0.0, 0.0, 0.0) == [200, 200, 429]


def test_a_limit_of_calls_in_flight_accepts_another_once_one_is_done() -> None:
    assert _statuses(InFlight(2, 0.5), 0.0, 0.1, 0.2, 0.5, 0.55) == [200, 200, 429, 200, 429]


def test_calls_are_accepted_before_and_after_but_not_in_an_outage() -> None:
    server = Scheduled(deque([(0.0, Unlimited())]), [Outage(1, 2), Outage(3, 4, LOST)])
    assert _statuses(server, 0.5, 1.0, 1.9, 2.0, 3.5, 4.0) == [200, 429, 429, 200, LOST, 200]


def test_an_outage_can_announce_its_end() -> None:
    server = Scheduled(deque([(0.0, Unlimited())]), [Outage(1, 5, retry_after=math.ceil)])
    assert server.respond(1.5) == (429, {"Retry-After": "4"})


def test_a_restart_fills_the_store() -> None:
    server = Scheduled(deque([(0.0, TokenBucket(1, 2)), (0.5, TokenBucket(1, 2))]))
    assert _statuses(server, 0.0, 0.0, 0.4, 0.5, 0.5, 0.5) == [200, 200, 429, 200, 200, 429]


def test_a_stray_refusal_is_chosen_by_request_or_call_and_spends_nothing() -> None:
    server = StrayRefusals(TokenBucket(1, 2), lambda sending, call: sending == 1 or call == 7)
    assert [server.respond(0.0, call)[0] for call in (1, 1, 7, 1, 1)] == [429, 200, 429, 200, 429]
    assert server.refused_at == [0.0, 0.0]


def test_the_omniscient_client_waits_for_service_and_for_an_outage() -> None:
    timing = Timing(round_trip=1e-6, success=0.5)
    assert ideal_seconds(Unlimited(), 128, 1, timing) == pytest.approx(1.0, abs=1e-3)
    outage = Scheduled(deque([(0.0, Unlimited())]), [Outage(0.25, 3)])
    assert ideal_seconds(outage, 128, 1, timing) == pytest.approx(3.5, abs=1e-3)


def test_the_limiter_alone_is_about_as_fast_as_in_a_session() -> None:
    timing = service("50/1")
    alone = simulation.run(OurLimiter(Random(1)), TokenBucket(20, 5), 200, 1, 500.0, timing=timing)
    whole = client.run(TokenBucket(20, 5), 200, 1, 500.0, timing=timing)
    assert (alone.finished, whole.finished) == (True, True)
    assert alone.seconds == pytest.approx(whole.seconds, rel=0.05)
    assert alone.refused == pytest.approx(whole.refused, abs=0.02)


class _OneByOne(RetryOnly):
    others_first: int | None = 1

    def earliest(self, now: float, in_flight: int) -> float:
        return math.inf if in_flight else now

    def back_off(self, *_: object) -> float:
        return 0.0


def test_after_a_refusal_another_call_is_sent_first() -> None:
    calls = []

    def refuse(number: int, call: int) -> bool:
        calls.append(call)
        return number == 1

    simulation.run(_OneByOne(Random(1)), StrayRefusals(Unlimited(), refuse), 3, 1, 10.0)
    assert calls == [0, 1, 0, 2]


def test_a_rival_shares_the_limit_from_its_begin_to_its_end() -> None:
    rival = simulation.Rival(RetryOnly, begin=5.0, end=10.0)
    run = simulation.run(RetryOnly(Random(1)), TokenBucket(50, 5), None, 1, 20.0, rivals=[rival])
    accepted = [at for at, status in run.rivals[0].responses if status == 200]
    assert accepted
    assert min(accepted) >= 5.0
    assert max(accepted) < 10.1
    assert not run.finished


def test_a_run_can_end_without_the_excused_calls() -> None:
    server = StrayRefusals(Unlimited(), lambda _, call: call == 3)
    assert simulation.run(RetryOnly(Random(1)), server, 10, 1, 60.0, excused=1).finished


def test_the_limit_is_reached_once_nine_tenths_of_it_are_used() -> None:
    slow = [float(second) for second in range(10)]
    fast = [10 + number / 10 for number in range(100)]
    reached = seconds_to_limit([*slow, *fast], begin=0.0, end=20.0, allowed=10.0)
    assert reached == pytest.approx(9.7, abs=0.11)
    assert seconds_to_limit(slow, begin=0.0, end=10.0, allowed=10.0) is None


def test_a_slow_limit_is_judged_by_eight_calls() -> None:
    paced = [4.0 * number for number in range(10)]
    assert seconds_to_limit(paced, begin=0.0, end=40.0, allowed=0.25) == 0.0


def test_a_window_is_judged_by_its_period() -> None:
    bursts = [window * 10 + number / 100 for window in range(3) for number in range(100)]
    assert seconds_to_limit(bursts, begin=5.0, end=30.0, allowed=10.0, period=10.0) == 0.0


def test_the_share_of_a_limit_is_counted_from_begin_to_end() -> None:
    accepted = [number / 10 for number in range(50)]
    assert share(accepted, begin=0.0, end=10.0, allowed=10.0) == pytest.approx(50.0)


def test_refusals_shortly_after_a_moment_and_stray_ones_are_not_counted() -> None:
    moments = [Moment(0.0, Kind.START), Moment(100.0, Kind.RISE)]
    responses = [(14.0, 429), (16.0, 429), (17.0, 200), (20.0, 429), (101.0, 429), (116.0, 429), (121.0, 429)]
    counted = refusals(responses, moments, end=120.0, unavoidable=frozenset({20.0}))
    assert (counted.count, counted.sent) == (2, 4)
    assert counted.seconds == pytest.approx(90.0)
    assert not counted.too_many


def test_ten_refusals_a_minute_are_accepted_and_eleven_are_not() -> None:
    moments = [Moment(0.0, Kind.START)]
    responses = [(20.0 + number, 429) for number in range(11)]
    assert not refusals(responses[:10], moments, 75.0, frozenset()).too_many
    assert refusals(responses, moments, 75.0, frozenset()).too_many


@pytest.mark.parametrize("family", [EVEN, WINDOWS])
def test_a_random_schedule_is_the_same_for_the_same_number(family: str) -> None:
    first, again, other = schedule(family, 1), schedule(family, 1), schedule(family, 2)
    assert (first.name, first.moments, first.within) == (again.name, again.moments, again.within)
    assert first.name != other.name
    times = [moment.at for moment in first.moments]
    assert times == sorted(times)
    responses = [
        [server.respond(number / 50) for number in range(200)]
        for server in (first.server(1, Timing()), again.server(2, Timing()))
    ]
    assert responses[0] == responses[1]


@pytest.mark.parametrize("row", DISTURBANCES, ids=lambda row: row.name)
def test_each_row_can_be_finished_by_an_omniscient_client(row: Disturbance) -> None:
    assert row.calls is not None
    timing = row.timing(Timing())
    seconds = ideal_seconds(row.omniscient(1, Timing()), row.calls - row.excused, 1, timing)
    assert row.moments[-1].at < seconds


def test_the_table_of_disturbances_is_printed() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.rate.disturbances", "--quick", "--only", "half spent"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\| sliding 300 per 10 s, half spent +\| 0/0 +\| [+-]\d+\.\d s / \d+ ", done.stdout)
