"""Faults of a user's own transport or limiter harm no other call, and start no second backup."""

import asyncio
import copy
import math
import pickle
from typing import Any

import pytest

from backupify_async import (
    AmbiguousTrigger,
    BackupifyClient,
    ClientClosed,
    LimitSource,
    RateLimit,
    Reconciliation,
    Settings,
    StaticToken,
    Timeouts,
    TransportError,
)
from backupify_async._transport.call_state import CallOptions
from backupify_async._transport.rate import Estimate, Observation, Ticket
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, UNLIMITED, Script, now

pytestmark = pytest.mark.looptime


class SlotlessLimiter:
    """Has no slot in the first runs of `acquire`."""

    paused_until = blocked_until = -math.inf

    def __init__(self, runs_without_slot: int, error: BaseException | None = None) -> None:
        self.runs = 0
        self.runs_without_slot = runs_without_slot
        self.error = error

    def earliest(self, at: float, in_flight: int) -> float:
        return at if self.runs > self.runs_without_slot else math.inf

    async def acquire(self, waiting: int) -> None:
        self.runs += 1
        if self.error is not None:
            error, self.error = self.error, None
            raise error

    def on_send(self, at: float) -> Ticket:
        return Ticket(at)

    def on_cancel(self, at: float, ticket: Ticket) -> None: ...

    def on_no_response(self, at: float, ticket: Ticket) -> None: ...

    def on_response(self, ticket: Ticket, observation: Observation) -> None: ...

    def estimate(self, at: float) -> Estimate:
        return Estimate(LimitSource.NONE)


class TestATimeoutErrorOfTheTransport:
    async def test_is_not_taken_for_the_time_out_of_the_call(self) -> None:
        async def late(_: PreparedRequest) -> Response:
            raise TimeoutError("the user's own")

        transport = FakeTransport(Script())
        transport.slow = late
        async with session_over(transport, timeouts=Timeouts(total=30)) as session:
            with pytest.raises(TimeoutError, match="the user's own"):
                await session.send(PING)


class TestATriggerWhoseTransportFails:
    @pytest.mark.parametrize("given", [None, RuntimeError("broken"), TimeoutError("late")])
    async def test_is_in_doubt(self, given: object) -> None:
        class Broken(FakeTransport):
            async def __call__(self, request: PreparedRequest) -> Response:
                response = await super().__call__(request)
                if request.method != "POST":
                    return response
                if isinstance(given, Exception):
                    raise given
                return given  # type: ignore[return-value]

        transport = Broken(lambda request: respond(request, 404))
        settled = Reconciliation(settling=1, patience=1)
        client = BackupifyClient(
            StaticToken("token"), transport=transport, rate_limit=UNLIMITED, reconciliation=settled
        )
        async with client:
            with pytest.raises(AmbiguousTrigger):
                await client.backups.trigger(1)
        assert [request.method for _, request in transport.sent].count("POST") == 1


class TestATokenRequestWhoseTransportFails:
    async def test_delays_the_next_token_request_like_any_other_failure(self) -> None:
        class Broken(FakeTransport):
            async def __call__(self, request: PreparedRequest) -> Response:
                await super().__call__(request)
                raise RuntimeError("the token is hunter2")

        transport = Broken(Script())
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            calls = [session.send(PING) for _ in range(20)]
            errors = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(error) for error in errors} == {TransportError}
            assert "hunter2" not in str(errors)
        assert len(transport.sent) == 1


class TestAcquire:
    async def test_without_a_slot_runs_again_after_a_growing_delay(self) -> None:
        limiter = SlotlessLimiter(runs_without_slot=8)
        async with session_over(FakeTransport(Script()), limiter=limiter) as session:
            await session.send(PING)
        assert limiter.runs == 9
        assert 0.4 < now() < 1

    async def test_that_is_cancelled_from_within_fails_one_call(self) -> None:
        limiter = SlotlessLimiter(runs_without_slot=1, error=asyncio.CancelledError())
        async with session_over(FakeTransport(Script()), limiter=limiter) as session:
            with pytest.raises(RuntimeError, match="cancelled from within"):
                await session.send(PING)
            assert (await session.send(PING)).status == 200

    async def test_is_ended_when_the_client_is_closed(self) -> None:
        class Waiting(SlotlessLimiter):
            async def acquire(self, waiting: int) -> None:
                await asyncio.sleep(1000)

        async with session_over(FakeTransport(Script()), limiter=Waiting(0)) as session:
            task = asyncio.create_task(session.send(PING))
            await asyncio.sleep(1)
        await asyncio.wait([task])
        assert isinstance(task.exception(), ClientClosed)
        assert asyncio.all_tasks() == {asyncio.current_task()}


class TestClosing:
    async def test_during_opening_closes_what_was_opened(self) -> None:
        steps: list[str] = []

        class Slow(FakeTransport):
            async def open(self, settings: Settings) -> None:
                await asyncio.sleep(1)
                steps.append("open")

            async def close(self) -> None:
                steps.append("close")

        client = BackupifyClient(StaticToken("token"), transport=Slow(Script()), rate_limit=RateLimit(1))
        opening = asyncio.create_task(client.open())
        await asyncio.sleep(0)
        await client.close()
        await asyncio.wait([opening])
        assert (steps, opening.exception() is not None) == (["open", "close"], True)


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy])
async def test_requests_responses_and_options_can_be_neither_pickled_nor_copied(duplicate: Any) -> None:
    transport = FakeTransport(Script())
    async with session_over(transport) as session:
        response = await session.send(PING)
        values = [response, transport.sent[0][1], session.options]
        assert isinstance(session.options, CallOptions)
    for value in values:
        with pytest.raises(TypeError, match="holds a secret"):
            duplicate(value)
