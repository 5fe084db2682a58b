"""Parts and options of a wrong type are refused where they are given, and not by the first call."""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from backupify_async import (
    AdaptiveLimiter,
    AiohttpTransport,
    BackupifyClient,
    ConfigurationError,
    Journal,
    PollPolicy,
    RateLimit,
    RequestSent,
    ResponseReceived,
    Settings,
    StaticToken,
)
from backupify_async.events import Event
from tests.support.fake_transport import FakeTransport
from tests.support.scripted import Script

TOKEN = StaticToken("token")


async def coroutine_hook(event: Event) -> None: ...


class CoroutineHook:
    async def __call__(self, event: Event) -> None: ...


class Delegating:
    """Gets all members from the object that it wraps."""

    def __init__(self, inner: object) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def client(**options: Any) -> BackupifyClient:
    return BackupifyClient(TOKEN, **options)


async def send_a_request(**options: Any) -> None:
    """Send a request that needs no token through a client with these parts."""
    async with client(**options) as opened:
        await opened.request("GET", "/v1/ping")


class TestATransport:
    def test_needs_all_members(self) -> None:
        class OnlyCallable:
            max_concurrency = None

            async def __call__(self) -> None: ...

        with pytest.raises(ConfigurationError, match=r"transport: OnlyCallable has no open\(\), close\(\)"):
            client(transport=OnlyCallable())

    def test_is_an_instance(self) -> None:
        with pytest.raises(ConfigurationError, match="transport: is the class FakeTransport: give an inst"):
            client(transport=FakeTransport)

    async def test_is_not_a_session_of_aiohttp(self) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(ConfigurationError, match=r"goes into AiohttpTransport\(session=...\)"):
                client(transport=session)

    @pytest.mark.parametrize("number", [0, -1, 1.5, "8", True])
    def test_has_a_valid_concurrency(self, number: Any) -> None:
        with pytest.raises(ValueError, match=r"transport\.max_concurrency must be an integer"):
            client(transport=FakeTransport(Script(), max_concurrency=number))

    async def test_can_get_its_members_from_another(self) -> None:
        class Wrapper(Delegating):
            async def __call__(self, *args: Any) -> Any:
                return await self.inner(*args)  # type: ignore[operator]

        inner = FakeTransport(Script())
        await send_a_request(transport=Wrapper(inner))
        assert len(inner.sent) == 1


class TestALimiter:
    def test_needs_all_members(self) -> None:
        with pytest.raises(ConfigurationError, match="limiter: int has no paused_until, blocked_until, earl"):
            client(limiter=5)

    def test_is_not_a_rate_limit(self) -> None:
        with pytest.raises(ConfigurationError, match="a RateLimit goes into rate_limit="):
            client(limiter=RateLimit(5))

    def test_is_an_instance(self) -> None:
        with pytest.raises(ConfigurationError, match="limiter: is the class AdaptiveLimiter"):
            client(limiter=AdaptiveLimiter)

    async def test_can_get_its_members_from_another(self) -> None:
        transport = FakeTransport(Script())
        await send_a_request(transport=transport, limiter=Delegating(AdaptiveLimiter()))
        assert len(transport.sent) == 1

    async def test_can_get_acquire_from_another(self) -> None:
        class OneSlot(AdaptiveLimiter):
            acquired = False

            def earliest(self, now: float, in_flight: int) -> float:
                return now if self.acquired else math.inf

            async def acquire(self, waiting: int) -> None:
                self.acquired = True

        transport = FakeTransport(Script())
        await asyncio.wait_for(send_a_request(transport=transport, limiter=Delegating(OneSlot())), 5)
        assert len(transport.sent) == 1

    def test_can_need_a_running_loop(self) -> None:
        class InALoop(AdaptiveLimiter):
            @property
            def paused_until(self) -> float:
                return asyncio.get_running_loop().time()

        assert isinstance(client(limiter=InALoop()), BackupifyClient)


class TestAHook:
    @pytest.mark.parametrize("hook", [5, "print", [print]])
    def test_is_callable(self, hook: object) -> None:
        with pytest.raises(ConfigurationError, match="on_event: must be a function of one event"):
            client(on_event=hook)
        with pytest.raises(ConfigurationError, match="on_event: must be a function of one event"):
            client().with_options(on_event=hook)  # type: ignore[arg-type]

    @pytest.mark.parametrize("hook", [coroutine_hook, CoroutineHook()])
    def test_is_not_a_coroutine_function(self, hook: object) -> None:
        with pytest.raises(ConfigurationError, match="on_event: must not be a coroutine function"):
            client(on_event=hook)

    async def test_can_be_a_method(self) -> None:
        events: list[Event] = []
        await send_a_request(transport=FakeTransport(Script()), on_event=events.append)
        assert [type(event) for event in events] == [RequestSent, ResponseReceived]


class TestAnAiohttpTransport:
    @pytest.mark.parametrize("name", ["connector", "session"])
    def test_takes_parts_of_aiohttp_only(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"{name}: must be an aiohttp.*, not str"):
            AiohttpTransport(**{name: "http://user:password@proxy"})  # type: ignore[arg-type]


class TestAStore:
    def test_needs_all_members(self) -> None:
        with pytest.raises(ConfigurationError, match=r"store: str has no name, open\(\), .*Journal\(path\)"):
            Journal.on("sweep.sqlite")  # type: ignore[arg-type]

    def test_needs_a_str_as_the_name_of_its_sweep(self) -> None:
        with pytest.raises(TypeError, match="sweep must be a str, not 5"):
            Journal("sweep.sqlite", sweep=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"), [("timeouts", 5), ("timeouts", ""), ("retry", 3), ("retry", []), ("background", "no")]
)
def test_an_option_of_a_wrong_type_is_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}: must be"):
        client().with_options(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Settings(credentials=TOKEN, trust_env="false"),  # type: ignore[arg-type]
        lambda: Settings(credentials=TOKEN, allow_insecure="false"),  # type: ignore[arg-type]
        lambda: RateLimit(5, adaptive="false"),  # type: ignore[arg-type]
    ],
)
def test_a_switch_that_is_not_a_bool_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError, match="must be True or False, not 'false'"):
        make()


class TestPoll:
    async def test_of_a_wait_is_a_poll_policy(self) -> None:
        with pytest.raises(ConfigurationError, match=r"poll: must be a PollPolicy\(...\), not 5"):
            await client().backups.wait(1, 2, poll=5)  # type: ignore[arg-type]

    def test_of_a_fleet_is_a_poll_policy(self) -> None:
        with pytest.raises(ConfigurationError, match=r"poll: must be a PollPolicy\(...\), not 5"):
            client().fleet([1]).trigger(wait=True, poll=5)  # type: ignore[arg-type]
        client().fleet([1]).trigger(wait=True, poll=PollPolicy(5))
