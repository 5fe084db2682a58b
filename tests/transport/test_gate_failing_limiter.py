"""The gate over a limiter that raises: it fails the call whose turn it is, and no call waits for ever."""

import asyncio
import math

import pytest

from backupify_async._transport.gate import Gate
from backupify_async._transport.outage import Outage
from backupify_async._transport.rate import Estimate, Observation, Ticket
from backupify_async.statistics import LimitSource
from tests.support.scripted import settled

pytestmark = pytest.mark.looptime


class Limiter:
    """Has a slot at `free_at`. From `fails_at` on each method raises the next of its errors."""

    paused_until = -math.inf

    def __init__(self, *errors: str, free_at: float = 1.0, fails_at: float = 1.0) -> None:
        self.errors = {method: [RuntimeError(method)] for method in errors}
        self.free_at, self.fails_at = free_at, fails_at

    def fail(self, method: str) -> None:
        if asyncio.get_running_loop().time() >= self.fails_at and self.errors.get(method):
            raise self.errors[method].pop()

    @property
    def blocked_until(self) -> float:
        self.fail("blocked_until")
        return -math.inf

    def earliest(self, at: float, _in_flight: int) -> float:
        self.fail("earliest")
        return max(at, self.free_at)

    def on_send(self, at: float) -> Ticket:
        self.fail("on_send")
        return Ticket(at)

    def on_cancel(self, at: float, ticket: Ticket) -> None:
        self.fail("on_cancel")

    def on_no_response(self, at: float, ticket: Ticket) -> None:
        self.fail("on_no_response")

    def on_response(self, ticket: Ticket, observation: Observation) -> None: ...

    def estimate(self, _at: float) -> Estimate:
        return Estimate(LimitSource.NONE)


def outage_from_now_on() -> Outage:
    outage = Outage(300.0)
    outage.on_success(-1.0, -1.0, of_api=True)
    for number in range(64):
        outage.on_failure(0.0, 0.0, str(number))
    assert outage.down_since is not None
    return outage


def outcomes(tasks: list[asyncio.Task[Ticket]]) -> list[str]:
    return [str(task.exception()) if task.exception() else "granted" for task in tasks]


@pytest.mark.parametrize("method", ["blocked_until", "earliest", "on_send"])
class TestALimiterThatRaises:
    async def test_in_a_timer_fails_only_the_oldest_call(self, method: str) -> None:
        gate = Gate(Limiter(method), max_concurrency=64)
        tasks = [asyncio.create_task(gate.acquire()) for _ in range(3)]
        async with asyncio.timeout(10):
            await asyncio.wait(tasks)
        assert outcomes(tasks) == [method, "granted", "granted"]
        assert gate.in_flight == 2

    async def test_during_a_release_does_not_fail_the_call_that_has_ended(self, method: str) -> None:
        gate = Gate(Limiter(method, free_at=0.0), max_concurrency=1)
        ticket = await gate.acquire()
        tasks = [asyncio.create_task(gate.acquire()) for _ in range(2)]
        await asyncio.sleep(2)
        gate.release(ticket)
        await settled()
        assert outcomes(tasks[:1]) == [method]
        assert outcomes(tasks[1:]) == ["granted"]

    async def test_for_a_probe_of_a_server_that_is_down_fails_one_call(self, method: str) -> None:
        gate = Gate(
            Limiter(method, free_at=0.0, fails_at=0.0), max_concurrency=64, outage=outage_from_now_on()
        )
        tasks = [asyncio.create_task(gate.acquire()) for _ in range(2)]
        async with asyncio.timeout(30):
            await asyncio.wait(tasks)
        assert outcomes(tasks) == [method, "granted"]

    async def test_each_time_fails_each_waiting_call(self, method: str) -> None:
        limiter = Limiter(method)
        limiter.errors[method] = [RuntimeError(method) for _ in range(9)]
        gate = Gate(limiter, max_concurrency=64)
        tasks = [asyncio.create_task(gate.acquire()) for _ in range(3)]
        async with asyncio.timeout(10):
            await asyncio.wait(tasks)
        assert outcomes(tasks) == [method] * 3
        assert gate.in_flight == gate.waiting == 0


class TestALimiterThatRaisesForASingleCall:
    async def test_in_on_send_keeps_no_permit(self) -> None:
        gate = Gate(Limiter("on_send", free_at=0.0, fails_at=0.0), max_concurrency=1)
        with pytest.raises(RuntimeError, match="on_send"):
            gate.try_acquire(0.0)
        assert gate.in_flight == 0

    @pytest.mark.parametrize(("method", "unused"), [("on_cancel", True), ("on_no_response", False)])
    async def test_at_its_end_does_not_hold_up_the_next_call(self, method: str, unused: bool) -> None:
        gate = Gate(Limiter(method, free_at=0.0), max_concurrency=1)
        ticket = await gate.acquire()
        waiting = asyncio.create_task(gate.acquire())
        await asyncio.sleep(2)
        with pytest.raises(RuntimeError, match=method):
            gate.release(ticket, unused=unused)
        await settled()
        assert outcomes([waiting]) == ["granted"]


async def test_a_token_request_gets_the_error_of_a_limiter_that_raises_while_it_waits() -> None:
    gate = Gate(
        Limiter("earliest", free_at=0.0, fails_at=0.0), max_concurrency=64, outage=outage_from_now_on()
    )
    with pytest.raises(RuntimeError, match="earliest"):
        await gate.pass_by()
