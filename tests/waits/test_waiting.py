"""Waiting for one backup, and for many: in virtual time, over a small model of the server."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from backupify_async import (
    Backup,
    BackupifyError,
    ClientClosed,
    DecodeError,
    NotFound,
    PermissionDenied,
    PollPolicy,
    RateLimit,
    ServerError,
    WaitKind,
    WaitResult,
    WaitTimeout,
)
from backupify_async._resources.backups import Backups, internals
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async._waits.waiting import MAX_CHECKS
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.running_backups import UNLIMITED, Server, asked, backups_of
from tests.support.work import now, other_tasks

pytestmark = pytest.mark.looptime

EVERY_10_S = PollPolicy(interval=10)


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


class TestOne:
    async def test_a_backup_that_is_over_takes_one_check(self) -> None:
        async with backups_of(Server({7: 0})) as (backups, transport, _):
            result = await backups.wait(7, 7)
        assert (result.kind, transport.times) == (WaitKind.COMPLETED, [0])

    async def test_a_backup_is_checked_each_interval_until_it_is_over(self) -> None:
        async with backups_of(Server({7: 25})) as (backups, transport, _):
            result = await backups.wait(7, "7", poll=EVERY_10_S)
            assert (result.kind, now()) == (WaitKind.COMPLETED, 30)
        assert asked(transport) == [(0, "7"), (10, "7"), (20, "7"), (30, "7")]
        assert result.backup is not None
        assert result.backup.completed_at == datetime(2026, 1, 1, tzinfo=UTC)

    async def test_the_default_interval_is_ten_seconds(self) -> None:
        async with backups_of(Server({7: 15})) as (backups, transport, _):
            await backups.wait(7, 7)
        assert transport.times == [0, 10, 20]

    async def test_a_failed_backup_differs_from_a_successful_one(self) -> None:
        async with backups_of(Server({7: 5}, ended="Failed")) as (backups, _, _):
            result = await backups.wait(7, 7)
        assert result.kind is WaitKind.FAILED

    async def test_get_active_shows_the_end_where_the_status_is_unclear(self) -> None:
        server = Server({7: 15}, running="frobnicating", ended="frobnicated", says_when=False)
        async with backups_of(server) as (backups, transport, _):
            result = await backups.wait(7, 7, poll=EVERY_10_S)
        assert result == WaitResult(WaitKind.UNKNOWN, Backup(7, status="frobnicated"))
        assert asked(transport) == [(when, what) for when in (0, 10, 20, 30) for what in ("7", "active")]

    async def test_a_status_word_of_the_users_decides_how_it_ended(self) -> None:
        own = PollPolicy(interval=10, success={"Froh"}, failure={"Nicht-Froh"})
        async with backups_of(Server({7: 5}, ended="nicht froh", says_when=False)) as (backups, _, _):
            assert (await backups.wait(7, 7, poll=own)).kind is WaitKind.FAILED
        async with backups_of(Server({7: 5}, ended="FROH", says_when=False)) as (backups, _, _):
            assert (await backups.wait(7, 7, poll=own)).kind is WaitKind.COMPLETED

    @pytest.mark.parametrize(("clock_ahead", "over"), [(0, False), (3600, True), (None, False)])
    async def test_the_servers_clock_decides_what_is_in_the_future(
        self, clock_ahead: float | None, over: bool
    ) -> None:
        def answer(message: PreparedRequest) -> Response:
            ended = _in(3600)
            date = {} if clock_ahead is None else {"Date": format_datetime(_in(clock_ahead), usegmt=True)}
            return respond(message, body={"id": 7, "status": "running", "completed_at": ended}, headers=date)

        transport = FakeTransport(answer)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            waiting = Backups(session).wait(7, 7, timeout=60, poll=EVERY_10_S)
            if over:
                assert (await waiting).kind is WaitKind.COMPLETED
            else:
                with pytest.raises(WaitTimeout):
                    await waiting

    async def test_a_backup_that_vanishes_is_a_result(self) -> None:
        server = Server({7: 100})
        async with backups_of(server) as (backups, _, _):
            waiting = asyncio.create_task(backups.wait(7, 7, poll=EVERY_10_S))
            await asyncio.sleep(15)
            del server.ends[7]
            assert await waiting == WaitResult(WaitKind.VANISHED, Backup(7, status="running"))
            assert now() == 30

    async def test_a_backup_that_was_replaced_is_a_result(self) -> None:
        async with backups_of(Server({7: 1e9}, replaced=True)) as (backups, _, _):
            result = await backups.wait(7, 7, poll=EVERY_10_S)
        assert (result.kind, now()) == (WaitKind.REPLACED, 80)  # the 8th look doubts it, the 9th confirms
        assert result.replaced_by == Backup(999, status="running")

    @pytest.mark.parametrize(("ids", "error"), [((True, 7), TypeError), ((7, ".."), ValueError)])
    async def test_an_invalid_id_is_refused_unsent(self, ids: Any, error: type[Exception]) -> None:
        async with backups_of(Server()) as (backups, transport, _):
            with pytest.raises(error):
                await backups.wait(*ids)
        assert transport.sent == []

    @pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True])
    async def test_an_invalid_time_out_is_refused(self, seconds: float) -> None:
        async with backups_of(Server()) as (backups, _, _):
            with pytest.raises(ValueError, match="timeout must be a finite number greater than 0"):
                await backups.wait(7, 7, timeout=seconds)


class TestTimeOut:
    async def test_a_backup_that_ends_just_in_time_is_not_late(self) -> None:
        async with backups_of(Server({7: 8.5})) as (backups, _, _):
            result = await backups.wait(7, 7, timeout=10, poll=EVERY_10_S)
        assert (result.kind, now()) == (WaitKind.COMPLETED, 9)

    async def test_the_time_out_error_has_the_last_read_backup(self) -> None:
        async with backups_of(Server({7: 100})) as (backups, _, _):
            with pytest.raises(WaitTimeout) as raised:
                await backups.wait(7, 7, timeout=25, poll=EVERY_10_S)
            assert now() == 25
        error = raised.value
        assert (error.instance_id, error.backup_id, error.timeout) == (7, 7, 25)
        assert (error.backup, error.cause) == (Backup(7, status="running"), None)

    async def test_the_time_out_holds_though_all_checks_fail(self) -> None:
        async with backups_of(Server({7: 100}), round_trip=1e6) as (backups, transport, session):
            with pytest.raises(WaitTimeout, match="never seen"):
                await backups.wait(7, 7, timeout=60)
            assert (now(), transport.in_flight, session.statistics().in_flight) == (60, 0, 0)

    async def test_the_time_out_holds_while_a_check_waits_for_the_limit(self) -> None:
        limit = RateLimit(per_second=0.001, burst=1, adaptive=False)
        async with backups_of(Server({7: 1e9}), rate_limit=limit) as (backups, transport, session):
            with pytest.raises(WaitTimeout):
                await backups.wait(7, 7, timeout=60)
            assert (now(), transport.times, session.statistics().waiting) == (60, [0], 0)

    async def test_the_time_out_error_says_why_the_last_check_failed(self) -> None:
        server = Server({7: 100}, trouble=lambda _: (503, b"") if now() > 5 else None)
        async with backups_of(server) as (backups, _, _):
            with pytest.raises(WaitTimeout, match=r"last check failed: GET .* answered 503") as raised:
                await backups.wait(7, 7, timeout=30, poll=EVERY_10_S)
        assert isinstance(raised.value.cause, ServerError)
        assert raised.value.__cause__ is raised.value.cause
        assert raised.value.backup == Backup(7, status="running")


class TestTrouble:
    @pytest.mark.parametrize("trouble", [(500, b""), (503, b""), (408, b"")])
    async def test_transient_failures_are_waited_out(self, trouble: tuple[int, bytes]) -> None:
        server = Server({7: 25}, trouble=lambda _: trouble if 5 < now() < 35 else None)
        async with backups_of(server) as (backups, transport, _):
            result = await backups.wait(7, 7, poll=EVERY_10_S)
        assert (result.kind, transport.times) == (WaitKind.COMPLETED, [0, 10, 20, 30, 40])

    async def test_a_closed_limiter_is_waited_out_for_as_long_as_the_server_said(self) -> None:
        def answer(message: PreparedRequest) -> Response:
            if len(transport.sent) == 2:
                return respond(message, 429, headers={"Retry-After": "3600"})
            return server.answer(message)

        server = Server({7: 25})
        async with backups_of(server) as (backups, transport, _):
            transport.answer = answer
            result = await backups.wait(7, 7, poll=EVERY_10_S)
        assert (result.kind, transport.times) == (WaitKind.COMPLETED, [0, 10, 3610])

    @pytest.mark.parametrize(
        ("trouble", "error"),
        [
            ((403, b""), PermissionDenied),
            ((404, b""), NotFound),
            ((200, b"<html>"), DecodeError),
            ((302, b""), BackupifyError),
        ],
    )
    async def test_a_permanent_failure_ends_the_wait(
        self, trouble: tuple[int, bytes], error: type[Exception]
    ) -> None:
        server = Server({7: 1e9}, trouble=lambda _: trouble if now() > 5 else None)
        async with backups_of(server) as (backups, _, _):
            with pytest.raises(error):
                await backups.wait(7, 7, poll=EVERY_10_S)
            assert now() == 10

    async def test_a_failed_check_leaves_no_tracebacks_behind(self) -> None:
        server = Server({7: 1e9}, trouble=lambda _: (500, b""))
        async with backups_of(server) as (backups, _, _):
            with pytest.raises(WaitTimeout) as raised:
                await backups.wait(7, 7, timeout=5)
        assert raised.value.cause is not None
        assert raised.value.cause.__traceback__ is None


class TestMany:
    async def test_few_checks_are_in_flight_however_many_waits_there_are(self) -> None:
        async with backups_of(Server(dict.fromkeys(range(500), 100.0)), round_trip=3) as (
            backups,
            transport,
            _,
        ):
            await asyncio.gather(*(backups.wait(one, one) for one in range(500)))
        assert transport.most_in_flight == MAX_CHECKS

    async def test_a_slow_limit_stretches_all_intervals_alike(self) -> None:
        limit = RateLimit(per_second=2, burst=1, adaptive=False)
        async with backups_of(Server(dict.fromkeys(range(100), 490.0)), rate_limit=limit) as (
            backups,
            transport,
            _,
        ):
            await asyncio.gather(*(backups.wait(one, one, poll=EVERY_10_S) for one in range(100)))
        for instance in range(100):
            looks = [when for when, what in asked(transport) if what == str(instance) and when < 350]
            gaps = [later - earlier for earlier, later in itertools.pairwise(looks)]
            assert all(39 < gap < 61 for gap in gaps)  # 100 looks at 2 a second, and once a part of 10 s

    async def test_other_calls_go_before_checks(self) -> None:
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
                await backups.get(9, 9)  # no background work any more: it passes the others

            await asyncio.gather(wait_and_get(), *(backups.wait(8, 8) for _ in range(3)))
        assert [what for _, what in asked(transport)] == ["7", "9", "8", "8", "8"]

    async def test_waits_that_begin_together_are_not_checked_together_forever(self) -> None:
        async with backups_of(Server(dict.fromkeys(range(10), 100.0))) as (backups, transport, _):
            await asyncio.gather(*(backups.wait(one, one, poll=EVERY_10_S) for one in range(10)))
        second_round = [when for when in transport.times if 10 <= when < 20]
        assert len(set(second_round)) == len(second_round) == 10


class TestEnds:
    @pytest.mark.parametrize("at", [0.5, 5, 10.5])
    async def test_a_cancelled_wait_leaves_nothing(self, at: float) -> None:
        async with backups_of(Server({7: 1e9, 8: 15}), round_trip=1) as (backups, transport, session):
            before = other_tasks()
            waiting = asyncio.create_task(backups.wait(7, 7))
            await asyncio.sleep(at)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            waits = internals(backups).waits
            assert (waits.waited_for, waits.slots.free._value) == (0, MAX_CHECKS)
            assert (other_tasks(), transport.in_flight, session.statistics().in_flight) == (before, 0, 0)
            assert (await backups.wait(8, 8)).kind is WaitKind.COMPLETED

    async def test_a_wait_starts_no_task(self) -> None:
        async with backups_of(Server({7: 100})) as (backups, _, _):
            before = other_tasks()
            waiting = asyncio.create_task(backups.wait(7, 7))
            await asyncio.sleep(5)
            assert other_tasks() - before == {waiting}
            await waiting

    async def test_a_closed_client_refuses_to_wait(self) -> None:
        async with backups_of(Server({7: 0})) as (backups, transport, session):
            await session.close()
            with pytest.raises(ClientClosed, match="closed"):
                await backups.wait(7, 7)
        assert transport.sent == []

    async def test_closing_between_the_two_requests_of_a_check_raises_client_closed(self) -> None:
        def answer(message: PreparedRequest) -> Response:
            session.scopes.close()  # as close() does at once, before it waits for the calls
            return respond(message, 404)

        async with backups_of(Server()) as (backups, transport, session):
            transport.answer = answer
            with pytest.raises(ClientClosed):
                await backups.wait(7, 7)
        assert len(transport.sent) == 1

    @pytest.mark.parametrize("at", [0.5, 5])
    async def test_closing_ends_waits_between_checks_and_in_a_check(self, at: float) -> None:
        async with backups_of(Server({7: 1e9}), round_trip=1) as (backups, transport, session):
            waiting = asyncio.create_task(backups.wait(7, 7))
            await asyncio.sleep(at)
            await session.close()
            with pytest.raises(ClientClosed):
                await waiting
            assert (now(), transport.in_flight) == (at, 0)
