"""When each check is made, and that each wait returns its slot; in virtual time."""

import asyncio
import itertools
import random

import pytest

from backupify_async import Backup, PollPolicy
from backupify_async._resources.backups import Backups, internals
from backupify_async._waits.waiting import MAX_CHECKS, Waits
from tests.support.running_backups import Server, asked, backups_of
from tests.support.work import now

pytestmark = pytest.mark.looptime


def waits_of(backups: Backups) -> Waits:
    return internals(backups).waits


def wait_from(backups: Backups, one: int, seconds: float) -> "asyncio.Task[object]":
    """Begin a wait whose first check is due after `seconds`."""
    waits, poll = waits_of(backups), PollPolicy(interval=seconds)

    async def wait() -> object:
        waits.slots._phases = 0  # begin with a whole interval
        return await waits.wait_from(one, Backup(one, status="running"), timeout=None, poll=poll)

    return asyncio.create_task(wait())


def is_unused(waits: Waits) -> bool:
    return (waits.waited_for, waits.slots.free._value) == (0, MAX_CHECKS)


async def test_a_check_is_made_when_it_is_due() -> None:
    async with backups_of(Server({1: 0, 2: 0, 3: 0})) as (backups, transport, _):
        await asyncio.gather(*(wait_from(backups, due, due) for due in (3, 1, 2)))
        assert asked(transport) == [(1, "1"), (2, "2"), (3, "3")]
        assert is_unused(waits_of(backups))


async def test_a_wait_that_begins_later_and_is_due_earlier_is_checked_earlier() -> None:
    async with backups_of(Server({1: 0, 2: 0})) as (backups, transport, _):
        late = wait_from(backups, 1, 100)
        await asyncio.sleep(1)
        await wait_from(backups, 2, 1)
        assert asked(transport) == [(2, "2")]
        await late


async def test_the_wait_that_is_overdue_the_longest_is_checked_first() -> None:
    busy = range(100, 100 + MAX_CHECKS)
    async with backups_of(Server(dict.fromkeys([*busy, 2, 4, 6, 8], 0.0)), round_trip=10) as (
        backups,
        transport,
        _,
    ):
        slow = [asyncio.create_task(backups.wait(one, one)) for one in busy]
        await asyncio.sleep(0)
        rest = [wait_from(backups, due, due) for due in (6, 2, 8, 4)]
        await asyncio.gather(*slow, *rest)
    assert asked(transport)[MAX_CHECKS:] == [(10, "2"), (10, "4"), (10, "6"), (10, "8")]


async def test_waits_that_begin_together_are_spread_over_the_interval() -> None:
    async with backups_of(Server()) as (backups, _, _):
        slots = waits_of(backups).slots
        assert slots.next_phase() == 1
        slots.waiting = 1
        slots._phases = 0
        phases = sorted(slots.next_phase() for _ in range(100))
        gaps = [after - before for before, after in itertools.pairwise(phases)]
        assert (phases[0] > 0, phases[-1], max(gaps) < 0.03) == (True, 1, True)
        slots.waiting = 0


async def test_a_wait_that_is_cancelled_just_as_it_gets_a_slot_releases_it() -> None:
    busy = range(100, 100 + MAX_CHECKS)
    async with backups_of(Server(dict.fromkeys([*busy, 1, 2], 0.0)), round_trip=10) as (
        backups,
        transport,
        _,
    ):
        slow = [asyncio.create_task(backups.wait(one, one)) for one in busy]
        await asyncio.sleep(0)
        first, second = (asyncio.create_task(backups.wait(one, one)) for one in (1, 2))
        await asyncio.sleep(1)
        asyncio.get_running_loop().call_at(10, first.cancel)
        await asyncio.gather(*slow, second)
        assert first.cancelled()
        assert is_unused(waits_of(backups))
        assert (asked(transport)[-1], now()) == ((10, "2"), 20)


@pytest.mark.parametrize("seed", range(10))
async def test_no_slot_is_lost_whatever_waits_begin_and_are_cancelled(seed: int) -> None:
    rng = random.Random(seed)
    server = Server({one: rng.uniform(0, 60) for one in range(200)})
    async with backups_of(server, round_trip=3) as (backups, transport, _):
        waiting = []
        for one in range(200):
            waiting.append(asyncio.create_task(backups.wait(one, one)))
            if rng.random() < 0.3:
                await asyncio.sleep(rng.uniform(0, 2))
            if rng.random() < 0.3:
                rng.choice(waiting).cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        ended = {one for one, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)}
        assert ended <= {int(what) for _, what in asked(transport) if what != "active"}
        assert is_unused(waits_of(backups))
        assert transport.most_in_flight <= MAX_CHECKS
