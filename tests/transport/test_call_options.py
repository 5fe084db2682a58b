"""Options of one call, which apply to no other call of the session."""

import asyncio

import attrs
import pytest

from backupify_async import (
    BackupifyError,
    RateLimit,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    StaticToken,
    Timeouts,
)
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.call_state import CallOptions, CallState
from backupify_async._transport.session import Session
from backupify_async.config import Settings
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.raw_servers import serving
from tests.support.scripted import PING, UNLIMITED, Script

PATIENT = Timeouts()


def options(**changes: object) -> CallOptions:
    return attrs.evolve(CallOptions(PATIENT, RetryPolicy(base=0)), **changes)  # type: ignore[arg-type]


class TestTimeouts:
    @pytest.mark.looptime
    async def test_of_the_total_end_one_call_and_no_other(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=5), rate_limit=UNLIMITED) as session:
            short = session.carry(CallState(PING, options(timeouts=Timeouts(total=1))))
            results = await asyncio.gather(short, session.send(PING), return_exceptions=True)
        assert isinstance(results[0], RequestTimeout)
        assert (results[0].limit, results[0].seconds) == ("total", 1)
        assert not isinstance(results[1], BaseException)

    @pytest.mark.parametrize("limit", ["read", "attempt"])
    async def test_of_an_attempt_are_kept_by_the_transport(self, limit: str) -> None:
        async with serving(None) as server:
            settings = Settings(credentials=StaticToken("t"), base_url=server.base_url)
            session = Session(settings, AiohttpTransport())
            await session.open()
            try:
                short = options(timeouts=Timeouts(**{limit: 0.05}), retry=RetryPolicy(attempts=1))
                with pytest.raises(RequestTimeout) as caught:
                    await session.carry(CallState(PING, short))
            finally:
                await session.close()
        assert (caught.value.limit, caught.value.seconds) == (limit, 0.05)


class TestRetry:
    @pytest.mark.parametrize("attempts", [1, 3])
    async def test_attempts_are_those_of_the_call(self, attempts: int) -> None:
        transport = FakeTransport(Script(*[500] * 9))
        async with session_over(transport) as session:
            with pytest.raises(ServerError):
                await session.carry(CallState(PING, options(retry=RetryPolicy(attempts=attempts, base=0))))
        assert len(transport.sent) == attempts

    async def test_the_budget_is_that_of_the_client(self) -> None:
        transport = FakeTransport(Script(*[500] * 9))
        async with session_over(transport, retry=RetryPolicy(budget=5)) as session:
            with pytest.raises(BackupifyError, match="budget"):
                await session.carry(
                    CallState(PING, options(retry=RetryPolicy(attempts=9, base=0, budget=500)))
                )
        assert len(transport.sent) == 2


@pytest.mark.looptime
async def test_a_background_call_waits_for_other_calls() -> None:
    transport = FakeTransport(Script())
    async with session_over(transport, rate_limit=RateLimit(1, burst=1, adaptive=False)) as session:
        await session.send(PING)
        background = asyncio.create_task(session.carry(CallState(PING, options(background=True))))
        await asyncio.sleep(0)
        foreground = asyncio.create_task(session.send(PING))
        done, _ = await asyncio.wait({background, foreground}, return_when=asyncio.FIRST_COMPLETED)
        assert done == {foreground}
        await background
