"""The event `TriggerStopped` of a trigger that was cancelled or drained, in virtual time."""

import asyncio
from typing import Any

import pytest

from backupify_async import ClientDraining, RetryPolicy, SentTrigger, TriggerStopped
from tests.support.action_windows import at
from tests.support.virtual_instance import LOST_AFTER, LOST_BEFORE, Post, VirtualInstance, triggering

pytestmark = pytest.mark.looptime(start=0)


async def stopped_after(
    seconds: float, *posts: Post, recorded: SentTrigger | None = None, **options: Any
) -> SentTrigger | None:
    """The trigger that `TriggerStopped` reports as in doubt after a cancellation."""
    events: list[object] = []
    server = VirtualInstance()
    server.posts.extend(posts)
    async with triggering(server, on_event=events.append, **options) as (trigger, _, _):
        task = asyncio.ensure_future(trigger.run(7, 4, recorded=recorded))
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
    (stopped,) = (event for event in events if isinstance(event, TriggerStopped))
    assert stopped.instance_id == 7
    return stopped.in_doubt


async def test_a_trigger_in_flight_is_in_doubt() -> None:
    in_doubt = await stopped_after(0.05)
    assert in_doubt is not None
    assert (in_doubt.instance_id, in_doubt.sent_at, in_doubt.baseline) == (7, at(0), 4)
    assert not in_doubt.accepted


async def test_a_lost_response_is_in_doubt_and_no_longer_expected() -> None:
    in_doubt = await stopped_after(5, LOST_BEFORE)
    assert in_doubt is not None
    assert (in_doubt.response_by, in_doubt.accepted) == (at(0.1), False)


@pytest.mark.parametrize("response", [204, "queued"])
async def test_an_accepted_trigger_is_reported_as_accepted_while_its_backup_is_checked(
    response: int | str,
) -> None:
    in_doubt = await stopped_after(0.15, Post(None, response))
    assert in_doubt is not None
    assert in_doubt.accepted


@pytest.mark.parametrize("status", [409, 422])
async def test_a_refused_trigger_is_not_in_doubt_while_the_reason_is_checked(status: int) -> None:
    assert await stopped_after(0.15, Post(None, status)) is None


async def test_a_trigger_that_waits_to_be_sent_again_is_not_in_doubt() -> None:
    assert await stopped_after(0.15, Post(None, 429, retry_after=5)) is None
    assert await stopped_after(31, LOST_BEFORE, retry=RetryPolicy(base=1e6, cap=1e6)) is None


async def test_a_trigger_that_was_sent_again_is_in_doubt_again() -> None:
    in_doubt = await stopped_after(30.45, LOST_BEFORE, LOST_AFTER)
    assert in_doubt is not None
    assert in_doubt.sent_at == at(30.4)


async def test_a_trigger_of_a_previous_run_is_in_doubt_exactly_as_it_was_recorded() -> None:
    recorded = SentTrigger(7, at(-60), 4)
    assert await stopped_after(1, recorded=recorded) == recorded


async def test_a_drained_trigger_is_not_in_doubt_once_it_surely_did_nothing() -> None:
    events: list[object] = []
    server = VirtualInstance()
    server.posts.append(LOST_BEFORE)
    async with triggering(server, on_event=events.append) as (trigger, _, _):
        task = asyncio.ensure_future(trigger.run(7))
        await asyncio.sleep(1)
        assert await trigger.drain.run(None) == 0
        with pytest.raises(ClientDraining):
            await task
    assert [event for event in events if isinstance(event, TriggerStopped)] == [TriggerStopped(7, None)]


async def test_a_finished_trigger_emits_no_such_event() -> None:
    events: list[object] = []
    async with triggering(VirtualInstance(), on_event=events.append) as (trigger, _, _):
        await trigger.run(7)
    assert not [event for event in events if isinstance(event, TriggerStopped)]
