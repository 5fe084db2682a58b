"""Waits over sockets, against a simulated server whose clock the test sets."""

import asyncio
import time

import pytest

from backupify_async import (
    BackupifyClient,
    ClientClosed,
    NotFound,
    PermissionDenied,
    PollPolicy,
    TriggerKind,
    WaitKind,
    WaitTimeout,
)
from backupify_async.testing import Fault, ManualClock, SimulatedBackupify
from tests.support.clients import asked, client_of
from tests.support.work import other_tasks

OFTEN = PollPolicy(interval=0.001)
SELDOM = PollPolicy(interval=3_600)


async def wait_for_checks(server: SimulatedBackupify, times: int, operation: str = "get_backup") -> None:
    """Wait until `times` checks, or requests of another operation, have reached the server."""
    while len(asked(server, operation)) < times:
        await server.wait_for_requests(len(server.requests) + 1)


@pytest.mark.parametrize("envelope", [None, "backups"])
async def test_a_wait_ends_with_its_backup(envelope: str | None) -> None:
    clock = ManualClock()
    async with SimulatedBackupify(clock=clock, envelope=envelope) as server, client_of(server) as client:
        started = server.start_backup(7)
        waiting = asyncio.create_task(client.backups.wait(7, started.id, poll=OFTEN))
        await wait_for_checks(server, 3)
        assert not waiting.done()
        clock.advance(60)
        result = await waiting
    assert (result.kind, result.backup and result.backup.id) == (WaitKind.COMPLETED, started.id)
    assert result.backup is not None
    assert result.backup.completed_at is not None


async def test_a_fleet_waits_for_all_of_its_backups() -> None:
    clock = ManualClock(time.time())
    async with SimulatedBackupify(clock=clock, instances=50) as server, client_of(server) as client:
        sweep = asyncio.ensure_future(
            client.fleet(range(1, 51), concurrency=4).trigger(wait=True, poll=OFTEN)
        )
        await wait_for_checks(server, 50, "trigger")
        assert not sweep.done()
        clock.advance(60)
        results = (await sweep).values
        assert {key: len(backups) for key, backups in server.triggers.items()} == dict.fromkeys(
            range(1, 51), 1
        )
    assert {(result.kind, result.waited and result.waited.kind) for result in results.values()} == {
        (TriggerKind.STARTED, WaitKind.COMPLETED)
    }


@pytest.mark.parametrize("idle", [404, 204, "null", "{}", "[]"])
async def test_a_backup_that_the_server_does_not_know_has_vanished(idle: object) -> None:
    async with SimulatedBackupify(idle_response=idle) as server, client_of(server) as client:  # type: ignore[arg-type]
        result = await client.backups.wait(7, 10**9, poll=OFTEN)
        assert (result.kind, result.backup) == (WaitKind.VANISHED, None)
        assert len(asked(server, "get_backup")) == 2


async def test_an_unknown_backup_was_replaced_if_another_is_active() -> None:
    async with SimulatedBackupify(clock=ManualClock()) as server, client_of(server) as client:
        running = server.start_backup(7)
        result = await client.backups.wait(7, 10**9, poll=OFTEN)
    assert (result.kind, result.replaced_by and result.replaced_by.id) == (WaitKind.REPLACED, running.id)


async def test_a_missing_instance_is_an_error() -> None:
    async with SimulatedBackupify(instances=3) as server, client_of(server) as client:
        with pytest.raises(NotFound):
            await client.backups.wait(4, 1, poll=OFTEN)


async def test_a_forbidden_instance_is_an_error() -> None:
    async with SimulatedBackupify(forbidden=[7]) as server, client_of(server) as client:
        with pytest.raises(PermissionDenied):
            await client.backups.wait(7, 1, poll=OFTEN)


async def test_a_wait_continues_after_lost_responses_and_server_errors() -> None:
    faults = [
        Fault.answer(500, operation="get_backup", first=10),
        Fault.lose_response(after_acting=False, operation="get_backup", every=2),
    ]
    async with (
        SimulatedBackupify(faults=faults, backup_duration=0.001) as server,
        client_of(server) as client,
    ):
        started = server.start_backup(7)
        assert (await client.backups.wait(7, started.id, poll=OFTEN)).kind is WaitKind.COMPLETED


async def test_a_hanging_check_ends_with_the_time_out() -> None:
    faults = [Fault.hang(operation="get_backup")]
    async with SimulatedBackupify(faults=faults) as server, client_of(server) as client:
        with pytest.raises(WaitTimeout):
            await client.backups.wait(7, 1, timeout=0.05)
        assert client.statistics().in_flight == 0


class TestClosing:
    async def wait_in(self, client: BackupifyClient, server: SimulatedBackupify) -> "asyncio.Task[object]":
        """A wait between its first and its second check."""
        started = server.start_backup(7)
        waiting = asyncio.create_task(client.backups.wait(7, started.id, poll=SELDOM))
        await wait_for_checks(server, 1)
        while client.statistics().in_flight:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)
        return waiting

    async def test_closing_the_client_ends_its_waits(self) -> None:
        async with SimulatedBackupify() as server:
            client = client_of(server)
            async with client:
                before = other_tasks()
                waiting = await self.wait_in(client, server)
            with pytest.raises(ClientClosed):
                await waiting
            assert other_tasks() <= before

    async def test_closing_the_client_ends_a_check_in_flight(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang(operation="get_backup")]) as server:
            async with client_of(server) as client:
                waiting = asyncio.create_task(client.backups.wait(7, 1))
                await wait_for_checks(server, 1)
            with pytest.raises(ClientClosed):
                await waiting
