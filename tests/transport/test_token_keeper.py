"""The token keeper: one refresh at a time for all calls, before the token expires."""

import asyncio
import math
import sys
from typing import Any

import pytest

from backupify_async import ClientCredentials, Settings, StaticToken, Token
from backupify_async._transport.token_keeper import TokenKeeper, make_token_keeper
from backupify_async._transport.token_rejections import Rejections
from backupify_async._transport.transport import Response
from tests.support.scripted import settled
from tests.transport.token_sources import Clock, Source, keeper


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
    async def test_it_refreshes_a_minute_or_a_fifth_of_the_life_before_the_token_expires(
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

    async def test_an_expired_token_is_not_used(self) -> None:
        clock, source = Clock(), Source(Token("one", 10), Token("two", 10))
        subject = keeper(source, clock)
        await subject.get()
        clock.time += 10
        assert subject.current() is None
        assert await subject.get() == "two"

    async def test_a_token_that_does_not_expire_is_never_refreshed(self) -> None:
        clock, source = Clock(), Source(Token("one", None))
        subject = keeper(source, clock)
        await subject.get()
        clock.time += 1e9
        assert subject.current() == "one"
        assert source.asked == 1

    async def test_a_token_that_has_expired_on_arrival_is_used_for_a_second(self) -> None:
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


class TestATokenThatIsShared:
    async def first_token(self, credentials: ClientCredentials | StaticToken) -> str:
        """The first token of a keeper whose token requests are replaced by a shared source."""

        async def send(form: bytes, secrets: tuple[str, ...]) -> Response:
            raise AssertionError("no token is requested")

        settings = Settings(credentials=credentials)
        shared = Source(Token("shared"))
        subject = make_token_keeper(settings, send, Clock(), lambda _: None, share=lambda fetch: shared)
        return await subject.get()

    async def test_replaces_that_of_client_credentials(self) -> None:
        assert await self.first_token(ClientCredentials("id", "secret")) == "shared"

    async def test_does_not_replace_a_static_token(self) -> None:
        assert await self.first_token(StaticToken("mine")) == "mine"
