"""A user's own limiter: when the client asks it for slots, and what the client reports to it."""

import asyncio
import math
from collections.abc import Callable
from typing import ClassVar

import pytest

from backupify_async import (
    AsyncLimiter,
    BackupifyClient,
    ClientClosed,
    ConfigurationError,
    Estimate,
    LimitSource,
    Observation,
    Quota,
    RateLimit,
    StaticToken,
    Ticket,
)
from backupify_async._transport.gate import Gate
from backupify_async._transport.outage import Outage
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.config import Settings
from tests.support.fake_transport import FakeTransport, respond
from tests.support.scripted import PING, now, settled

pytestmark = pytest.mark.looptime


class Store:
    """Slots that several clients share, over a network.

    Attributes:
        per_second: How many slots there are in each second.
        leased: When slots were leased.
    """

    def __init__(self, per_second: int = 10, round_trip: float = 0.05) -> None:
        self.per_second = per_second
        self.leased: list[float] = []
        self._round_trip = round_trip
        self._second = 0
        self._remaining = per_second

    async def lease(self, most: int) -> int:
        """Lease slots, after waiting for the next second if the present one has none."""
        await asyncio.sleep(self._round_trip)
        loop = asyncio.get_running_loop()
        if not self._remaining and int(loop.time()) == self._second:
            await asyncio.sleep(self._second + 1 - loop.time())
        if int(loop.time()) > self._second:
            self._second, self._remaining = int(loop.time()), self.per_second
        leased = min(most, self._remaining)
        self._remaining -= leased
        self.leased.append(round(loop.time(), 6))
        return leased


class Leasing:
    """A limiter that leases its slots from a store."""

    paused_until = blocked_until = -math.inf

    def __init__(self, store: Store, lease: int = 4) -> None:
        self._store = store
        self._lease = lease
        self.slots = 0
        self.failing: Exception | None = None
        self.observations: list[Observation] = []
        self.without_response = 0

    def earliest(self, now: float, in_flight: int) -> float:
        return now if self.slots > 0 else math.inf

    async def acquire(self, waiting: int) -> None:
        if self.failing is not None:
            raise self.failing
        self.slots += await self._store.lease(self._lease)

    def on_send(self, now: float) -> Ticket:
        self.slots -= 1
        return Ticket(now)

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        self.slots += 1

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        self.without_response += 1

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        self.observations.append(observation)

    def estimate(self, now: float) -> Estimate:
        return Estimate(LimitSource.HEADERS, self._store.per_second)


def session(limiter: Leasing, server: Callable[[PreparedRequest], Response] = respond) -> Session:
    settings = Settings(credentials=StaticToken("token"), base_url="http://127.0.0.1")
    return Session(settings, FakeTransport(server), limiter=limiter)


class TestAClientWithItsOwnLimiter:
    async def test_keeps_the_rate_of_a_store_that_it_shares(self) -> None:
        store = Store()
        clients = [session(Leasing(store)) for _ in range(2)]
        for client in clients:
            await client.open()
        await asyncio.gather(*(clients[number % 2].send(PING) for number in range(50)))
        assert 4 <= now() < 6
        for client in clients:
            await client.close()

    async def test_asks_the_store_once_for_all_calls_that_wait(self) -> None:
        store = Store(round_trip=1.0)
        client = session(Leasing(store, lease=10))
        await client.open()
        await asyncio.gather(*(client.send(PING) for _ in range(10)))
        assert store.leased == [1.0]
        await client.close()

    async def test_reports_each_response_to_it_as_a_value(self) -> None:
        limiter = Leasing(Store())
        headers = {"RateLimit": '"x";r=9;t=5', "Retry-After": "2"}
        statuses = [429, 200]

        client = session(limiter, lambda request: respond(request, statuses.pop(0), headers=headers))
        await client.open()
        await client.send(PING)
        quota = Quota(remaining=9, reset=5)
        first, second = limiter.observations
        assert first == Observation(0.05, 0.05, 429, 2.0, quota)
        assert (second.status, second.retry_after, second.quota) == (200, None, quota)
        await client.close()

    async def test_raises_each_error_of_the_store_from_one_call(self) -> None:
        limiter = Leasing(Store())
        limiter.failing = RuntimeError("the store is down")
        client = session(limiter)
        await client.open()
        calls = [asyncio.create_task(client.send(PING)) for _ in range(3)]
        done, _ = await asyncio.wait(calls)
        assert [str(call.exception()) for call in done] == ["the store is down"] * 3
        limiter.failing = None
        await client.send(PING)
        await client.close()

    async def test_has_the_estimate_of_the_limiter_in_its_statistics(self) -> None:
        client = session(Leasing(Store()))
        assert client.statistics().limit_per_second == 10

    async def test_cancels_acquire_when_it_is_closed(self) -> None:
        client = session(Leasing(Store(round_trip=1e6)))
        await client.open()
        call = asyncio.create_task(client.send(PING))
        await settled()
        await client.close()
        await settled()
        assert isinstance(call.exception(), ClientClosed)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def test_accepts_no_rate_limit_beside_the_limiter(self) -> None:
        with pytest.raises(ConfigurationError, match="limiter and rate_limit"):
            BackupifyClient(StaticToken("t"), limiter=Leasing(Store()), rate_limit=RateLimit())


class TestACallThatIsCancelled:
    async def test_during_acquire_leaves_the_slots_to_the_next_call(self) -> None:
        store = Store()
        limiter = Leasing(store)
        gate = Gate(limiter, 64)
        call = asyncio.create_task(gate.acquire())
        await settled()
        call.cancel()
        await asyncio.sleep(1.0)
        assert (limiter.slots, gate.in_flight, gate.waiting) == (4, 0, 0)
        await gate.acquire()
        assert (store.leased, limiter.slots) == ([0.05], 3)

    async def test_just_when_it_is_granted_gives_its_slot_back(self) -> None:
        limiter = Leasing(Store())
        gate = Gate(limiter, 64)
        call = asyncio.create_task(gate.acquire())
        await settled()
        limiter.slots = 4
        gate._wake()
        call.cancel()
        await asyncio.wait([call])
        assert (limiter.slots, gate.in_flight, gate.waiting) == (4, 0, 0)
        await gate.close()
        await settled()

    async def test_after_its_release_changes_nothing(self) -> None:
        limiter = Leasing(Store())
        gate = Gate(limiter, 64)

        async def work() -> None:
            gate.release(await gate.acquire())
            await asyncio.sleep(1)

        call = asyncio.create_task(work())
        await asyncio.sleep(0.5)
        call.cancel()
        await asyncio.wait([call])
        assert (limiter.slots, limiter.without_response, gate.in_flight) == (3, 1, 0)


def test_a_limiter_with_acquire_is_an_async_limiter() -> None:
    assert isinstance(Leasing(Store()), AsyncLimiter)


async def test_while_the_server_is_down_slots_are_asked_for_the_probe_alone() -> None:
    class Asked(Leasing):
        waiting: ClassVar[list[int]] = []

        async def acquire(self, waiting: int) -> None:
            self.waiting.append(waiting)
            await super().acquire(waiting)

    outage = Outage(300.0)
    outage.on_success(-1.0, -1.0, of_api=True)
    for number in range(3):
        outage.on_failure(0.0, 0.0, str(number))
    gate = Gate(Asked(Store(), lease=1), 64, outage)
    calls = [asyncio.create_task(gate.acquire()) for _ in range(20)]
    await asyncio.wait(calls, timeout=1.0)
    assert Asked.waiting
    assert {*Asked.waiting} == {1}
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await gate.close()
