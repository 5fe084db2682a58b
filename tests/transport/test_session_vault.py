"""Credentials that are an object of the user's, which can return or raise anything."""

import asyncio

import pytest

from backupify_async import AuthenticationError, ConfigurationError, StaticToken, Timeouts, Token
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.scripted import PING, Script, Vault, now, settled

pytestmark = pytest.mark.looptime


async def test_an_exception_is_named_by_its_type_only() -> None:
    transport = FakeTransport(Script())
    async with session_over(transport, credentials=Vault(OSError("s3cret"))) as session:
        with pytest.raises(AuthenticationError, match=r"^the token source raised OSError$"):
            await session.send(PING)
    assert transport.sent == []


async def test_an_error_of_this_library_passes_through() -> None:
    async with session_over(FakeTransport(Script()), credentials=Vault(ConfigurationError("x"))) as session:
        with pytest.raises(ConfigurationError, match=r"^x$"):
            await session.send(PING)


@pytest.mark.parametrize("nonsense", [None, "token", StaticToken("x")])
async def test_a_value_that_is_no_token_is_named_by_its_type(nonsense: object) -> None:
    async with session_over(FakeTransport(Script()), credentials=Vault(nonsense)) as session:
        message = f"returned a {type(nonsense).__name__} instead of a Token"
        with pytest.raises(AuthenticationError, match=message):
            await session.send(PING)


async def test_a_slow_one_is_waited_for() -> None:
    transport = FakeTransport(Script())
    async with session_over(transport, credentials=Vault(Token("one"), takes=3)) as session:
        await session.send(PING)
    assert now() == 3


async def test_a_life_that_is_no_number_is_not_an_error() -> None:
    token = Token("one", "899")
    async with session_over(FakeTransport(Script()), credentials=Vault(token)) as session:
        assert (await session.send(PING)).status == 200


async def test_a_cancellation_of_its_own_is_an_error_like_any_other() -> None:
    vault = Vault(asyncio.CancelledError())
    async with session_over(FakeTransport(Script()), credentials=vault) as session:
        (error,) = await asyncio.gather(session.send(PING), return_exceptions=True)
    assert isinstance(error, AuthenticationError)


class TestCredentialsThatHang:
    async def test_fail_the_waiting_calls_after_the_time_of_an_attempt(self) -> None:
        vault = Vault(Token("one"), takes=1e9)
        timeouts = Timeouts(attempt=5)
        async with session_over(FakeTransport(Script()), credentials=vault, timeouts=timeouts) as session:
            calls = (session.send(PING) for _ in range(10))
            errors = await asyncio.gather(*calls, return_exceptions=True)
            assert now() == 5
        assert {str(error) for error in errors} == {"the token source returned no token within attempt=5 s"}
        assert {type(error) for error in errors} == {AuthenticationError}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_are_asked_again(self) -> None:
        vault = Vault(Token("one"), takes=1e9)
        async with session_over(FakeTransport(Script()), credentials=vault) as session:
            with pytest.raises(AuthenticationError):
                await session.send(PING)
            vault.takes = 0
            assert (await session.send(PING)).status == 200
        assert (vault.asked, now()) == (2, 61)

    async def test_before_the_token_expires_stop_no_call(self) -> None:
        vault = Vault(Token("one", 100), Token("two", 100))
        async with session_over(FakeTransport(Script()), credentials=vault) as session:
            await session.send(PING)
            vault.takes = 1e9
            await asyncio.sleep(85)
            assert (await session.send(PING)).status == 200  # which starts a refresh
            await settled()
            vault.takes = 0
            await asyncio.sleep(64)
            assert (await session.send(PING)).status == 200
        assert vault.asked >= 3

    async def test_are_not_confused_with_a_timeout_error_of_the_object(self) -> None:
        async with session_over(FakeTransport(Script()), credentials=Vault(TimeoutError())) as session:
            with pytest.raises(AuthenticationError, match=r"^the token source raised TimeoutError$"):
                await session.send(PING)
