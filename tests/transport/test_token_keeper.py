"""The keeper of the token: one renewal at a time, ahead of the end, for any number of waiters."""

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
from backupify_async._transport.token_trust import Complaint
from tests.support.scripted import now, settled


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.reads = 0

    def __call__(self) -> float:
        self.reads += 1
        assert self.reads < 500, "it goes round and round"
        return self.time


class Office:
    """Gives out tokens, or raises; asked as often as `asked` says."""

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
    async def test_it_has_none_to_begin_with(self) -> None:
        subject = keeper(Office(), Clock())
        assert subject.current() is None

    async def test_any_number_of_waiters_make_one_renewal(self) -> None:
        office = Office(Token("one", 100))
        subject = keeper(office, Clock())
        assert await asyncio.gather(*(subject.get() for _ in range(100))) == ["one"] * 100
        assert office.asked == 1

    async def test_a_cancelled_waiter_does_not_cancel_it(self) -> None:
        office = Office(Token("one", 100))
        office.open.clear()
        subject = keeper(office, Clock())
        first, second = (asyncio.create_task(subject.get()) for _ in range(2))
        await settled()
        first.cancel()
        await settled()
        office.open.set()
        assert await second == "one"
        assert office.asked == 1

    async def test_a_lonely_waiter_that_is_cancelled_leaves_the_token_for_the_next(self) -> None:
        office = Office(Token("one", 100))
        office.open.clear()
        subject = keeper(office, Clock())
        waiter = asyncio.create_task(subject.get())
        await settled()
        waiter.cancel()
        office.open.set()
        await settled()
        assert (subject.current(), office.asked) == ("one", 1)

    @pytest.mark.parametrize(("life", "ahead"), [(900, 60), (300, 60), (100, 20), (10, 2), (1, 0.2)])
    async def test_it_renews_ahead_by_a_minute_or_a_fifth(self, life: float, ahead: float) -> None:
        clock, office = Clock(), Office(Token("one", life), Token("two", life))
        subject = keeper(office, clock)
        await subject.get()
        clock.time += life - ahead - 0.01
        assert subject.current() == "one"
        await settled()
        assert office.asked == 1
        clock.time += 0.02
        assert subject.current() == "one"  # nobody waits as long as it holds
        await settled()
        assert (office.asked, subject.current()) == (2, "two")

    async def test_nobody_uses_one_that_ended(self) -> None:
        clock, office = Clock(), Office(Token("one", 10), Token("two", 10))
        subject = keeper(office, clock)
        await subject.get()
        clock.time += 10
        assert subject.current() is None
        assert await subject.get() == "two"

    async def test_one_without_an_end_is_never_renewed(self) -> None:
        clock, office = Clock(), Office(Token("one", None))
        subject = keeper(office, clock)
        await subject.get()
        clock.time += 1e9
        assert subject.current() == "one"
        assert office.asked == 1

    async def test_one_that_is_over_when_it_comes_holds_for_a_second(self) -> None:
        clock, office = Clock(), Office(Token("one", 1e-9))
        subject = keeper(office, clock)
        assert await subject.get() == "one"
        clock.time += 0.7
        assert subject.current() == "one"

    @pytest.mark.parametrize("life", [0, -5, math.nan, "soon", True])
    async def test_one_whose_life_is_no_number_above_0_holds_for_a_minute(self, life: Any) -> None:
        clock, office = Clock(), Office(Token("one", life), Token("two"))
        subject = keeper(office, clock)
        assert await subject.get() == "one"
        clock.time += 59.9
        assert subject.current() == "one"
        clock.time += 0.2
        assert await subject.get() == "two"

    async def test_one_that_was_refused_is_renewed(self) -> None:
        subject = keeper(Office(Token("one"), Token("two")), Clock())
        assert await subject.refused(await subject.get(), Complaint()) is None
        assert subject.current() == "two"

    async def test_only_the_current_one_can_be_refused(self) -> None:
        office = Office(Token("one"))
        subject = keeper(office, Clock())
        await subject.get()
        assert await subject.refused("zero", Complaint()) is None
        assert (subject.current(), office.asked) == ("one", 1)

    async def test_one_that_never_changes_is_not_asked_for_again(self) -> None:
        office = Office(Token("one"))
        subject = TokenKeeper(office, Clock(), lambda _: None, fixed=True)
        assert await subject.refused(await subject.get(), Complaint()) == "there is no other token"
        assert office.asked == 1

    @pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no eager task factory")
    async def test_an_eager_task_factory_does_no_harm(self) -> None:
        asked: list[Token] = []

        async def ask() -> Token:
            asked.append(Token("one"))
            assert len(asked) < 9, "it goes round and round"
            return asked[-1]

        factory = vars(asyncio)["eager_task_factory"]  # mypy reads this as 3.11
        asyncio.get_running_loop().set_task_factory(factory)
        subject = keeper(ask, Clock())
        assert await subject.refused(await subject.get(), Complaint()) is None
        assert await subject.get() == "one"


@pytest.mark.looptime
class TestFailures:
    async def test_a_refusal_is_remembered_for_a_minute(self) -> None:
        clock, office = Clock(), Office(AuthenticationError("wrong secret"), Token("one"))
        subject = keeper(office, clock)
        for _ in range(3):
            with pytest.raises(AuthenticationError, match="wrong secret"):
                await subject.get()
        clock.time += 59.9
        with pytest.raises(AuthenticationError, match="wrong secret"):
            await subject.get()
        assert office.asked == 1
        clock.time += 0.2
        assert await subject.get() == "one"

    @pytest.mark.parametrize("error", [ServerError(500, "POST", "/oauth/token"), TransportError("lost")])
    async def test_a_passing_one_is_not_but_holds_off_the_next_by_a_second(
        self, error: BackupifyError
    ) -> None:
        subject = keeper(Office(error, Token("one")), Clock())
        with pytest.raises(type(error)):
            await subject.get()
        assert await subject.get() == "one"
        assert now() == 1

    async def test_who_comes_while_it_is_held_off_waits_for_the_same_one(self) -> None:
        office = Office(TransportError("lost"), Token("one"))
        subject = keeper(office, Clock())
        with pytest.raises(TransportError):
            await subject.get()
        assert await asyncio.gather(*(subject.get() for _ in range(100))) == ["one"] * 100
        assert (office.asked, now()) == (2, 1)

    async def test_it_is_held_off_longer_with_each_in_a_row_up_to_half_a_minute(self) -> None:
        loop, asked = asyncio.get_running_loop(), []

        async def ask() -> Token:
            asked.append(now())
            raise TransportError("lost")

        subject = TokenKeeper(ask, loop.time, lambda _: None)
        for _ in range(8):
            with pytest.raises(TransportError):
                await subject.get()
        assert asked == [0, 1, 3, 7, 15, 31, 61, 91]

    async def test_a_token_ends_the_row(self) -> None:
        clock = Clock()
        lost = TransportError("lost")
        subject = keeper(Office(lost, lost, Token("one", 10), lost, Token("two", 10)), clock)
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

    async def test_a_secret_that_cannot_be_read_fails_at_once_until_it_is_tried_again(self) -> None:
        clock, office = Clock(), Office(ConfigurationError("no file"), Token("one"))
        subject = keeper(office, clock)
        for _ in range(3):
            with pytest.raises(ConfigurationError, match="no file"):
                await subject.get()
        assert (office.asked, now()) == (1, 0)
        clock.time += 1
        assert await subject.get() == "one"

    async def test_a_refusal_is_forgotten_with_the_next_token(self) -> None:
        clock, office = (
            Clock(),
            Office(AuthenticationError("x"), Token("one"), ServerError(500, "POST", "/t")),
        )
        subject = keeper(office, clock)
        with pytest.raises(AuthenticationError):
            await subject.get()
        clock.time += 61
        one = await subject.get()
        with pytest.raises(ServerError):
            await subject.refused(one, Complaint())

    async def test_one_ahead_of_the_end_harms_nobody_and_is_held_off(self) -> None:
        clock, office = Clock(), Office(Token("one", 100), TransportError("lost"), Token("two", 100))
        subject = keeper(office, clock)
        await subject.get()
        clock.time += 85
        for _ in range(5):
            assert subject.current() == "one"
            await settled()
        assert office.asked == 2
        clock.time += 1
        assert subject.current() == "one"
        await settled()
        assert (office.asked, subject.current()) == (3, "two")

    async def test_a_refusal_ahead_of_the_end_shows_once_the_token_is_over(self) -> None:
        clock, office = Clock(), Office(Token("one", 100), AuthenticationError("revoked"))
        subject = keeper(office, clock)
        await subject.get()
        clock.time += 85
        subject.current()
        await settled()
        assert await subject.get() == "one"
        clock.time += 16
        with pytest.raises(AuthenticationError, match="revoked"):
            await subject.get()
        assert office.asked == 2

    async def test_the_cause_is_kept_for_each_waiter(self) -> None:
        error = AuthenticationError("the credentials object raised LookupError")
        error.__cause__ = LookupError("vault")
        subject = keeper(Office(error), Clock())
        with pytest.raises(AuthenticationError) as caught:
            await subject.get()
        assert isinstance(caught.value.__cause__, LookupError)


class TestClosing:
    async def test_it_forgets_the_token(self) -> None:
        subject = keeper(Office(Token("one")), Clock())
        await subject.get()
        await subject.close()
        assert subject.current() is None

    async def test_it_ends_a_renewal_under_way(self) -> None:
        office = Office(Token("one"))
        office.open.clear()
        subject = keeper(office, Clock())
        waiter = asyncio.create_task(subject.get())
        await settled()
        await subject.close()
        await asyncio.wait([waiter])
        assert asyncio.all_tasks() == {asyncio.current_task()}
