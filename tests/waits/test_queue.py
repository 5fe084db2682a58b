"""Turns to look, in virtual time: who has one when, and what is left behind."""

import asyncio
import itertools
import random
from typing import Any

import pytest

from backupify_async._waits.queue import AT_ONCE, Turns
from backupify_async.errors import ClientClosed

pytestmark = pytest.mark.looptime


def now() -> float:
    return round(asyncio.get_running_loop().time(), 6)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


class Looks:
    """Takes turns, and notes who looked when."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.seen: list[tuple[float, Any]] = []
        self.under_way = 0

    async def look(self, who: Any, due: float, seconds: float = 0.0) -> None:
        await self.turns.take(due)
        self.seen.append((now(), who))
        self.under_way += 1
        assert self.under_way <= AT_ONCE
        try:
            await asyncio.sleep(seconds)
        finally:
            self.under_way -= 1
            self.turns.give_back()

    def begin(self, who: Any, due: float, seconds: float = 0.0) -> "asyncio.Task[None]":
        return asyncio.create_task(self.look(who, due, seconds))

    def left(self) -> tuple[int, int, int, object]:
        """What it holds: in the queue, waiting, taken, a timer."""
        turns = self.turns
        return len(turns._queue), turns._waiting, turns._taken, turns._timer


NOTHING = (0, 0, 0, None)


class TestWhoLooksWhen:
    async def test_a_look_comes_when_it_is_due(self) -> None:
        looks = Looks()
        await asyncio.gather(*(looks.look(due, due) for due in (3, 1, 2)))
        assert looks.seen == [(1, 1), (2, 2), (3, 3)]
        assert looks.left() == NOTHING

    async def test_an_earlier_one_that_comes_later_is_not_kept_waiting(self) -> None:
        looks = Looks()
        late = looks.begin("late", 100)
        await settled()
        await looks.look("early", 1)
        assert looks.seen == [(1, "early")]
        await late

    async def test_few_look_at_once(self) -> None:
        looks = Looks()
        await asyncio.gather(*(looks.look(who, 0, seconds=5) for who in range(AT_ONCE + 1)))
        assert [when for when, _ in looks.seen] == [0] * AT_ONCE + [5]

    async def test_the_longest_overdue_goes_first(self) -> None:
        looks = Looks()
        slow = [looks.begin("slow", 0, seconds=10) for _ in range(AT_ONCE)]
        await settled()
        rest = [looks.begin(due, due) for due in (6, 2, 8, 4)]
        await asyncio.gather(*slow, *rest)
        assert looks.seen[AT_ONCE:] == [(10, 2), (10, 4), (10, 6), (10, 8)]


class TestPhase:
    def test_one_alone_has_the_whole_interval(self) -> None:
        assert Turns().phase() == 1

    async def test_those_that_begin_together_are_spread_over_the_interval(self) -> None:
        turns = Turns()
        waiting = asyncio.create_task(turns.take(1))
        await settled()
        phases = sorted(turns.phase() for _ in range(100))
        gaps = [after - before for before, after in itertools.pairwise(phases)]
        assert (phases[0] > 0, phases[-1], max(gaps) < 0.03) == (True, 1, True)
        await waiting


class TestCancelled:
    async def test_one_that_waits_leaves_nothing(self) -> None:
        looks = Looks()
        waiting = looks.begin("x", 100)
        await settled()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert looks.left() == NOTHING

    async def test_one_just_let_go_passes_its_turn_on(self) -> None:
        looks = Looks()
        for _ in range(AT_ONCE):
            await looks.turns.take(0)
        first, second = looks.begin("first", 0), looks.begin("second", 0)
        await settled()
        looks.turns.give_back()
        first.cancel()  # granted in this very turn of the loop
        await second
        assert (first.cancelled(), looks.seen) == (True, [(0, "second")])
        for _ in range(AT_ONCE - 1):
            looks.turns.give_back()
        assert looks.left() == NOTHING

    async def test_one_that_looks_gives_its_turn_back(self) -> None:
        looks = Looks()
        looking = looks.begin("x", 0, seconds=10)
        await asyncio.sleep(1)
        looking.cancel()
        await asyncio.wait([looking])
        assert looks.left() == NOTHING

    async def test_many_that_gave_up_are_swept_out_before_they_are_due(self) -> None:
        looks = Looks()
        waiting = [looks.begin(who, 1_000 + who) for who in range(500)]
        await settled()
        for one in waiting[:-10]:
            one.cancel()
        await asyncio.wait(waiting[:-10])
        assert looks.left()[0] < 100
        await asyncio.gather(*waiting[-10:])
        assert [who for _, who in looks.seen] == list(range(490, 500))


class TestClosed:
    async def test_all_who_wait_are_told(self) -> None:
        looks = Looks()
        waiting = [looks.begin(who, 100) for who in range(3)]
        await settled()
        looks.turns.close()
        endings = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(ending) for ending in endings] == [ClientClosed] * 3
        assert looks.left() == NOTHING

    async def test_one_that_comes_later_is_told_too(self) -> None:
        looks = Looks()
        await looks.look("before", 0)
        looks.turns.close()
        with pytest.raises(ClientClosed):
            await looks.turns.take(0)

    async def test_one_told_and_cancelled_at_once_leaves_no_turn_taken(self) -> None:
        looks = Looks()
        waiting = looks.begin("x", 100)
        await settled()
        looks.turns.close()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert (waiting.cancelled(), looks.left()) == (True, NOTHING)

    async def test_one_given_up_at_once_is_not_told(self) -> None:
        looks = Looks()
        waiting = looks.begin("x", 100)
        await settled()
        waiting.cancel()
        looks.turns.close()
        await asyncio.wait([waiting])
        assert (waiting.cancelled(), looks.left()) == (True, NOTHING)

    def test_another_loop_than_theirs_ends_nobody(self) -> None:
        turns = Turns()

        async def look() -> None:
            await turns.take(0)
            turns.give_back()

        async def close() -> None:
            turns.close()

        asyncio.run(close())
        asyncio.run(look())
        asyncio.run(close())
        asyncio.run(look())


@pytest.mark.parametrize("seed", range(10))
async def test_whatever_comes_and_goes_no_turn_is_lost(seed: int) -> None:
    rng, looks = random.Random(seed), Looks()
    everybody = []
    for who in range(200):
        everybody.append(looks.begin(who, now() + rng.uniform(-5, 20), seconds=rng.uniform(0, 10)))
        if rng.random() < 0.3:
            await asyncio.sleep(rng.uniform(0, 2))
        if rng.random() < 0.3:
            rng.choice(everybody).cancel()
    endings = await asyncio.gather(*everybody, return_exceptions=True)
    ended = [who for who, ending in enumerate(endings) if ending is None]
    assert set(ended) <= {who for _, who in looks.seen}
    assert looks.left() == NOTHING
