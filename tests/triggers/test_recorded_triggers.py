"""What a trigger reports for a journal, and how the next process reconciles what was recorded."""

import asyncio
from typing import Any

import attrs
import pytest

from backupify_async import AmbiguousTrigger, Backup, RetryPolicy, Timeouts
from backupify_async._endpoints.backups import active_request
from backupify_async.models import SentTrigger
from tests.support.action_windows import at
from tests.support.virtual_instance import (
    LOST_AFTER,
    LOST_BEFORE,
    OLD_ONES,
    Post,
    VirtualInstance,
    running_time,
    triggering,
)
from tests.triggers.runs import ACTIVE, ADOPTED, STARTED, backup_id, posts, run, sent_before

pytestmark = pytest.mark.looptime(start=0)


async def recorded_before_crash(
    server: VirtualInstance, post: Post, slow: float = 0.0, **options: Any
) -> SentTrigger:
    """What a process recorded that died before the response; recording takes it `slow` seconds."""
    recorded: list[SentTrigger] = []

    async def before_send(sending: SentTrigger) -> None:
        recorded.append(sending)
        await asyncio.sleep(slow)

    server.posts.append(post)
    async with triggering(server, **options) as (trigger, _, session):
        await session.send(active_request(7))
        task = asyncio.ensure_future(trigger.run(7, before_send=before_send))
        await asyncio.sleep(2 * slow + 0.15)
        task.cancel()
        await asyncio.wait([task])
    assert server.triggers_received == 1
    return recorded[-1]


class TestTheHookForTriggersInDoubt:
    """It is called at once, as the process can end during reconciliation."""

    @pytest.mark.parametrize(("post", "accepted"), [(LOST_BEFORE, False), (Post(None, "queued"), True)])
    async def test_a_lost_response_is_reported_at_once(self, post: Post, accepted: bool) -> None:
        reported: list[tuple[float, SentTrigger]] = []
        server = VirtualInstance()
        server.posts.append(post)
        async with triggering(server) as (trigger, _, _):
            task = asyncio.ensure_future(
                trigger.run(7, on_in_doubt=lambda sent: reported.append((running_time(), sent)))
            )
            await asyncio.sleep(0.15)
            task.cancel()
            await asyncio.wait([task])
        ((when, sent),) = reported
        assert (round(when, 3), sent.accepted, sent.response_by) == (0.1, accepted, at(when))

    async def test_an_acceptance_without_a_backup_is_reported_before_the_check(self) -> None:
        reported: list[float] = []
        server = VirtualInstance()
        server.posts.append(Post(None, 204))
        async with triggering(server, round_trip=0.1) as (trigger, _, _):
            result = await trigger.run(7, on_in_doubt=lambda _: reported.append(round(running_time(), 3)))
        assert (result.kind, reported, round(running_time(), 3)) == (STARTED, [0.1], 0.2)


class TestWithAJournal:
    async def test_the_hook_is_called_before_each_request_is_sent(self) -> None:
        reported: list[float] = []

        async def before_send(sending: SentTrigger) -> None:
            assert sending.sent_at == at(running_time())
            reported.append(running_time())
            await asyncio.sleep(0.5)

        _, transport = await run(VirtualInstance(), LOST_BEFORE, before_send=before_send)
        assert [when + 0.5 for when in reported] == pytest.approx(posts(transport))

    async def test_a_hook_that_raises_prevents_the_request(self) -> None:
        async def before_send(_: SentTrigger) -> None:
            raise OSError(28, "No space left on device")

        server = VirtualInstance()
        async with triggering(server) as (trigger, transport, session):
            with pytest.raises(OSError, match="No space"):
                await trigger.run(7, before_send=before_send)
            assert (transport.sent, session.statistics().in_flight) == ([], 0)

    async def test_a_recorded_trigger_is_reconciled_before_anything_is_sent(self) -> None:
        await asyncio.sleep(1000)
        server = VirtualInstance(old=(*OLD_ONES, 401.0))
        result, transport = await run(server, recorded=sent_before(600))
        assert (result.kind, backup_id(result), posts(transport)) == (ADOPTED, 5, [])

    async def test_a_scheduled_backup_is_not_adopted_after_a_crash(self) -> None:
        await asyncio.sleep(1000)
        server = VirtualInstance(old=(*OLD_ONES, 900.0), date=0)
        result, transport = await run(server, recorded=sent_before(900))
        assert (result.kind, backup_id(result), posts(transport)) == (ACTIVE, 5, [])

    async def test_a_recorded_trigger_that_did_nothing_is_sent_whatever_the_attempts(self) -> None:
        once = {"retry": RetryPolicy(attempts=1)}
        await asyncio.sleep(1000)
        result, transport = await run(VirtualInstance(), recorded=sent_before(600), options=once)
        assert (result.kind, len(posts(transport))) == (STARTED, 1)
        assert posts(transport)[0] >= 1030

    async def test_a_recorded_trigger_that_stays_ambiguous_names_when_it_was_sent(self) -> None:
        server = VirtualInstance(has_created_at=False)
        recorded = sent_before(-60)  # a clock that was set back since
        with pytest.raises(AmbiguousTrigger, match="ended before the response came") as raised:
            await run(server, recorded=recorded, options={"timeouts": Timeouts(attempt=None)})
        assert raised.value.sent_at == recorded.sent_at
        assert all(isinstance(one, Backup) for one in raised.value.seen)


class TestAfterACrash:
    """What a process records before it sends is all that the next one has to find the backup."""

    async def test_a_slow_hook_is_called_again_with_the_new_time(self) -> None:
        reported: list[SentTrigger] = []

        async def before_send(sending: SentTrigger) -> None:
            reported.append(sending)
            await asyncio.sleep(200)

        _, transport = await run(
            VirtualInstance(), before_send=before_send, options={"timeouts": Timeouts(attempt=50)}
        )
        assert (posts(transport), [one.sent_at for one in reported]) == ([400], [at(0), at(200)])
        assert reported[-1].response_by == at(200 + 2 * 200 + 50)

    @pytest.mark.parametrize(("duration", "slow"), [(2.0, 200.0), (2.0, 0.0), (1e9, 200.0)])
    async def test_the_backup_is_found_though_hook_and_attempt_took_long(
        self, duration: float, slow: float
    ) -> None:
        server = VirtualInstance(duration=duration)
        recorded = await recorded_before_crash(
            server, Post(250.0, "lost"), slow, timeouts=Timeouts(attempt=300, read=None)
        )
        await asyncio.sleep(1300)
        result, _ = await run(server, recorded=recorded)
        assert (result.kind, backup_id(result), server.triggers_received) == (ADOPTED, 5, 1)

    @pytest.mark.parametrize("attempt", [Timeouts(attempt=None, total=500), Timeouts(attempt=500)])
    async def test_the_latest_time_of_a_response_is_recorded(self, attempt: Timeouts) -> None:
        recorded = await recorded_before_crash(VirtualInstance(), LOST_BEFORE, timeouts=attempt)
        assert recorded.response_by == at(501.1)

    @pytest.mark.parametrize("moved", [-600.0, -120.0, 120.0, 600.0, 86_400.0])
    @pytest.mark.parametrize("offset", [0.0, -7200.0])
    async def test_the_backup_is_found_though_our_clock_was_set_since(
        self, moved: float, offset: float
    ) -> None:
        server = VirtualInstance(duration=2, offset=offset)
        recorded = await recorded_before_crash(server, LOST_AFTER)
        assert recorded.clock_offset is not None
        await asyncio.sleep(1000)
        async with triggering(server, clock_moved=moved) as (trigger, _, _):
            result = await trigger.run(7, recorded=recorded)
        assert (result.kind, backup_id(result), server.triggers_received) == (ADOPTED, 5, 1)

    async def test_a_recorded_acceptance_is_never_sent_again(self) -> None:
        server = VirtualInstance()
        accepted = attrs.evolve(sent_before(600), accepted=True)
        with pytest.raises(AmbiguousTrigger, match="2xx"):
            await run(server, recorded=accepted)
        assert server.triggers_received == 0

    @pytest.mark.parametrize("seen", [(5,), (3, "5"), ("run-5",)])
    async def test_a_recorded_backup_that_is_missing_now_is_ambiguous(
        self, seen: tuple[int | str, ...]
    ) -> None:
        server = VirtualInstance()
        known = attrs.evolve(sent_before(600), seen=seen)
        with pytest.raises(AmbiguousTrigger, match="5 was there before") as raised:
            await run(server, recorded=known)
        assert raised.value.trigger == known

    async def test_a_recorded_backup_before_the_end_of_the_list_does_not_make_it_ambiguous(self) -> None:
        known = attrs.evolve(sent_before(600), seen=(1, 4))
        assert (await run(VirtualInstance(), recorded=known))[0].kind is STARTED
