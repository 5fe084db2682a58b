"""`client.drain()`: triggers in flight end, and no new one is sent; in virtual time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backupify_async import ClientDraining, FanOutAborted, RateLimit, TriggerKind
from backupify_async._fleet.fleet import Fleet
from backupify_async._resources.backups import Backups, internals
from backupify_async.models import SentTrigger
from tests.support.action_windows import NOON
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.files import ACCOUNT
from tests.support.virtual_instance import LOST_BEFORE, VirtualInstance, running_time, triggering

pytestmark = pytest.mark.looptime(start=0)


@contextlib.asynccontextmanager
async def fleets(
    transport: FakeTransport, **options: Any
) -> AsyncIterator[tuple[Callable[..., Fleet], Backups]]:
    options.setdefault("rate_limit", RateLimit(None, adaptive=False))
    async with session_over(transport, **options) as session:
        backups = Backups(session)

        def begin(ids: Any, concurrency: int = 2) -> Fleet:
            is_blocked = session.is_blocked
            return Fleet(backups, ids, concurrency=concurrency, is_blocked=is_blocked, account=ACCOUNT)

        yield begin, backups


def starting() -> FakeTransport:
    """Each trigger starts a backup, after a round trip of 10 s."""
    return FakeTransport(lambda message: respond(message, 201, {"id": 1}), round_trip=10)


class TestATrigger:
    async def test_the_drain_waits_for_a_trigger_in_flight(self) -> None:
        async with fleets(starting()) as (_, backups):
            triggered = asyncio.create_task(backups.trigger(1))
            await asyncio.sleep(1)
            assert await internals(backups).triggers.drain.run(None) == 0
            assert running_time() == 10
            assert (await triggered).kind is TriggerKind.STARTED

    async def test_a_trigger_that_is_pending_at_the_time_out_is_counted(self) -> None:
        async with fleets(starting()) as (_, backups):
            triggered = asyncio.create_task(backups.trigger(1))
            await asyncio.sleep(1)
            assert await internals(backups).triggers.drain.run(4) == 1
            assert running_time() == 5
            await triggered

    async def test_a_time_out_of_0_does_not_wait(self) -> None:
        async with fleets(starting()) as (_, backups):
            triggered = asyncio.create_task(backups.trigger(1))
            await asyncio.sleep(1)
            assert (await internals(backups).triggers.drain.run(0), running_time()) == (1, 1)
            await triggered

    @pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), True, "5"])
    async def test_an_invalid_time_out_drains_nothing(self, seconds: Any) -> None:
        async with fleets(starting()) as (_, backups):
            with pytest.raises(ValueError, match="timeout must be a finite number of at least 0, not "):
                await internals(backups).triggers.drain.run(seconds)
            assert (await backups.trigger(1)).kind is TriggerKind.STARTED

    async def test_a_trigger_after_the_drain_is_not_sent(self) -> None:
        transport = starting()
        async with fleets(transport) as (_, backups):
            assert await internals(backups).triggers.drain.run(None) == 0
            with pytest.raises(ClientDraining, match="no backup of instance 7 was triggered"):
                await backups.trigger(7)
        assert transport.sent == []

    async def test_a_trigger_that_waits_at_the_gate_ends_unsent(self) -> None:
        transport = starting()
        async with fleets(transport, rate_limit=RateLimit(0.001, 1, adaptive=False)) as (_, backups):
            calls = [asyncio.create_task(backups.trigger(instance)) for instance in range(50)]
            await asyncio.sleep(1)
            assert await internals(backups).triggers.drain.run(None) == 0
            assert (await calls[0]).kind is TriggerKind.STARTED
            for other in calls[1:]:
                with pytest.raises(ClientDraining):
                    await other
        assert (transport.times, running_time()) == ([0], 10)

    async def test_a_trigger_that_is_cancelled_just_before_the_drain_ends_cancelled(self) -> None:
        async with fleets(starting(), rate_limit=RateLimit(0.001, 1, adaptive=False)) as (_, backups):
            first, second = [asyncio.create_task(backups.trigger(instance)) for instance in (1, 2)]
            await asyncio.sleep(1)
            second.cancel()
            assert await internals(backups).triggers.drain.run(None) == 0
            with pytest.raises(asyncio.CancelledError):
                await second
            await first

    async def test_a_recorded_trigger_is_still_reconciled(self) -> None:
        server = VirtualInstance()
        async with triggering(server) as (trigger, transport, _):
            sent_at = datetime.fromtimestamp(NOON + running_time() - 5, UTC)
            triggered = asyncio.create_task(trigger.run(7, recorded=SentTrigger(7, sent_at)))
            await asyncio.sleep(1)
            assert await trigger.drain.run(None) == 0
            with pytest.raises(ClientDraining):
                await triggered
            assert running_time() > 29  # it was checked until the server had settled
        assert "POST" not in [message.method for _, message in transport.sent]

    async def test_a_trigger_with_a_lost_response_is_reconciled_but_not_sent_again(self) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server) as (trigger, transport, _):
            triggered = asyncio.create_task(trigger.run(7))
            await asyncio.sleep(1)
            assert await trigger.drain.run(None) == 0
            with pytest.raises(ClientDraining):
                await triggered
        assert [message.method for _, message in transport.sent].count("POST") == 1

    async def test_the_drain_no_longer_waits_for_a_cancelled_trigger(self) -> None:
        async with fleets(starting()) as (_, backups):
            triggered = asyncio.create_task(backups.trigger(1))
            await asyncio.sleep(1)
            asyncio.get_running_loop().call_later(1, triggered.cancel)
            assert await internals(backups).triggers.drain.run(None) == 0
            assert running_time() == 2

    async def test_cancelling_the_drain_does_not_undo_it(self) -> None:
        async with fleets(starting()) as (_, backups):
            triggered = asyncio.create_task(backups.trigger(1))
            await asyncio.sleep(1)
            draining = asyncio.create_task(internals(backups).triggers.drain.run(None))
            await asyncio.sleep(1)
            draining.cancel()
            await asyncio.wait([draining])
            with pytest.raises(ClientDraining):
                await backups.trigger(2)
            await triggered


class TestAFanOut:
    async def test_a_fan_out_stops_after_the_outcomes_of_the_calls_in_flight(self) -> None:
        transport = starting()
        async with fleets(transport) as (fleet, backups):
            sweep = asyncio.ensure_future(fleet(range(100)).trigger())
            await asyncio.sleep(11)
            assert await internals(backups).triggers.drain.run(None) == 0
            with pytest.raises(FanOutAborted, match="the client is draining") as aborted:
                await sweep
        assert sorted(aborted.value.values) == [0, 1, 2, 3]
        assert len(transport.sent) == 4

    async def test_a_fan_out_that_waits_for_an_id_stops_waiting(self) -> None:
        async def stalling() -> AsyncIterator[int]:
            yield 1
            await asyncio.Event().wait()

        async with fleets(starting()) as (fleet, backups):
            sweep = asyncio.ensure_future(fleet(stalling()).trigger())
            await asyncio.sleep(1)
            await internals(backups).triggers.drain.run(None)
            with pytest.raises(FanOutAborted) as aborted:
                await sweep
        assert (sorted(aborted.value.values), running_time()) == ([1], 10)

    async def test_a_fan_out_after_the_drain_sends_nothing(self) -> None:
        async with fleets(starting()) as (fleet, backups):
            await internals(backups).triggers.drain.run(None)
            with pytest.raises(FanOutAborted, match="0 succeeded, 0 failed"):
                await fleet(range(100)).trigger()

    async def test_a_fan_out_whose_ids_were_all_read_ends_normally(self) -> None:
        async with fleets(starting()) as (fleet, backups):
            sweep = asyncio.ensure_future(fleet([1, 2], concurrency=3).trigger())
            await asyncio.sleep(1)
            await internals(backups).triggers.drain.run(None)
            assert len((await sweep).values) == 2

    async def test_a_fan_out_of_reads_continues(self) -> None:
        transport = FakeTransport(lambda message: respond(message, body={"id": 1}), round_trip=1)
        async with fleets(transport) as (fleet, backups):
            await internals(backups).triggers.drain.run(None)
            assert len((await fleet(range(4)).get_active()).values) == 4
