"""A call that is cancelled at any of its awaits leaves limiter, permits and scopes unchanged.

The call runs inside `Interrupted`, which counts its suspensions and cancels it at the n-th: once while it
waits, and once in the turn of the loop in which its wait ends. n grows until the call is not cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any

import pytest

from backupify_async import RateLimit, RetryPolicy, StaticToken
from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, Script, after, api_times, now, settled, token_times
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime


class Interrupted:
    """Awaits a call, and cancels the task at its n-th suspension."""

    def __init__(self, call: Awaitable[object], at: int, *, when_done: bool) -> None:
        self._call = call
        self._at = at
        self._when_done = when_done
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, object]:
        steps = self._call.__await__()
        step: Callable[[], Any] = partial(next, steps)
        while True:
            try:
                waited_for = step()
            except StopIteration as done:
                return done.value
            self.suspensions += 1
            if self.suspensions == self._at:
                self._cancel(waited_for)
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - any exception belongs to the call
                step = partial(steps.throw, error)
            else:
                step = partial(next, steps)

    def _cancel(self, waited_for: "asyncio.Future[object] | None") -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._when_done and waited_for is not None:
            waited_for.add_done_callback(lambda _: task.cancel())  # runs before the task's own wake-up
        else:
            asyncio.get_running_loop().call_soon(task.cancel)


class Scenario:
    """What happens to a call, and how often it is suspended at least."""

    def __init__(self, *steps: Any, suspensions: int, request: Request = PING, **options: Any) -> None:
        self.steps = steps
        self.suspensions = suspensions
        self.request = request
        self.options = options


SCENARIOS = {
    "success": Scenario(suspensions=2),
    "trigger": Scenario(request=TRIGGER, suspensions=2),
    "retry after a 500": Scenario(500, suspensions=5),
    "retry after a 503": Scenario((503, after("4")), suspensions=4),
    "pause after a 429": Scenario((429, after("4")), suspensions=4),
    "pause after a 429 without Retry-After": Scenario(429, suspensions=4),
    "replay after a 401": Scenario(401, credentials=DEMO, suspensions=5),
    "wait for a token": Scenario(credentials=DEMO, suspensions=2),
    "wait for a token that is requested twice": Scenario(credentials=DEMO, tokens=(500,), suspensions=2),
    "one permit": Scenario(max_concurrency=1, suspensions=2),
}


async def interrupt(scenario: Scenario, at: int, *, when_done: bool) -> bool:
    """Run a call that is cancelled at its n-th suspension, and check that nothing of it remains.

    Returns:
        Whether it was cancelled.
    """
    options = {"credentials": StaticToken("static-token"), **scenario.options}
    script = Script(*scenario.steps, tokens=options.pop("tokens", ()))
    transport = FakeTransport(script, round_trip=1, max_concurrency=options.pop("max_concurrency", 64))
    limit = RateLimit(per_second=0.25, burst=1, adaptive=False)
    async with session_over(transport, rate_limit=limit, retry=RetryPolicy(base=2), **options) as session:
        if options["credentials"] is not DEMO:
            script.steps.insert(0, 200)
            await session.send(PING)  # so that the call has to wait for a slot
        call = Interrupted(session.send(scenario.request), at, when_done=when_done)
        results = await asyncio.gather(asyncio.ensure_future(_run(call)), return_exceptions=True)
        cancelled = isinstance(results[0], asyncio.CancelledError)
        if cancelled:
            assert_untouched(session, transport)
            script.steps.clear()
            await check_that_a_new_call_is_sent_as_early_as_possible(session, transport)
        else:
            assert call.suspensions >= scenario.suspensions, "the call was suspended too rarely"
        await settled()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return cancelled


async def _run(call: Interrupted) -> object:
    return await call


def assert_untouched(session: Session, transport: FakeTransport) -> None:
    statistics = session.statistics()
    refreshes = [task for task in asyncio.all_tasks() if "token refresh" in task.get_name()]
    assert (statistics.in_flight, statistics.waiting) == (0, 0)
    assert session.scopes.open == set()
    assert transport.in_flight == len(refreshes)
    assert len(asyncio.all_tasks()) == 1 + len(refreshes)


async def check_that_a_new_call_is_sent_as_early_as_possible(
    session: Session, transport: FakeTransport
) -> None:
    """As soon as rate, pause and token permit: a call that was not sent took no slot."""
    earliest = [now(), session._limiter.paused_until, *(at + 4 for at in api_times(transport)[-1:])]
    await session.fetch_token()
    earliest.append(now())
    assert (await session.send(PING)).status == 200
    assert api_times(transport)[-1] == pytest.approx(max(earliest))


@pytest.mark.parametrize("when_done", [False, True], ids=["while it waits", "as the wait ends"])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_call_can_be_cancelled_at_any_await(
    name: str, when_done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", upper_bound)
    at = 1
    while await interrupt(SCENARIOS[name], at, when_done=when_done):
        at += 1
    assert at > SCENARIOS[name].suspensions


async def test_cancelling_one_wait_for_a_token_stops_no_other() -> None:
    transport = FakeTransport(Script(), round_trip=5)
    async with session_over(transport, credentials=DEMO) as session:
        first, second = (asyncio.create_task(session.send(PING)) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await second
    assert (first.cancelled(), token_times(transport), api_times(transport)) == (True, [0], [5])


@pytest.mark.slow
async def test_ten_thousand_calls_cancelled_at_once_leave_nothing() -> None:
    transport = FakeTransport(Script(), round_trip=1)
    async with session_over(transport) as session:
        tasks = [asyncio.create_task(session.send(PING)) for _ in range(10_000)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        statistics = session.statistics()
        assert (statistics.in_flight, statistics.waiting, transport.in_flight) == (0, 0, 0)
        sent = len(transport.sent)
        await session.send(PING)
    assert api_times(transport)[-1] == pytest.approx((sent - 10 + 1) / 10, abs=0.001)
