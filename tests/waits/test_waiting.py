"""Waits for one backup, over fake servers in virtual time: results, cancellation, close."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from backupify_async import Backup, ClientClosed, PollPolicy, WaitKind, WaitResult, WaitTimeout
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


class TestOneBackup:
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

    async def test_a_status_for_a_failure_gives_failed(self) -> None:
        async with backups_of(Server({7: 5}, ended="Failed")) as (backups, _, _):
            result = await backups.wait(7, 7)
        assert result.kind is WaitKind.FAILED

    async def test_get_active_shows_the_end_if_the_status_is_unclear(self) -> None:
        server = Server({7: 15}, running="frobnicating", ended="frobnicated", says_when=False)
        async with backups_of(server) as (backups, transport, _):
            result = await backups.wait(7, 7, poll=EVERY_10_S)
        assert result == WaitResult(WaitKind.UNKNOWN, Backup(7, status="frobnicated"))
        assert asked(transport) == [(when, what) for when in (0, 10, 20, 30) for what in ("7", "active")]

    async def test_a_status_word_of_the_user_decides_between_completed_and_failed(self) -> None:
        own = PollPolicy(interval=10, success={"Froh"}, failure={"Nicht-Froh"})
        async with backups_of(Server({7: 5}, ended="nicht froh", says_when=False)) as (backups, _, _):
            assert (await backups.wait(7, 7, poll=own)).kind is WaitKind.FAILED
        async with backups_of(Server({7: 5}, ended="FROH", says_when=False)) as (backups, _, _):
            assert (await backups.wait(7, 7, poll=own)).kind is WaitKind.COMPLETED

    @pytest.mark.parametrize(("clock_ahead", "has_ended"), [(0, False), (3600, True), (None, False)])
    async def test_the_servers_clock_decides_what_is_in_the_future(
        self, clock_ahead: float | None, has_ended: bool
    ) -> None:
        def respond_once(message: PreparedRequest) -> Response:
            ended = _in(3600)
            date = {} if clock_ahead is None else {"Date": format_datetime(_in(clock_ahead), usegmt=True)}
            return respond(message, body={"id": 7, "status": "running", "completed_at": ended}, headers=date)

        transport = FakeTransport(respond_once)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            waiting = Backups(session).wait(7, 7, timeout=60, poll=EVERY_10_S)
            if has_ended:
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
        assert (result.kind, now()) == (WaitKind.REPLACED, 80)  # the 8th check doubts it, the 9th confirms
        assert result.replaced_by == Backup(999, status="running")

    @pytest.mark.parametrize(("ids", "error"), [((True, 7), TypeError), ((7, ".."), ValueError)])
    async def test_an_invalid_id_is_refused_before_anything_is_sent(
        self, ids: Any, error: type[Exception]
    ) -> None:
        async with backups_of(Server()) as (backups, transport, _):
            with pytest.raises(error):
                await backups.wait(*ids)
        assert transport.sent == []

    @pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True])
    async def test_an_invalid_time_out_is_refused(self, seconds: float) -> None:
        async with backups_of(Server()) as (backups, _, _):
            with pytest.raises(ValueError, match="timeout must be a finite number greater than 0"):
                await backups.wait(7, 7, timeout=seconds)


class TestCancelAndClose:
    @pytest.mark.parametrize("at", [0.5, 5, 10.5])
    async def test_a_cancelled_wait_leaves_no_task_request_or_slot(self, at: float) -> None:
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
        def respond_once(message: PreparedRequest) -> Response:
            session.scopes.close()  # as close() does at once, before it waits for the calls
            return respond(message, 404)

        async with backups_of(Server()) as (backups, transport, session):
            transport.responder = respond_once
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
