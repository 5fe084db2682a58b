"""A trigger whose response is lost, where clocks differ, jump or stand still."""

import asyncio
from datetime import timedelta

import attrs
import pytest

from backupify_async import AmbiguousTrigger
from backupify_async._endpoints.backups import active_request
from backupify_async.models import SentTrigger
from tests.support.virtual_instance import (
    LOST_AFTER,
    LOST_BEFORE,
    OLD_ONES,
    Post,
    VirtualInstance,
    our_clock,
    running_time,
    triggering,
)
from tests.triggers.runs import ACTIVE, ADOPTED, STARTED, backup_id, fail, posts, run

pytestmark = pytest.mark.looptime(start=0)


class TestClocks:
    @pytest.mark.parametrize("offset", [-600.0, 600.0])
    async def test_the_date_header_relates_clocks_that_are_ten_minutes_apart(self, offset: float) -> None:
        old = (*OLD_ONES, -900, -700)
        server = VirtualInstance(offset=offset, duration=0.05, old=old)
        assert backup_id((await run(server, LOST_AFTER))[0]) == 7
        assert (await run(VirtualInstance(offset=offset, old=OLD_ONES), LOST_BEFORE))[0].kind is STARTED

    @pytest.mark.parametrize("date", [-600.0, 600.0])
    async def test_a_date_header_that_differs_from_the_dates_of_backups_causes_no_second_backup(
        self, date: float
    ) -> None:
        with pytest.raises(AmbiguousTrigger) as raised:
            await run(VirtualInstance(date=date), LOST_AFTER)
        assert [one.id for one in raised.value.seen] == [5]
        result, transport = await run(VirtualInstance(date=date), LOST_AFTER, baseline=4)
        assert (result.kind, len(posts(transport))) == (ADOPTED, 1)

    @pytest.mark.parametrize("offset", [-200.0, 0.0, 20.0, 200.0])
    async def test_without_a_date_the_tolerance_keeps_an_active_backup(self, offset: float) -> None:
        result, transport = await run(VirtualInstance(offset=offset, date=None), LOST_AFTER)
        assert (result.kind, backup_id(result), len(posts(transport))) == (ADOPTED, 5, 1)

    @pytest.mark.parametrize("offset", [-200.0, 200.0])
    async def test_without_a_date_an_ended_backup_that_is_near_is_ambiguous(self, offset: float) -> None:
        with pytest.raises(AmbiguousTrigger, match="if a clock is a little off"):
            await run(VirtualInstance(offset=offset, date=None, duration=1), LOST_AFTER)

    @pytest.mark.parametrize("apart", [-100.0, -10.0, 100.0])
    async def test_a_date_header_of_a_proxy_does_not_decide_the_age_of_a_backup(self, apart: float) -> None:
        def server(duration: float = 0.05) -> VirtualInstance:
            return VirtualInstance(offset=apart, date=-apart, duration=duration)

        with pytest.raises(AmbiguousTrigger, match="if a clock is a little off"):
            await run(server(), LOST_AFTER)
        over, _ = await run(server(), LOST_AFTER, baseline=4)
        running, _ = await run(server(1e9), LOST_AFTER)
        assert (over.kind, backup_id(over)) == (ADOPTED, 5)
        # Dated before the request, it cannot be distinguished from a backup of another caller.
        assert (running.kind, backup_id(running)) == (ACTIVE if apart < 0 else ADOPTED, 5)

    @pytest.mark.parametrize(("offset", "date"), [(-90.0, None), (-10.0, 10.0)])
    async def test_a_201_is_started_though_the_clocks_are_a_little_off(
        self, offset: float, date: float | None
    ) -> None:
        assert (await run(VirtualInstance(offset=offset, date=date)))[0].kind is STARTED

    @pytest.mark.parametrize("jump", [-7200.0, 7200.0])
    async def test_our_clock_can_jump_if_the_date_header_shows_the_servers_clock(self, jump: float) -> None:
        server = VirtualInstance(duration=5)
        server.posts.append(Post(3, "lost"))
        async with triggering(server) as (trigger, _, _):
            with our_clock(lambda: jump if running_time() > 0.05 else 0.0):
                assert (await trigger.run(7)).kind is ADOPTED

    async def test_without_a_creation_date_the_baseline_decides(self) -> None:
        assert (await run(VirtualInstance(has_created_at=False), LOST_AFTER, baseline=4))[0].kind is ADOPTED
        assert (await run(VirtualInstance(has_created_at=False), LOST_BEFORE, baseline=4))[0].kind is STARTED
        assert (await run(VirtualInstance(has_created_at=False, old=()), LOST_AFTER, baseline=None))[
            0
        ].kind is ADOPTED

    async def test_without_a_creation_date_and_a_baseline_it_is_ambiguous(self) -> None:
        with pytest.raises(AmbiguousTrigger, match="neither its id nor its dates show it"):
            await run(VirtualInstance(has_created_at=False), LOST_BEFORE)

    async def test_if_ids_have_no_order_the_dates_decide(self) -> None:
        name = "run-{}".format
        result, _ = await run(VirtualInstance(name=name), LOST_AFTER, baseline="run-4")
        assert (result.kind, backup_id(result)) == (ADOPTED, "run-5")
        with pytest.raises(AmbiguousTrigger, match="nothing shows that the list ascends from backup 'run-1'"):
            await run(VirtualInstance(name=name, has_created_at=False), LOST_AFTER, baseline="run-9")


class TestASuspendedMachine:
    """The loop's clock stands still for an hour, while the trigger is in flight or being reconciled."""

    HOUR = 3600.0

    @pytest.mark.parametrize("known_before", [True, False])
    @pytest.mark.parametrize("date", [0.0, None])
    @pytest.mark.parametrize("asleep", [0.05, 0.15, 5.0])
    @pytest.mark.parametrize("duration", [600.0, 0.01])
    async def test_our_backup_is_found_after_a_suspend(
        self, known_before: bool, date: float | None, asleep: float, duration: float
    ) -> None:
        server = VirtualInstance(date=date, duration=duration)
        server.posts.append(LOST_AFTER)
        if asleep > 1:
            server.gets.extend([fail(500)(server)] * 3)
        async with triggering(server) as (trigger, _, session):
            if known_before:
                await session.send(active_request(7))
            start = running_time()
            server.sleeps.append((start + asleep, self.HOUR))
            with our_clock(lambda: server.slept_until(running_time())):
                result = await trigger.run(7)
        assert (result.kind, backup_id(result), server.triggers_received) == (ADOPTED, 5, 1)

    async def test_a_trigger_that_did_nothing_is_sent_again_after_a_suspend(self) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        server.sleeps.append((0.05, self.HOUR))
        async with triggering(server) as (trigger, _, _):
            with our_clock(lambda: server.slept_until(running_time())):
                result = await trigger.run(7)
        assert (result.kind, server.triggers_received) == (STARTED, 2)

    async def test_a_201_after_a_suspend_is_not_taken_for_an_older_backup(self) -> None:
        server = VirtualInstance()
        server.sleeps.append((0.05, self.HOUR))
        async with triggering(server) as (trigger, _, _):
            with our_clock(lambda: server.slept_until(running_time())):
                assert (await trigger.run(7)).kind is STARTED

    @pytest.mark.parametrize("date", [0.0, None])
    async def test_after_a_suspend_before_the_request_no_other_backup_is_adopted(
        self, date: float | None
    ) -> None:
        server = VirtualInstance(date=date, duration=600)
        async with triggering(server) as (trigger, transport, session):
            with our_clock(lambda: server.slept_until(running_time())):
                await session.send(active_request(7))
                server.sleeps.append((running_time(), self.HOUR))
                await asyncio.sleep(900)
                server.start(running_time() - 890)  # by the schedule, and over long since
                server.backups[-1] = attrs.evolve(server.backups[-1], ends=running_time() - 800)
                server.posts.append(LOST_BEFORE)
                result = await trigger.run(7)
        assert (result.kind, len(posts(transport))) == (STARTED, 2)

    async def test_a_clock_offset_from_before_a_suspend_is_not_recorded(self) -> None:
        server = VirtualInstance()
        reported: list[SentTrigger] = []

        async def before_send(sending: SentTrigger) -> None:
            reported.append(sending)

        async with triggering(server) as (trigger, _, session):
            with our_clock(lambda: server.slept_until(running_time())):
                await session.send(active_request(7))
                server.sleeps.append((running_time(), self.HOUR))
                await asyncio.sleep(1)
                await trigger.run(7, before_send=before_send)
        assert [one.clock_offset for one in reported] == [None]


class TestDatesWithoutAnOffset:
    ZONES = tuple(timedelta(hours=hours) for hours in (-12, -5, 0, 5, 14))

    @pytest.mark.parametrize("zone", ZONES)
    async def test_a_201_is_started_though_its_dates_have_no_offset(self, zone: timedelta) -> None:
        assert (await run(VirtualInstance(zone=zone)))[0].kind is STARTED

    @pytest.mark.parametrize("zone", ZONES)
    async def test_dates_without_an_offset_leave_the_decision_to_the_baseline(self, zone: timedelta) -> None:
        result, _ = await run(VirtualInstance(zone=zone, duration=0.05), LOST_AFTER, baseline=4)
        assert (result.kind, backup_id(result)) == (ADOPTED, 5)
        assert (await run(VirtualInstance(zone=zone), LOST_BEFORE, baseline=4))[0].kind is STARTED
        with pytest.raises(AmbiguousTrigger, match="neither its id nor its dates show it"):
            await run(VirtualInstance(zone=zone, duration=0.05), LOST_AFTER)
