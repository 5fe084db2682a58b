"""A fleet keeps within the client's concurrency and rate, and releases its slots; in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from backupify_async import Fleet, RateLimit, RetryPolicy
from backupify_async._resources.backups import Backups
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.files import ACCOUNT
from tests.support.work import now, other_tasks

pytestmark = pytest.mark.looptime

Begin = Callable[..., Fleet]


def backup(message: PreparedRequest) -> Response:
    one = {"id": 1}
    return respond(message, body=[one] if message.url.path.endswith("/backups") else one)


@contextlib.asynccontextmanager
async def fleets(transport: FakeTransport, **options: Any) -> AsyncIterator[tuple[Begin, Any]]:
    """A function that creates fleets of one session, and the statistics of the session."""
    options.setdefault("rate_limit", RateLimit(None, adaptive=False))
    async with session_over(transport, **options) as session:
        backups = Backups(session)

        def begin(ids: Any, concurrency: int = 32) -> Fleet:
            is_blocked = session.is_blocked
            return Fleet(backups, ids, concurrency=concurrency, is_blocked=is_blocked, account=ACCOUNT)

        yield begin, session.statistics


async def test_calls_beyond_the_clients_concurrency_wait() -> None:
    transport = FakeTransport(backup, round_trip=1, max_concurrency=4)
    async with fleets(transport) as (fleet, statistics):
        sweep = asyncio.ensure_future(fleet(range(40), concurrency=20).get_active())
        await asyncio.sleep(0.5)
        assert (statistics().in_flight, statistics().waiting) == (4, 16)
        assert len((await sweep).values) == 40
    assert (transport.most_in_flight, transport.times[-1]) == (4, 9)


async def test_two_fleets_share_the_clients_concurrency() -> None:
    transport = FakeTransport(backup, round_trip=1, max_concurrency=4)
    async with fleets(transport) as (fleet, _):
        await asyncio.gather(fleet(range(20)).get_active(), fleet(range(20)).latest())
    assert (transport.most_in_flight, now()) == (4, 10)


async def test_calls_are_sent_at_the_clients_rate() -> None:
    transport = FakeTransport(backup, round_trip=1)
    async with fleets(transport, rate_limit=RateLimit(per_second=2, burst=2, adaptive=False)) as (fleet, _):
        await fleet(range(6)).get_active()
    assert transport.times == [0, 0, 0.5, 1.0, 1.5, 2.0]


async def test_a_429_pauses_the_whole_fleet() -> None:
    def refuse_third(message: PreparedRequest) -> Response:
        refused = len(transport.sent) == 3
        return respond(message, 429, headers={"Retry-After": "60"}) if refused else backup(message)

    transport = FakeTransport(refuse_third)
    async with fleets(transport, rate_limit=RateLimit(per_second=1, burst=1, adaptive=False)) as (fleet, _):
        results = await fleet(range(5)).get_active()
    assert (len(results.values), transport.times) == (5, [0, 1, 2, 62, 63, 64])


async def test_elapsed_includes_waiting_for_the_rate_limit() -> None:
    transport = FakeTransport(backup, round_trip=0.25)
    limit = RateLimit(per_second=1, burst=1, adaptive=False)
    async with fleets(transport, rate_limit=limit) as (fleet, _), fleet(range(3)).get_active() as outcomes:
        assert [outcome.elapsed async for outcome in outcomes] == [0.25, 1.25, 2.25]


@pytest.mark.parametrize("at", [0.0, 0.5, 1.0, 2.5, 7.0])
async def test_a_cancelled_sweep_leaves_no_task_and_releases_its_slots(at: float) -> None:
    transport = FakeTransport(backup, round_trip=5, max_concurrency=8)
    async with fleets(transport, rate_limit=RateLimit(per_second=1, burst=1, adaptive=False)) as (
        fleet,
        statistics,
    ):
        before = other_tasks()
        sweep = asyncio.ensure_future(fleet(range(1000), concurrency=64).get_active())
        await asyncio.sleep(at)
        sweep.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sweep
        assert other_tasks() == before
        assert (statistics().in_flight, statistics().waiting, transport.in_flight) == (0, 0, 0)
        # No cancelled call took a slot: the next call is sent one interval after the last.
        sent = transport.times
        await asyncio.sleep(0)
        await fleet([1]).get_active()
        assert transport.times[len(sent)] == max(at, sent[-1] + 1 if sent else at)


async def test_a_cancelled_back_off_leaves_no_task_and_no_slot() -> None:
    transport = FakeTransport(lambda message: respond(message, 503), max_concurrency=8)
    async with fleets(transport, retry=RetryPolicy(base=100, cap=100)) as (fleet, statistics):
        before = other_tasks()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fleet(range(8)).get_active(), 0.001)
        assert (other_tasks(), statistics().in_flight, statistics().waiting) == (before, 0, 0)


async def test_leaving_a_stream_early_ends_its_calls() -> None:
    transport = FakeTransport(backup, round_trip=1, max_concurrency=8)
    async with fleets(transport) as (fleet, statistics):
        async with fleet(range(1000)).get_active() as outcomes:
            await anext(outcomes)
        assert (statistics().in_flight, statistics().waiting, transport.in_flight) == (0, 0, 0)
        assert len(outcomes.leftover) + len(outcomes.unfinished) == 39


async def test_at_most_the_concurrency_of_triggers_is_begun_beyond_the_outcomes_handed_out() -> None:
    sent: list[str] = []

    def started(message: PreparedRequest) -> Response:
        sent.append(message.url.path)
        return respond(message, 201, body={"id": 1})

    async with (
        fleets(FakeTransport(started, round_trip=1, max_concurrency=8)) as (fleet, _),
        fleet(range(10), concurrency=1).trigger() as outcomes,
    ):
        await anext(outcomes)
        await asyncio.sleep(100)
        assert len(sent) == 2  # the second is done, but not handed out
