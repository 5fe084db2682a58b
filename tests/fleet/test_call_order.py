"""At a slow rate the oldest operation goes first, so that outcomes come from the start; in virtual time."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from backupify_async import Backup, Fleet, Paginator, PollPolicy, RateLimit, RetryPolicy
from backupify_async._resources.backups import Backups
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.files import ACCOUNT
from tests.support.work import now

pytestmark = pytest.mark.looptime

TWO_A_SECOND = RateLimit(2, burst=1, adaptive=False)
CONCURRENCY = 32

Begin = Callable[..., Fleet]


def respond_idle(message: PreparedRequest) -> Response:
    """Respond for idle instances, each with its own 404, and with lists of three pages.

    A trigger is accepted without a backup in the response; the list of instance 0 is endless.
    """
    path, page = message.url.path, int(message.url.query.get("page", "1"))
    instance = int(path.split("/")[3])
    if path.endswith("/active"):
        return respond(message, 404, {"message": f"nothing runs at {path}"})
    if message.method == "POST":
        return respond(message, 202)
    if not path.endswith("/backups"):
        return respond(message, body={"id": instance, "status": "running"})
    links = [f'<{path}?page=3>; rel="last"'] if instance else []
    links += [f'<{path}?page={page + 1}>; rel="next"'] if page < 3 or not instance else []
    return respond(message, body=[{"id": page}], headers={"Link": ", ".join(links)})


@contextlib.asynccontextmanager
async def backups_at(
    limit: RateLimit = TWO_A_SECOND, transport: FakeTransport | None = None
) -> AsyncIterator[tuple[Backups, Begin]]:
    """The backups of a session, and a function that creates its fleets."""
    policy = RetryPolicy(max_throttled=7_200)
    transport = transport or FakeTransport(respond_idle, round_trip=0.1)
    async with session_over(transport, rate_limit=limit, retry=policy) as session:
        await session.fetch_token()
        backups = Backups(session)

        def begin(ids: Any, **options: Any) -> Fleet:
            is_blocked = session.is_blocked
            return Fleet(
                backups, ids, concurrency=CONCURRENCY, is_blocked=is_blocked, account=ACCOUNT, **options
            )

        yield backups, begin


OPERATIONS: dict[str, tuple[Callable[[Fleet], Any], int]] = {
    "get-active with a check of the instance": (lambda fleet: fleet.get_active(), 2),
    "the newest, from the end": (lambda fleet: fleet.latest(), 2),
    "the newest few": (lambda fleet: fleet.newest(1), 2),
    "a list of three pages": (lambda fleet: fleet.list(), 3),
    "a trigger with a check": (lambda fleet: fleet.trigger(), 2),
}


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_fleet_yields_outcomes_from_the_start(name: str, background: bool) -> None:
    operation, calls = OPERATIONS[name]
    times: list[float] = []
    async with backups_at() as (_, fleet), operation(fleet(range(1, 41), background=background)) as outcomes:
        async for outcome in outcomes:
            assert outcome.ok, outcome.error
            times.append(now())
    assert times == [pytest.approx(0.5 * (calls * number - 1) + 0.1) for number in range(1, 41)]


async def test_gathered_calls_end_in_the_order_they_began() -> None:
    ended: list[int] = []

    async def get_active(backups: Backups, instance: int) -> None:
        await backups.get_active(instance)
        ended.append(instance)

    async with backups_at() as (backups, _):
        await asyncio.gather(*(get_active(backups, instance) for instance in range(1, 101)))
    assert ended == [*range(1, 101)]
    assert now() == pytest.approx(99.6)


READERS: dict[str, Callable[[Paginator[Backup]], Awaitable[object]]] = {
    "collected": lambda pages: pages.collect(),
    "from the end": lambda pages: pages.newest(10**6),
    "its last": lambda pages: pages.last(),
}


@pytest.mark.parametrize("prefetch", [0, 16])
@pytest.mark.parametrize("name", READERS)
async def test_an_endless_list_does_not_delay_other_calls(name: str, prefetch: int) -> None:
    async with backups_at() as (backups, fleet):
        lists = [asyncio.ensure_future(READERS[name](backups.list(0, prefetch=prefetch))) for _ in range(8)]
        await asyncio.sleep(100)
        async with asyncio.timeout(30):
            results = await fleet(range(1, 6)).get_active()
        assert sorted(results.values) == [1, 2, 3, 4, 5]
        for one in lists:
            one.cancel()
        await asyncio.gather(*lists, return_exceptions=True)


async def test_an_endless_fleet_does_not_delay_later_calls() -> None:
    async with backups_at() as (backups, fleet), fleet(itertools.count(1)).get_active() as outcomes:
        reader = asyncio.ensure_future(anext(_all_of(outcomes)))
        await asyncio.sleep(20)
        async with asyncio.timeout(CONCURRENCY + 1):  # each takes two requests, at two requests a second
            assert await backups.get_active(5) is None
        reader.cancel()


async def _all_of(outcomes: Any) -> AsyncIterator[None]:
    async for _ in outcomes:
        pass
    yield


async def test_two_fleets_take_turns() -> None:
    done = {"first": 0, "second": 0}

    async def read(name: str, fleet: Fleet) -> None:
        async with fleet.get_active() as outcomes:
            async for _ in outcomes:
                done[name] += 1

    async with backups_at() as (_, fleet):
        first = asyncio.ensure_future(read("first", fleet(itertools.count(1))))
        await asyncio.sleep(20)
        before = done["first"]
        second = asyncio.ensure_future(read("second", fleet(itertools.count(1))))
        await asyncio.sleep(400)
        first.cancel()
        second.cancel()
        await asyncio.wait([first, second])
    assert done["second"] == pytest.approx(done["first"] - before, abs=CONCURRENCY + 1)


async def test_a_refused_call_is_sent_again_before_calls_that_were_not_sent_yet() -> None:
    refused: list[str] = []

    def refusing(message: PreparedRequest) -> Response:
        if not refused and now() >= 2:
            refused.append(message.url.path)
            return respond(message, 429, headers={"Retry-After": "5"})
        return respond_idle(message)

    transport = FakeTransport(refusing, round_trip=0.1)
    async with backups_at(transport=transport) as (backups, _):
        await asyncio.gather(*(backups.get(instance, instance) for instance in range(1, 21)))
    paths = [message.url.path for _, message in transport.sent]
    at = paths.index(refused[0])
    # Up to three others go first, as the refusal can be for this call alone.
    assert refused[0] in paths[at + 1 : at + 5]


async def test_checks_of_waits_do_not_delay_background_work() -> None:
    async with backups_at() as (backups, fleet):
        waits = [
            asyncio.ensure_future(backups.wait(one, one, poll=PollPolicy(interval=1)))
            for one in range(1, 201)
        ]
        await asyncio.sleep(200)
        async with asyncio.timeout(60):
            results = await fleet(range(1, 6), background=True).get_active()
        assert sorted(results.values) == [1, 2, 3, 4, 5]
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
