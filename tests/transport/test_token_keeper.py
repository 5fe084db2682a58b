"""The token keeper: one refresh at a time, ahead of the token's end, for any number of calls."""

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from backupify_async import (
    AuthenticationError,
    BackupifyError,
    ConfigurationError,
    ServerError,
    Token,
    TransportError,
)
from backupify_async._transport.token_keeper import TokenKeeper
from backupify_async._transport.token_rejections import Rejections
from tests.support.scripted import now, settled


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        assert self.reads < 500, "it loops"
        return self.time


class Source:
    """Returns tokens, or raises; `asked` counts how often."""

    def __init__(self, *gives: Token | Exception) -> None:
        self.gives = list(gives)
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self) -> Token:
        self.asked += 1
        await self.open.wait()
        given = self.gives.pop(0)
        if isinstance(given, Exception):
            raise given
        return given


def keeper(ask: Callable[[], Awaitable[Token]], clock: Clock) -> TokenKeeper:
    return TokenKeeper(ask, clock, lambda _: None)


class TestTheKeeper:
    async def test_it_has_no_token_at_first(self) -> None:
        subject = keeper(Source(), Clock())
        assert subject.current() is None

    async def test_any_number_of_calls_share_one_refresh(self) -> None:
        source = Source(Token("one", 100))
        subject = keeper(source, Clock())
        assert await asyncio.gather(*(subject.get() for _ in range(100))) == ["one"] * 100
        assert source.asked == 1

    async def test_a_cancelled_call_does_not_cancel_the_refresh(self) -> None:
        source = Source(Token("one", 100))
        source.open.clear()
        subject = keeper(source, Clock())
        first, second = (asyncio.create_task(subject.get()) for _ in range(2))
        await settled()
        first.cancel()
        await settled()
        source.open.set()
        assert await second == "one"
        assert source.asked == 1

    async def test_a_token_that_only_a_cancelled_call_waited_for_is_kept_for_the_next(self) -> None:
        source = Source(Token("one", 100))
        source.open.clear()
        subject = keeper(source, Clock())
        waiter = asyncio.create_task(subject.get())
        await settled()
        waiter.cancel()
        source.open.set()
        await settled()
        assert (subject.current(), source.asked) == ("one", 1)

    @pytest.mark.parametrize(("life", "ahead"), [(900, 60), (300, 60), (100, 20), (10, 2), (1, 0.2)])
    async def test_it_refreshes_a_minute_or_a_fifth_of_the_life_ahead_of_the_end(
        self, life: float, ahead: float
    ) -> None:
        clock, source = Clock(), Source(Token("one", life), Token("two", life))
        subject = keeper(source, clock)
        await subject.get()
        clock.time += life - ahead - 0.01
        assert subject.current() == "one"
        await settled()
        assert source.asked == 1
        clock.time += 0.02
        assert subject.current() == "one"  # no call waits while the token is valid
        await settled()
        assert (source.asked, subject.current()) == (2, "two")

    async def test_a_token_that_has_ended_is_not_used(self) -> None:
        clock, source = Clock(), Source(Token("one", 10), Token("two", 10))
        subject = keeper(source, clock)
        await subject.get()
        clock.time += 10
        assert subject.current() is None
        assert await subject.get() == "two"

    async def test_a_token_without_an_end_is_never_refreshed(self) -> None:
        clock, source = Clock(), Source(Token("one", None))
        subject = keeper(source, clock)
        await subject.get()
        clock.time += 1e9
        assert subject.current() == "one"
        assert source.asked == 1

    async def test_a_token_that_has_ended_when_it_comes_is_used_for_a_second(self) -> None:
        clock, source = Clock(), Source(Token("one", 1e-9))
        subject = keeper(source, clock)
        assert await subject.get() == "one"
        clock.time += 0.7
        assert subject.current() == "one"

    @pytest.mark.parametrize("life", [0, -5, math.nan, "soon", True])
    async def test_a_token_whose_life_is_not_a_number_above_0_is_used_for_a_minute(self, life: Any) -> None:
        clock, source = Clock(), Source(Token("one", life), Token("two"))
        subject = keeper(source, clock)
        assert await subject.get() == "one"
        clock.time += 59.9
        assert subject.current() == "one"
        clock.time += 0.2
        assert await subject.get() == "two"

    async def test_a_rejected_token_is_refreshed(self) -> None:
        subject = keeper(Source(Token("one"), Token("two")), Clock())
        assert await subject.on_rejected(await subject.get(), Rejections()) is None
        assert subject.current() == "two"

    async def test_the_rejection_of_an_old_token_does_not_refresh_the_current_one(self) -> None:
        source = Source(Token("one"))
        subject = keeper(source, Clock())
        await subject.get()
        assert await subject.on_rejected("zero", Rejections()) is None
        assert (subject.current(), source.asked) == ("one", 1)

    async def test_a_static_token_is_not_fetched_again(self) -> None:
        source = Source(Token("one"))
        subject = TokenKeeper(source, Clock(), lambda _: None, static=True)
        assert await subject.on_rejected(await subject.get(), Rejections()) == "there is no other token"
        assert source.asked == 1

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no eager task factory")
    async def test_it_works_with_an_eager_task_factory(self) -> None:
        asked: list[Token] = []

        async def ask() -> Token:
            asked.append(Token("one"))
            assert len(asked) < 9, "it loops"
            return asked[-1]

        factory = vars(asyncio)["eager_task_factory"]  # mypy reads this as 3.11
        asyncio.get_running_loop().set_task_factory(factory)
        subject = keeper(ask, Clock())
        assert await subject.on_rejected(await subject.get(), Rejections()) is None
        assert await subject.get() == "one"


@pytest.mark.looptime
class TestAFailedRefresh:
    async def test_an_authentication_error_is_remembered_for_a_minute(self) -> None:
        clock, source = Clock(), Source(AuthenticationError("wrong secret"), Token("one"))
        subject = keeper(source, clock)
        for _ in range(3):
            with pytest.raises(AuthenticationError, match="wrong secret"):
                await subject.get()
        clock.time += 59.9
        with pytest.raises(AuthenticationError, match="wrong secret"):
            await subject.get()
        assert source.asked == 1
        clock.time += 0.2
        assert await subject.get() == "one"

    @pytest.mark.parametrize("error", [ServerError(500, "POST", "/oauth/token"), TransportError("lost")])
    async def test_a_transient_error_is_not_remembered_but_delays_the_next_refresh_by_a_second(
        self, error: BackupifyError
    ) -> None:
        subject = keeper(Source(error, Token("one")), Clock())
        with pytest.raises(type(error)):
            await subject.get()
        assert await subject.get() == "one"
        assert now() == 1

    async def test_calls_that_come_during_the_delay_wait_for_the_same_refresh(self) -> None:
        source = Source(TransportError("lost"), Token("one"))
        subject = keeper(source, Clock())
        with pytest.raises(TransportError):
            await subject.get()
        assert await asyncio.gather(*(subject.get() for _ in range(100))) == ["one"] * 100
        assert (source.asked, now()) == (2, 1)

    async def test_the_delay_doubles_with_each_failure_in_a_row_up_to_half_a_minute(self) -> None:
        loop, asked = asyncio.get_running_loop(), []

        async def ask() -> Token:
            asked.append(now())
            raise TransportError("lost")

        subject = TokenKeeper(ask, loop.time, lambda _: None)
        for _ in range(8):
            with pytest.raises(TransportError):
                await subject.get()
        assert asked == [0, 1, 3, 7, 15, 31, 61, 91]

    async def test_a_token_resets_the_delay(self) -> None:
        clock = Clock()
        lost = TransportError("lost")
        subject = keeper(Source(lost, lost, Token("one", 10), lost, Token("two", 10)), clock)
        for step in (0, 1):
            clock.time += step
            with pytest.raises(TransportError):
                await subject.get()
        clock.time += 2
        await subject.get()
        clock.time += 10
        began = now()
        with pytest.raises(TransportError):
            await subject.get()
        assert await subject.get() == "two"
        assert now() == began + 1

    async def test_a_secret_that_cannot_be_read_fails_calls_at_once_until_the_next_refresh(self) -> None:
        clock, source = Clock(), Source(ConfigurationError("no file"), Token("one"))
        subject = keeper(source, clock)
        for _ in range(3):
            with pytest.raises(ConfigurationError, match="no file"):
                await subject.get()
        assert (source.asked, now()) == (1, 0)
        clock.time += 1
        assert await subject.get() == "one"

    async def test_an_authentication_error_is_forgotten_with_the_next_token(self) -> None:
        clock, source = (
            Clock(),
            Source(AuthenticationError("x"), Token("one"), ServerError(500, "POST", "/t")),
        )
        subject = keeper(source, clock)
        with pytest.raises(AuthenticationError):
            await subject.get()
        clock.time += 61
        one = await subject.get()
        with pytest.raises(ServerError):
            await subject.on_rejected(one, Rejections())

    async def test_a_failure_ahead_of_the_end_affects_no_call_and_delays_the_next_refresh(self) -> None:
        clock, source = Clock(), Source(Token("one", 100), TransportError("lost"), Token("two", 100))
        subject = keeper(source, clock)
        await subject.get()
        clock.time += 85
        for _ in range(5):
            assert subject.current() == "one"
            await settled()
        assert source.asked == 2
        clock.time += 1
        assert subject.current() == "one"
        await settled()
        assert (source.asked, subject.current()) == (3, "two")

    async def test_an_authentication_error_ahead_of_the_end_is_raised_once_the_token_has_ended(self) -> None:
        clock, source = Clock(), Source(Token("one", 100), AuthenticationError("revoked"))
        subject = keeper(source, clock)
        await subject.get()
        clock.time += 85
        subject.current()
        await settled()
        assert await subject.get() == "one"
        clock.time += 16
        with pytest.raises(AuthenticationError, match="revoked"):
            await subject.get()
        assert source.asked == 2

    async def test_each_waiting_call_gets_the_cause(self) -> None:
        error = AuthenticationError("the token source raised LookupError")
        error.__cause__ = LookupError("vault")
        subject = keeper(Source(error), Clock())
        with pytest.raises(AuthenticationError) as caught:
            await subject.get()
        assert isinstance(caught.value.__cause__, LookupError)


class TestClosing:
    async def test_closing_forgets_the_token(self) -> None:
        subject = keeper(Source(Token("one")), Clock())
        await subject.get()
        await subject.close()
        assert subject.current() is None

    async def test_closing_ends_a_refresh_in_flight(self) -> None:
        source = Source(Token("one"))
        source.open.clear()
        subject = keeper(source, Clock())
        waiter = asyncio.create_task(subject.get())
        await settled()
        await subject.close()
        await asyncio.wait([waiter])
        assert asyncio.all_tasks() == {asyncio.current_task()}
