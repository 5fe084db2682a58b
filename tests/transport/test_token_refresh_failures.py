"""What the token keeper does after a failed refresh."""

import asyncio

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
from tests.transport.token_sources import Clock, Source, keeper


@pytest.mark.looptime
class TestAFailedRefresh:
    async def test_with_an_authentication_error_is_not_repeated_for_a_minute(self) -> None:
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
    async def test_with_a_transient_error_delays_the_next_refresh_by_a_second(
        self, error: BackupifyError
    ) -> None:
        subject = keeper(Source(error, Token("one")), Clock())
        with pytest.raises(type(error)):
            await subject.get()
        assert await subject.get() == "one"
        assert now() == 1

    async def test_is_followed_by_one_refresh_for_all_calls_during_the_delay(self) -> None:
        source = Source(TransportError("lost"), Token("one"))
        subject = keeper(source, Clock())
        with pytest.raises(TransportError):
            await subject.get()
        assert await asyncio.gather(*(subject.get() for _ in range(100))) == ["one"] * 100
        assert (source.asked, now()) == (2, 1)

    async def test_doubles_the_delay_up_to_half_a_minute(self) -> None:
        loop, asked = asyncio.get_running_loop(), []

        async def ask() -> Token:
            asked.append(now())
            raise TransportError("lost")

        subject = TokenKeeper(ask, loop.time, lambda _: None)
        for _ in range(8):
            with pytest.raises(TransportError):
                await subject.get()
        assert asked == [0, 1, 3, 7, 15, 31, 61, 91]

    async def test_does_not_lengthen_the_delay_after_the_next_token(self) -> None:
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

    async def test_because_of_an_unreadable_secret_fails_calls_at_once_until_the_next_refresh(self) -> None:
        clock, source = Clock(), Source(ConfigurationError("no file"), Token("one"))
        subject = keeper(source, clock)
        for _ in range(3):
            with pytest.raises(ConfigurationError, match="no file"):
                await subject.get()
        assert (source.asked, now()) == (1, 0)
        clock.time += 1
        assert await subject.get() == "one"

    async def test_with_an_authentication_error_is_forgotten_with_the_next_token(self) -> None:
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

    async def test_before_the_token_expires_affects_no_call_and_delays_the_next_refresh(self) -> None:
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

    async def test_with_an_authentication_error_is_raised_only_once_the_token_has_expired(self) -> None:
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

    async def test_is_raised_with_its_cause(self) -> None:
        error = AuthenticationError("the token source raised LookupError")
        error.__cause__ = LookupError("vault")
        subject = keeper(Source(error), Clock())
        with pytest.raises(AuthenticationError) as caught:
            await subject.get()
        assert isinstance(caught.value.__cause__, LookupError)
