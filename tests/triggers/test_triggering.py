"""The walk of a trigger whose answer was lost: when it looks, what it finds, when it sends again."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from backupify_async import (
    AmbiguousTrigger,
    APIError,
    Backup,
    ClientClosed,
    DecodeError,
    NotFound,
    Reconciliation,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    Timeouts,
    TransportError,
    TriggerKind,
    TriggerResult,
)
from backupify_async._endpoints.backups import active_request
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.models import SentTrigger
from tests.support.action_windows import NOON, at
from tests.support.fake_transport import FakeTransport
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

pytestmark = pytest.mark.looptime(start=0)
ADOPTED, STARTED, ACTIVE = TriggerKind.ADOPTED, TriggerKind.STARTED, TriggerKind.ALREADY_ACTIVE


async def run(
    server: VirtualInstance, *posts: Post, options: dict[str, Any] | None = None, **arguments: Any
) -> tuple[TriggerResult, FakeTransport]:
    server.posts.extend(posts)
    async with triggering(server, **(options or {})) as (trigger, transport, _):
        result = await trigger.run(7, **arguments)
    assert sum(server.started.values()) <= 1
    return result, transport


def backup_id(result: TriggerResult) -> int | str | None:
    return result.backup.id if result.backup is not None else None


def sent_before(seconds: float) -> SentTrigger:
    """What an earlier process noted of its sending, so many seconds ago."""
    sent_at = datetime.fromtimestamp(NOON + running_time() - seconds, UTC)
    return SentTrigger(7, sent_at)


async def crashed(server: VirtualInstance, post: Post, slow: float = 0.0, **options: Any) -> SentTrigger:
    """What a process noted that died before its answer came; each note took it so many seconds."""
    noted: list[SentTrigger] = []

    async def before_send(sending: SentTrigger) -> None:
        noted.append(sending)
        await asyncio.sleep(slow)

    server.posts.append(post)
    async with triggering(server, **options) as (trigger, _, session):
        await session.send(active_request(7))
        task = asyncio.ensure_future(trigger.run(7, before_send=before_send))
        await asyncio.sleep(2 * slow + 0.15)
        task.cancel()
        await asyncio.wait([task])
    assert server.sendings == 1
    return noted[-1]


def posts(transport: FakeTransport) -> list[float]:
    return [round(when, 3) for when, message in transport.sent if message.method == "POST"]


class TestAnAnswerThatComes:
    async def test_a_response_that_comes_costs_one_request(self) -> None:
        result, transport = await run(VirtualInstance())
        assert (result.kind, backup_id(result), len(transport.sent)) == (STARTED, 5, 1)

    async def test_a_server_with_an_active_backup_gives_that_backup(self) -> None:
        server = VirtualInstance()
        server.start(0)
        result, transport = await run(server)
        assert (result.kind, backup_id(result), len(transport.sent)) == (ACTIVE, 5, 2)


class TestALostAnswer:
    @pytest.mark.parametrize(
        "post", [LOST_AFTER, Post(0, 500), Post(0, 504), Post(0, 408), Post(0, "garbage"), Post(0, "lost", 5)]
    )
    @pytest.mark.parametrize("duration", [1e9, 0.05])
    async def test_a_started_backup_is_found_at_once(self, post: Post, duration: float) -> None:
        result, transport = await run(VirtualInstance(duration=duration), post)
        assert (result.kind, backup_id(result), posts(transport)) == (ADOPTED, 5, [0])
        assert transport.times[-1] < 1

    @pytest.mark.parametrize("late", [0.5, 7, 29.8])
    async def test_a_server_that_acts_late_is_waited_for(self, late: float) -> None:
        result, transport = await run(VirtualInstance(duration=5), Post(late, "lost"))
        assert (result.kind, backup_id(result), posts(transport)) == (ADOPTED, 5, [0])

    async def test_a_trigger_that_did_nothing_is_sent_again_after_the_server_has_settled(self) -> None:
        server = VirtualInstance()
        result, transport = await run(server, LOST_BEFORE)
        assert (result.kind, backup_id(result)) == (STARTED, 5)
        assert posts(transport) == [0, 30.4]  # lost at 0.1, settled at 30.1, a look of three requests
        looks = [when for when, message in transport.sent if message.url.path.endswith("/active")]
        assert [round(when, 3) for when in looks] == [0.1, 1.4, 4.7, 14.0, 30.1]

    async def test_a_trigger_is_counted_while_it_is_reconciled(self) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server) as (trigger, _, _):
            walking = asyncio.create_task(trigger.run(7))
            await asyncio.sleep(20)
            assert trigger.reconciling == 1
            await walking
            assert trigger.reconciling == 0

    async def test_a_trigger_is_not_sent_again_while_another_backup_is_active(self) -> None:
        server = VirtualInstance(old=(-9000, -310))
        result, transport = await run(server, LOST_BEFORE)
        assert (result.kind, backup_id(result), posts(transport)) == (ACTIVE, 2, [0])
        assert running_time() == pytest.approx(30.3, abs=0.2)

    async def test_a_second_lost_response_is_reconciled_too(self) -> None:
        result, transport = await run(VirtualInstance(duration=1), LOST_BEFORE, Post(20, "lost"))
        assert (result.kind, backup_id(result), len(posts(transport))) == (ADOPTED, 5, 2)

    async def test_pages_are_read_backwards_until_a_backup_is_surely_older(self) -> None:
        server = VirtualInstance(per_page=1, duration=0.01)
        server.posts.append(LOST_AFTER)
        async with triggering(server, round_trip=0.0) as (trigger, transport, _):
            result = await trigger.run(7)
        pages = [
            message.url.query.get("page") for _, message in transport.sent if "active" not in str(message.url)
        ]
        assert (result.kind, pages) == (ADOPTED, [None, None, "5", "4"])

    async def test_a_trigger_is_sent_again_if_the_list_is_empty_for_ten_seconds(self) -> None:
        result, transport = await run(VirtualInstance(old=()), LOST_BEFORE)
        assert (result.kind, backup_id(result)) == (STARTED, 1)
        assert posts(transport) == [0, 30.3]

    async def test_a_trigger_is_sent_again_only_after_retry_after(self) -> None:
        options = {"retry": RetryPolicy(attempts=1, budget=0)}
        result, transport = await run(VirtualInstance(), Post(None, 503, retry_after=50), options=options)
        assert (result.kind, len(posts(transport))) == (STARTED, 2)
        assert posts(transport)[1] >= 50

    @pytest.mark.parametrize(
        ("acts", "ends"),
        [(0.0, ADOPTED), (None, "answered 503 .*over max_retry_after.*no backup was started")],
    )
    async def test_a_response_with_a_retry_after_above_the_limit_is_reconciled_too(
        self, acts: float | None, ends: TriggerKind | str
    ) -> None:
        server = VirtualInstance()
        if isinstance(ends, TriggerKind):
            result, transport = await run(server, Post(acts, 503, retry_after=500))
            assert (result.kind, posts(transport)) == (ends, [0])
            return
        with pytest.raises(ServerError, match=ends):
            await run(server, Post(acts, 503, retry_after=500))
        assert server.sendings == 1

    async def test_the_first_backup_of_an_instance_is_found(self) -> None:
        assert backup_id((await run(VirtualInstance(old=()), LOST_AFTER))[0]) == 1
        assert (await run(VirtualInstance(old=()), LOST_BEFORE, baseline=None))[0].kind is STARTED


class TestClocks:
    @pytest.mark.parametrize("offset", [-600.0, 600.0])
    async def test_the_date_bridges_clocks_that_are_ten_minutes_apart(self, offset: float) -> None:
        old = (*OLD_ONES, -900, -700)
        server = VirtualInstance(offset=offset, duration=0.05, old=old)
        assert backup_id((await run(server, LOST_AFTER))[0]) == 7
        assert (await run(VirtualInstance(offset=offset, old=OLD_ONES), LOST_BEFORE))[0].kind is STARTED

    @pytest.mark.parametrize("date", [-600.0, 600.0])
    async def test_a_date_of_another_clock_than_the_backups_causes_no_second_backup(
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
    async def test_a_date_that_a_proxy_adds_does_not_date_backups(self, apart: float) -> None:
        def server(duration: float = 0.05) -> VirtualInstance:
            return VirtualInstance(offset=apart, date=-apart, duration=duration)

        with pytest.raises(AmbiguousTrigger, match="if a clock is a little off"):
            await run(server(), LOST_AFTER)
        over, _ = await run(server(), LOST_AFTER, baseline=4)
        running, _ = await run(server(1e9), LOST_AFTER)
        assert (over.kind, backup_id(over)) == (ADOPTED, 5)
        # Dated before the sending, it cannot be told from one that somebody else had started.
        assert (running.kind, backup_id(running)) == (ACTIVE if apart < 0 else ADOPTED, 5)

    @pytest.mark.parametrize(("offset", "date"), [(-90.0, None), (-10.0, 10.0)])
    async def test_clocks_that_are_a_little_off_do_not_deny_a_201_its_backup(
        self, offset: float, date: float | None
    ) -> None:
        assert (await run(VirtualInstance(offset=offset, date=date)))[0].kind is STARTED

    @pytest.mark.parametrize("jump", [-7200.0, 7200.0])
    async def test_our_clock_can_jump_while_a_date_shows_the_servers(self, jump: float) -> None:
        server = VirtualInstance(duration=5)
        server.posts.append(Post(3, "lost"))
        async with triggering(server) as (trigger, _, _):
            with our_clock(lambda: jump if running_time() > 0.05 else 0.0):
                assert (await trigger.run(7)).kind is ADOPTED

    async def test_without_a_creation_date_the_baseline_decides(self) -> None:
        assert (await run(VirtualInstance(tells_creation=False), LOST_AFTER, baseline=4))[0].kind is ADOPTED
        assert (await run(VirtualInstance(tells_creation=False), LOST_BEFORE, baseline=4))[0].kind is STARTED
        assert (await run(VirtualInstance(tells_creation=False, old=()), LOST_AFTER, baseline=None))[
            0
        ].kind is ADOPTED

    async def test_without_a_creation_date_and_a_baseline_it_is_ambiguous(self) -> None:
        with pytest.raises(AmbiguousTrigger, match="neither its id nor its dates show it"):
            await run(VirtualInstance(tells_creation=False), LOST_BEFORE)

    async def test_where_ids_have_no_order_the_dates_decide(self) -> None:
        name = "run-{}".format
        result, _ = await run(VirtualInstance(name=name), LOST_AFTER, baseline="run-4")
        assert (result.kind, backup_id(result)) == (ADOPTED, "run-5")
        with pytest.raises(AmbiguousTrigger, match="nothing shows that the list ascends from backup 'run-1'"):
            await run(VirtualInstance(name=name, tells_creation=False), LOST_AFTER, baseline="run-9")


class TestAMachineThatSleeps:
    """The loop's clock stands still for an hour, while the request is under way or looked for."""

    HOUR = 3600.0

    @pytest.mark.parametrize("known_before", [True, False])
    @pytest.mark.parametrize("date", [0.0, None])
    @pytest.mark.parametrize("asleep", [0.05, 0.15, 5.0])
    @pytest.mark.parametrize("duration", [600.0, 0.01])
    async def test_a_machine_that_slept_still_knows_its_own_backup(
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
        assert (result.kind, backup_id(result), server.sendings) == (ADOPTED, 5, 1)

    async def test_a_machine_that_slept_sends_again_what_did_nothing(self) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        server.sleeps.append((0.05, self.HOUR))
        async with triggering(server) as (trigger, _, _):
            with our_clock(lambda: server.slept_until(running_time())):
                result = await trigger.run(7)
        assert (result.kind, server.sendings) == (STARTED, 2)

    async def test_a_machine_that_slept_does_not_take_its_own_201_for_an_older_backup(self) -> None:
        server = VirtualInstance()
        server.sleeps.append((0.05, self.HOUR))
        async with triggering(server) as (trigger, _, _):
            with our_clock(lambda: server.slept_until(running_time())):
                assert (await trigger.run(7)).kind is STARTED

    @pytest.mark.parametrize("date", [0.0, None])
    async def test_a_machine_that_slept_before_sending_adopts_no_other_backup(
        self, date: float | None
    ) -> None:
        server = VirtualInstance(date=date, duration=600)
        async with triggering(server) as (trigger, transport, session):
            with our_clock(lambda: server.slept_until(running_time())):
                await session.send(active_request(7))
                server.sleeps.append((running_time(), self.HOUR))
                await asyncio.sleep(900)
                server.start(running_time() - 890)  # by the schedule; it was over long before
                server.backups[-1] = attrs.evolve(server.backups[-1], ends=running_time() - 800)
                server.posts.append(LOST_BEFORE)
                result = await trigger.run(7)
        assert (result.kind, len(posts(transport))) == (STARTED, 2)

    async def test_a_date_from_before_a_suspend_is_not_recorded(self) -> None:
        server = VirtualInstance()
        told: list[SentTrigger] = []

        async def before_send(sending: SentTrigger) -> None:
            told.append(sending)

        async with triggering(server) as (trigger, _, session):
            with our_clock(lambda: server.slept_until(running_time())):
                await session.send(active_request(7))
                server.sleeps.append((running_time(), self.HOUR))
                await asyncio.sleep(1)
                await trigger.run(7, before_send=before_send)
        assert [one.clock_offset for one in told] == [None]


class TestDatesWithoutAnOffset:
    ZONES = tuple(timedelta(hours=hours) for hours in (-12, -5, 0, 5, 14))

    @pytest.mark.parametrize("zone", ZONES)
    async def test_dates_without_an_offset_do_not_deny_a_201_its_backup(self, zone: timedelta) -> None:
        assert (await run(VirtualInstance(zone=zone)))[0].kind is STARTED

    @pytest.mark.parametrize("zone", ZONES)
    async def test_dates_without_an_offset_leave_the_decision_to_the_baseline(self, zone: timedelta) -> None:
        result, _ = await run(VirtualInstance(zone=zone, duration=0.05), LOST_AFTER, baseline=4)
        assert (result.kind, backup_id(result)) == (ADOPTED, 5)
        assert (await run(VirtualInstance(zone=zone), LOST_BEFORE, baseline=4))[0].kind is STARTED
        with pytest.raises(AmbiguousTrigger, match="neither its id nor its dates show it"):
            await run(VirtualInstance(zone=zone, duration=0.05), LOST_AFTER)


class TestSomebodyElse:
    @pytest.mark.parametrize("known", [{}, {"baseline": 4}])
    async def test_a_backup_that_somebody_else_started_eight_seconds_before_is_already_active(
        self, known: dict[str, Any]
    ) -> None:
        server = VirtualInstance()
        server.start(0)
        await asyncio.sleep(8)
        result, transport = await run(server, LOST_BEFORE, **known)
        assert (result.kind, backup_id(result), len(posts(transport))) == (ACTIVE, 5, 1)


class TestWhatAnAnswerProves:
    @pytest.mark.parametrize("status", [406, 420, 425, 440, 444, 460, 499, 520, 302])
    async def test_a_status_that_proves_nothing_is_a_lost_response(self, status: int) -> None:
        result, transport = await run(VirtualInstance(), Post(0, status))
        assert (result.kind, posts(transport)) == (ADOPTED, [0])

    @pytest.mark.parametrize("answer", ["queued", "broken", "garbage"])
    async def test_the_head_of_a_2xx_is_acceptance(self, answer: str) -> None:
        told: list[SentTrigger] = []
        with pytest.raises(AmbiguousTrigger, match="2xx"):
            await run(VirtualInstance(), Post(None, answer), on_in_doubt=told.append)
        assert [one.accepted for one in told] == [True]

    async def test_closing_the_client_does_not_undo_acceptance(self) -> None:
        server = VirtualInstance()
        told: list[SentTrigger] = []

        async def break_off(message: PreparedRequest) -> Response:
            message.response_status = 201
            await asyncio.sleep(60)
            raise AssertionError

        async with triggering(server) as (trigger, transport, session):
            transport.slow = break_off
            task = asyncio.ensure_future(trigger.run(7, on_in_doubt=told.append))
            await asyncio.sleep(1)
            await session.close()
            with pytest.raises(AmbiguousTrigger):
                await task
        assert [one.accepted for one in told] == [True]

    async def test_a_2xx_about_another_instance_is_a_lost_response(self) -> None:
        server = VirtualInstance()
        server.posts.append(Post(0, "another"))
        result, _ = await run(server)
        assert (result.kind, backup_id(result)) == (ADOPTED, 5)


class TestWhatBecomesKnown:
    """It is told at once: a process may end while it looks."""

    @pytest.mark.parametrize(("post", "accepted"), [(LOST_BEFORE, False), (Post(None, "queued"), True)])
    async def test_a_lost_response_is_reported_at_once(self, post: Post, accepted: bool) -> None:
        told: list[tuple[float, SentTrigger]] = []
        server = VirtualInstance()
        server.posts.append(post)
        async with triggering(server) as (trigger, _, _):
            task = asyncio.ensure_future(
                trigger.run(7, on_in_doubt=lambda sent: told.append((running_time(), sent)))
            )
            await asyncio.sleep(0.15)
            task.cancel()
            await asyncio.wait([task])
        ((when, sent),) = told
        assert (round(when, 3), sent.accepted, sent.response_by) == (0.1, accepted, at(when))

    async def test_an_acceptance_without_a_backup_is_reported_before_the_check(self) -> None:
        told: list[float] = []
        server = VirtualInstance()
        server.posts.append(Post(None, 204))
        async with triggering(server, round_trip=0.1) as (trigger, _, _):
            result = await trigger.run(7, on_in_doubt=lambda _: told.append(round(running_time(), 3)))
        assert (result.kind, told, round(running_time(), 3)) == (STARTED, [0.1], 0.2)


def fail(status: int) -> Callable[[VirtualInstance], Callable[[PreparedRequest], Response]]:
    return lambda server: lambda message: server.respond(message, status)


def hide_all(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    return lambda message: None if "active" in message.url.path else server.page(message, [])


def hide_newest(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    shown = [server.shown(one, 0) for one in server.backups[:-1]]
    return lambda message: None if "active" in message.url.path else server.page(message, shown)


class TestUndecided:
    @pytest.mark.parametrize(
        ("status", "says"), [(404, "answered 404"), (403, "answered 403"), (500, "answered 500")]
    )
    async def test_checks_that_fail_until_patience_ends_are_ambiguous(self, status: int, says: str) -> None:
        server = VirtualInstance()
        server.gets.extend([fail(status)(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match=says) as raised:
            await run(server, LOST_AFTER)
        assert isinstance(raised.value.cause, TransportError)
        assert raised.value.__cause__ is raised.value.cause
        assert (raised.value.instance_id, raised.value.seen) == (7, ())
        assert running_time() == pytest.approx(150, abs=20)

    async def test_checks_that_fail_for_a_while_are_repeated(self) -> None:
        server = VirtualInstance()
        server.gets.extend([fail(500)(server)] * 20)
        assert (await run(server, LOST_AFTER))[0].kind is ADOPTED

    async def test_an_instance_that_is_gone_at_the_second_check_is_ambiguous(self) -> None:
        server = VirtualInstance()
        server.gets.extend([lambda message: None] * 3 + [fail(404)(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match=r"the last check failed: .* answered 404"):
            await run(server, LOST_BEFORE)

    async def test_an_empty_list_beside_an_active_backup_is_ambiguous(self) -> None:
        server = VirtualInstance(old=(-310,))
        server.gets.extend([hide_all(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match="the list does not have it") as raised:
            await run(server, LOST_BEFORE, baseline=None)
        assert [one.id for one in raised.value.seen] == [1]

    async def test_an_empty_list_that_hides_our_ended_backup_is_ambiguous(self) -> None:
        server = VirtualInstance(duration=0.05)
        server.gets.extend([hide_all(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match="and had backup 4"):
            await run(server, LOST_AFTER, baseline=4)

    async def test_a_list_that_is_empty_for_less_than_ten_seconds_is_not_believed(self) -> None:
        brief = {"reconciliation": Reconciliation(settling=5, patience=4)}
        with pytest.raises(AmbiguousTrigger, match="which no baseline confirms"):
            await run(VirtualInstance(old=()), LOST_BEFORE, options=brief)

    async def test_a_list_that_ends_before_the_baseline_is_ambiguous(self) -> None:
        server = VirtualInstance(duration=0.05)
        with pytest.raises(AmbiguousTrigger, match="ends before the baseline, 9"):
            await run(server, LOST_BEFORE, baseline=9)

    async def test_a_list_that_shrinks_is_ambiguous(self) -> None:
        server = VirtualInstance()
        server.gets.extend([lambda message: None] * 3 + [hide_newest(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match="backup 4 was there before"):
            await run(server, LOST_BEFORE)

    async def test_a_list_whose_end_has_no_older_backup_is_ambiguous(self) -> None:
        await asyncio.sleep(1000)
        server = VirtualInstance(per_page=1, old=tuple(float(begun) for begun in range(900, 910)))
        with pytest.raises(AmbiguousTrigger, match="no backup that is surely older") as raised:
            await run(server, recorded=sent_before(600))
        assert [one.id for one in raised.value.seen] == [6, 7, 8, 9, 10]

    async def test_an_unreadable_2xx_without_a_visible_backup_is_ambiguous(self) -> None:
        with pytest.raises(AmbiguousTrigger, match="2xx") as raised:
            await run(VirtualInstance(), Post(None, "garbage"))
        assert isinstance(raised.value.cause, DecodeError)

    async def test_a_list_that_lags_is_waited_for(self) -> None:
        server = VirtualInstance(lag=20, duration=3)
        server.gets.append(fail(404)(server))  # get-active had one look while it ran
        result, _ = await run(server, LOST_AFTER)
        assert (result.kind, backup_id(result)) == (ADOPTED, 5)


class TestWhatItMayCost:
    async def test_rounds_count_as_attempts_of_one_call(self) -> None:
        server = VirtualInstance()
        with pytest.raises(TransportError, match="sent 3 times, and no backup was started"):
            await run(server, *[LOST_BEFORE] * 9, options={"retry": RetryPolicy(attempts=3, base=0)})
        assert server.sendings == 3

    async def test_a_spent_budget_prevents_sending_again(self) -> None:
        with pytest.raises(TransportError, match="budget is spent, and no backup was started"):
            await run(VirtualInstance(), LOST_BEFORE, options={"retry": RetryPolicy(budget=4)})

    async def test_a_retry_is_paid_from_the_budget_and_refunded(self) -> None:
        server = VirtualInstance()
        server.posts.extend([LOST_BEFORE])
        async with triggering(server) as (trigger, _, session):
            await trigger.run(7)
            assert session.statistics().retried == 1
            assert session.statistics().budget_left == session.settings.retry.budget

    async def test_a_trigger_with_a_single_attempt_is_reconciled_too(self) -> None:
        once = {"retry": RetryPolicy(attempts=1)}
        assert (await run(VirtualInstance(), LOST_AFTER, options=once))[0].kind is ADOPTED
        with pytest.raises(ServerError, match="no backup was started"):
            await run(VirtualInstance(), Post(None, 503), options=once)

    async def test_a_failure_that_is_never_repeated_raises_its_own_error(self) -> None:
        with pytest.raises(ServerError, match=r"answered 501.*no backup was started"):
            await run(VirtualInstance(), Post(None, 501))

    async def test_total_limits_checks_and_pauses_too(self) -> None:
        with pytest.raises(AmbiguousTrigger, match="longer than total=10 s") as raised:
            await run(VirtualInstance(), LOST_BEFORE, options={"timeouts": Timeouts(total=10)})
        assert running_time() == 10
        assert isinstance(raised.value.cause, TransportError)

    async def test_total_that_runs_out_while_it_is_sent_again_is_ambiguous(self) -> None:
        options = {"timeouts": Timeouts(total=30.45)}
        with pytest.raises(AmbiguousTrigger) as raised:
            await run(VirtualInstance(), LOST_BEFORE, LOST_AFTER, options=options)
        assert isinstance(raised.value.cause, RequestTimeout)

    async def test_total_that_runs_out_between_two_requests_is_a_time_out(self) -> None:
        slow = {"timeouts": Timeouts(total=31), "retry": RetryPolicy(base=1e6, cap=1e6)}
        with pytest.raises(RequestTimeout, match="total=31 s"):
            await run(VirtualInstance(), LOST_BEFORE, options=slow)

    async def test_a_redirect_is_reconciled_and_not_sent_again(self) -> None:
        result, transport = await run(VirtualInstance(duration=0.05), Post(0, 303))
        assert (result.kind, backup_id(result), len(posts(transport))) == (ADOPTED, 5, 1)
        with pytest.raises(APIError, match=r"answered 303.*no backup was started"):
            await run(VirtualInstance(), Post(None, 303))

    async def test_a_refusal_of_the_second_request_raises_its_own_error(self) -> None:
        with pytest.raises(NotFound):
            await run(VirtualInstance(), LOST_BEFORE, Post(None, 404))


class TestItsEnd:
    @pytest.mark.parametrize("after", [0.05, 0.15, 10, 30.15])
    async def test_closing_the_client_while_reconciling_is_ambiguous(self, after: float) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server) as (trigger, transport, session):
            task = asyncio.ensure_future(trigger.run(7))
            await asyncio.sleep(after)
            await session.close()
            with pytest.raises(AmbiguousTrigger, match="the client was closed"):
                await task
            assert transport.in_flight == 0

    async def test_closing_the_client_before_the_second_request_raises_client_closed(self) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server, retry=RetryPolicy(base=1e6, cap=1e6)) as (trigger, _, session):
            task = asyncio.ensure_future(trigger.run(7))
            await asyncio.sleep(31)
            await session.close()
            with pytest.raises(ClientClosed):
                await task

    @pytest.mark.parametrize("after", [0.05, 0.15, 10, 30.15, 30.45])
    async def test_cancellation_leaves_nothing_behind(self, after: float) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server) as (trigger, transport, session):
            task = asyncio.ensure_future(trigger.run(7))
            await asyncio.sleep(after)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (transport.in_flight, session.statistics().in_flight, session.scopes.open) == (0, 0, set())
            assert asyncio.all_tasks() == {asyncio.current_task()}


class TestForAJournal:
    async def test_the_hook_is_called_before_each_request_is_sent(self) -> None:
        told: list[float] = []

        async def before_send(sending: SentTrigger) -> None:
            assert sending.sent_at == at(running_time())
            told.append(running_time())
            await asyncio.sleep(0.5)

        _, transport = await run(VirtualInstance(), LOST_BEFORE, before_send=before_send)
        assert [when + 0.5 for when in told] == pytest.approx(posts(transport))

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

    async def test_a_recorded_trigger_that_stays_ambiguous_names_its_time_of_sending(self) -> None:
        server = VirtualInstance(tells_creation=False)
        recorded = sent_before(-60)  # a clock that was set back since
        with pytest.raises(AmbiguousTrigger, match="ended before the response came") as raised:
            await run(server, recorded=recorded, options={"timeouts": Timeouts(attempt=None)})
        assert raised.value.sent_at == recorded.sent_at
        assert all(isinstance(one, Backup) for one in raised.value.seen)


class TestAfterACrash:
    """What a process notes before its POST leaves is all that the next one has to find its backup by."""

    async def test_a_slow_hook_is_called_again_with_the_new_time(self) -> None:
        told: list[SentTrigger] = []

        async def before_send(sending: SentTrigger) -> None:
            told.append(sending)
            await asyncio.sleep(200)

        _, transport = await run(
            VirtualInstance(), before_send=before_send, options={"timeouts": Timeouts(attempt=50)}
        )
        assert (posts(transport), [one.sent_at for one in told]) == ([400], [at(0), at(200)])
        assert told[-1].response_by == at(200 + 2 * 200 + 50)

    @pytest.mark.parametrize(("duration", "slow"), [(2.0, 200.0), (2.0, 0.0), (1e9, 200.0)])
    async def test_its_backup_is_found_though_hook_and_attempt_took_long(
        self, duration: float, slow: float
    ) -> None:
        server = VirtualInstance(duration=duration)
        noted = await crashed(server, Post(250.0, "lost"), slow, timeouts=Timeouts(attempt=300, read=None))
        await asyncio.sleep(1300)
        result, _ = await run(server, recorded=noted)
        assert (result.kind, backup_id(result), server.sendings) == (ADOPTED, 5, 1)

    @pytest.mark.parametrize("attempt", [Timeouts(attempt=None, total=500), Timeouts(attempt=500)])
    async def test_the_latest_time_of_a_response_is_recorded(self, attempt: Timeouts) -> None:
        noted = await crashed(VirtualInstance(), LOST_BEFORE, timeouts=attempt)
        assert noted.response_by == at(501.1)

    @pytest.mark.parametrize("moved", [-600.0, -120.0, 120.0, 600.0, 86_400.0])
    @pytest.mark.parametrize("offset", [0.0, -7200.0])
    async def test_its_backup_is_found_though_our_clock_was_set_since(
        self, moved: float, offset: float
    ) -> None:
        server = VirtualInstance(duration=2, offset=offset)
        noted = await crashed(server, LOST_AFTER)
        assert noted.clock_offset is not None
        await asyncio.sleep(1000)
        async with triggering(server, clock_moved=moved) as (trigger, _, _):
            result = await trigger.run(7, recorded=noted)
        assert (result.kind, backup_id(result), server.sendings) == (ADOPTED, 5, 1)

    async def test_a_recorded_acceptance_is_never_sent_again(self) -> None:
        server = VirtualInstance()
        accepted = attrs.evolve(sent_before(600), accepted=True)
        with pytest.raises(AmbiguousTrigger, match="2xx"):
            await run(server, recorded=accepted)
        assert server.sendings == 0

    @pytest.mark.parametrize("seen", [(5,), (3, "5"), ("run-5",)])
    async def test_a_recorded_backup_that_is_missing_now_is_ambiguous(
        self, seen: tuple[int | str, ...]
    ) -> None:
        server = VirtualInstance()
        known = attrs.evolve(sent_before(600), seen=seen)
        with pytest.raises(AmbiguousTrigger, match="5 was there before") as raised:
            await run(server, recorded=known)
        assert raised.value.trigger == known

    async def test_a_recorded_backup_before_the_end_of_the_list_is_no_doubt(self) -> None:
        known = attrs.evolve(sent_before(600), seen=(1, 4))
        assert (await run(VirtualInstance(), recorded=known))[0].kind is STARTED
