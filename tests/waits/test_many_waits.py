"""Many waits at once: how often each is checked, and which calls take precedence."""

import asyncio
import itertools

import pytest

from backupify_async import PollPolicy, RateLimit
from backupify_async._waits.waiting import MAX_CHECKS
from tests.support.running_backups import Server, asked, backups_of
from tests.support.work import now

pytestmark = pytest.mark.looptime


EVERY_10_S = PollPolicy(interval=10)


class TestManyWaits:
    async def test_a_fixed_number_of_checks_is_in_flight_however_many_waits_there_are(self) -> None:
        async with backups_of(Server(dict.fromkeys(range(500), 100.0)), round_trip=3) as (
            backups,
            transport,
            _,
        ):
            await asyncio.gather(*(backups.wait(one, one) for one in range(500)))
        assert transport.most_in_flight == MAX_CHECKS

    async def test_a_slow_limit_lengthens_all_intervals_alike(self) -> None:
        limit = RateLimit(per_second=2, burst=1, adaptive=False)
        async with backups_of(Server(dict.fromkeys(range(100), 490.0)), rate_limit=limit) as (
            backups,
            transport,
            _,
        ):
            await asyncio.gather(*(backups.wait(one, one, poll=EVERY_10_S) for one in range(100)))
        for instance in range(100):
            checks = [when for when, what in asked(transport) if what == str(instance) and when < 350]
            gaps = [later - earlier for earlier, later in itertools.pairwise(checks)]
            # 100 checks at 2 a second take 50 s; each is at most one interval early or late.
            assert all(39 < gap < 61 for gap in gaps)

    async def test_other_calls_take_precedence_over_checks(self) -> None:
        limit = RateLimit(per_second=2, burst=1, adaptive=False)
        server = Server({**dict.fromkeys(range(500), 300.0), 999: 1e9})
        async with backups_of(server, rate_limit=limit) as (backups, _, _):
            waiting = asyncio.gather(*(backups.wait(one, one) for one in range(500)))
            await asyncio.sleep(100.25)
            for _ in range(20):
                began = now()
                await backups.get(999, 999)
                assert now() - began <= 0.5
                await asyncio.sleep(1.1)
            await waiting

    async def test_only_checks_are_background_work(self) -> None:
        limit = RateLimit(per_second=1, burst=1, adaptive=False)
        async with backups_of(Server({7: 0, 8: 0, 9: 0}), rate_limit=limit) as (backups, transport, _):

            async def wait_and_get() -> None:
                await backups.wait(7, 7)
                await backups.get(9, 9)  # no longer background work: it is sent before the other checks

            await asyncio.gather(wait_and_get(), *(backups.wait(8, 8) for _ in range(3)))
        assert [what for _, what in asked(transport)] == ["7", "9", "8", "8", "8"]

    async def test_waits_that_begin_together_are_not_checked_together_forever(self) -> None:
        async with backups_of(Server(dict.fromkeys(range(10), 100.0))) as (backups, transport, _):
            await asyncio.gather(*(backups.wait(one, one, poll=EVERY_10_S) for one in range(10)))
        second_round = [when for when in transport.times if 10 <= when < 20]
        assert len(set(second_round)) == len(second_round) == 10
