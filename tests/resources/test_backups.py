"""`get` and `get_active`, over sockets."""

from datetime import UTC, datetime
from typing import Any

import pytest

from backupify_async import DecodeError, NotFound, PermissionDenied
from backupify_async.testing import Fault, ManualClock, SimulatedBackupify
from tests.support.clients import asked, client_of
from tests.support.raw_servers import ScriptedServer, http, raw_server

IDLE_RESPONSES: list[Any] = [404, 204, "null", "{}", "[]"]


class TestGet:
    async def test_one_backup_has_its_fields(self) -> None:
        async with SimulatedBackupify(clock=ManualClock()) as server, client_of(server) as client:
            started = server.start_backup(7)
            backup = await client.backups.get(7, started.id)
        assert (backup.id, backup.backup_instance_id, backup.status) == (started.id, 7, "running")
        assert backup.started_at == backup.created_at == datetime(2026, 1, 1, tzinfo=UTC)
        assert (backup.completed_at, dict(backup.extra)) == (None, {})

    async def test_int_and_str_are_the_same_id(self, backupify: SimulatedBackupify) -> None:
        started = backupify.start_backup(7)
        async with client_of(backupify) as client:
            assert await client.backups.get("7", str(started.id)) == await client.backups.get(7, started.id)

    async def test_a_missing_backup_is_an_error_that_names_the_request(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(NotFound) as raised:
                await client.backups.get(7, 999)
        error = raised.value
        assert (error.status, error.method, error.path) == (404, "GET", "/v1/backup_instances/7/backups/999")
        assert error.request_id == backupify.requests[-1].request_id

    @pytest.mark.backupify(envelope="backups")
    async def test_a_backup_in_an_envelope_is_read(self, backupify: SimulatedBackupify) -> None:
        started = backupify.start_backup(7)
        async with client_of(backupify) as client:
            assert (await client.backups.get(7, started.id)).id == started.id

    @pytest.mark.parametrize("body", [b"", b"null", b"{}", b"[]"])
    async def test_a_response_without_a_backup_is_a_decode_error(self, body: bytes) -> None:
        async with raw_server(ScriptedServer(http(200, body))) as url, client_of(url) as client:
            with pytest.raises(DecodeError, match="no Backup in it"):
                await client.backups.get(7, 1)


class TestGetActive:
    @pytest.mark.parametrize("envelope", [None, "backups"])
    async def test_get_active_returns_the_active_backup(self, envelope: str | None) -> None:
        async with SimulatedBackupify(envelope=envelope) as server, client_of(server) as client:
            started = server.start_backup(7)
            active = await client.backups.get_active(7)
        assert active is not None
        assert active.id == started.id

    @pytest.mark.parametrize("idle_response", IDLE_RESPONSES)
    async def test_get_active_returns_none_for_each_idle_response(self, idle_response: Any) -> None:
        async with SimulatedBackupify(idle_response=idle_response) as server, client_of(server) as client:
            assert await client.backups.get_active(7) is None

    @pytest.mark.parametrize("idle_response", IDLE_RESPONSES)
    async def test_get_active_of_a_missing_instance_is_an_error(self, idle_response: Any) -> None:
        async with SimulatedBackupify(idle_response=idle_response) as server, client_of(server) as client:
            with pytest.raises(NotFound) as raised:
                await client.backups.get_active(999)
        assert raised.value.path == "/v1/backup_instances/999/backups/active"

    @pytest.mark.backupify(forbidden=[7])
    async def test_get_active_of_a_forbidden_instance_is_an_error(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(PermissionDenied):
                await client.backups.get_active(7)

    async def test_assume_exists_saves_the_second_request(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            assert await client.backups.get_active(7, assume_exists=True) is None
            assert await client.backups.get_active(999, assume_exists=True) is None
        assert {request.operation for request in asked(backupify)} == {"get_active"}


class TestAnIdle404:
    async def test_200_idle_instances_take_one_check(self) -> None:
        async with SimulatedBackupify(instances=200) as server, client_of(server) as client:
            results = await client.fleet(server.instance_ids).get_active()
            assert list(results.values.values()) == [None] * 200
            assert len(asked(server, "get_instance")) == 1
            assert client.statistics().answered_from_memory == 199

    async def test_a_missing_instance_is_still_an_error_afterwards(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            assert await client.backups.get_active(7) is None
            with pytest.raises(NotFound):
                await client.backups.get_active(999)
            with pytest.raises(NotFound):
                await client.backups.get_active(998)
            assert await client.backups.get_active(8) is None
        checks = [request.instance_id for request in asked(backupify, "get_instance")]
        assert checks == [7, 999, 998]

    async def test_a_404_with_the_body_of_a_missing_instance_is_checked_each_time(self) -> None:
        same = Fault.answer(404, operation="get_active")
        async with SimulatedBackupify(faults=[same]) as server, client_of(server) as client:
            with pytest.raises(NotFound):
                await client.backups.get_active(999)
            for instance in (7, 8, 7):
                assert await client.backups.get_active(instance) is None
            assert len(asked(server, "get_instance")) == 4
            assert client.statistics().answered_from_memory == 0

    async def test_a_404_with_the_body_of_get_instance_for_a_missing_one_is_checked_each_time(self) -> None:
        # The 404 of missing instance 999 has the same body as the 404 of get-active for idle instance 7.
        missing = Fault.answer(404, body="gone", path=r"/v1/backup_instances/999")
        same = Fault.answer(404, body="gone", operation="get_active", instance=7)
        async with SimulatedBackupify(faults=[missing, same]) as server, client_of(server) as client:
            with pytest.raises(NotFound):
                await client.backups.get_active(999)
            assert [await client.backups.get_active(7) for _ in range(2)] == [None, None]
            assert [request.instance_id for request in asked(server, "get_instance")] == [999, 7, 7]

    async def test_a_404_with_a_truncated_body_is_checked_each_time(self) -> None:
        cut = Fault.truncate(operation="get_active")
        async with SimulatedBackupify(faults=[cut]) as server, client_of(server) as client:
            assert [await client.backups.get_active(7) for _ in range(3)] == [None, None, None]
            assert len(asked(server, "get_instance")) == 3

    @pytest.mark.parametrize(
        "cut",
        [
            Fault.truncate(operation="get_instance", instance=999),
            Fault.answer(404, body="x" * 70_000, operation="get_instance", instance=999),
        ],
        ids=["by the network", "by the client"],
    )
    async def test_a_truncated_404_of_a_missing_instance_does_not_change_what_a_body_means(
        self, cut: Fault
    ) -> None:
        empty = Fault.answer(404, body="", operation="get_active", instance=7)
        async with SimulatedBackupify(faults=[empty, cut]) as server, client_of(server) as client:
            assert await client.backups.get_active(7) is None
            with pytest.raises(NotFound):
                await client.backups.get_active(999)
            assert [await client.backups.get_active(7) for _ in range(3)] == [None] * 3
            assert [request.instance_id for request in asked(server, "get_instance")] == [7, 999]

    async def test_a_failed_check_is_the_error_of_its_call_and_is_not_remembered(self) -> None:
        failing = Fault.answer(403, operation="get_instance", first=1)
        async with SimulatedBackupify(faults=[failing]) as server, client_of(server) as client:
            with pytest.raises(PermissionDenied):
                await client.backups.get_active(7)
            assert await client.backups.get_active(7) is None
            assert len(asked(server, "get_instance")) == 2
