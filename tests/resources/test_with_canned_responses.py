"""What each resource requests, and how it reads one response: by aioresponses, without a socket."""

from datetime import UTC, datetime

import pytest
from aioresponses import aioresponses

from backupify_async import BackupifyClient, DecodeError, NotFound, TriggerKind
from tests.support.canned import API, INSTANCE, requests

MISSING = {"error": "not found"}


class TestGetActive:
    async def test_returns_the_active_backup(self, api: aioresponses, client: BackupifyClient) -> None:
        api.get(f"{INSTANCE}/backups/active", payload={"id": 7, "status": "running", "node": "n1"})
        active = await client.backups.get_active(42)
        assert active is not None
        assert (active.id, active.status, active.extra) == (7, "running", {"node": "n1"})

    async def test_returns_none_for_an_idle_instance(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        api.get(f"{INSTANCE}/backups/active", status=404, payload=MISSING)
        api.get(INSTANCE, payload={"id": 42})
        assert await client.backups.get_active(42) is None
        assert requests(api) == ["GET /v1/backup_instances/42/backups/active", "GET /v1/backup_instances/42"]

    async def test_raises_not_found_for_a_missing_instance(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        api.get(f"{INSTANCE}/backups/active", status=404, payload=MISSING)
        api.get(INSTANCE, status=404, payload=MISSING)
        with pytest.raises(NotFound, match="42/backups/active answered 404"):
            await client.backups.get_active(42)

    async def test_raises_a_decode_error_for_a_body_that_is_not_json(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        api.get(f"{INSTANCE}/backups/active", body="<html>", content_type="text/html")
        with pytest.raises(DecodeError):
            await client.backups.get_active(42)


class TestGet:
    async def test_reads_times_with_their_offset(self, api: aioresponses, client: BackupifyClient) -> None:
        api.get(f"{INSTANCE}/backups/7", payload={"id": 7, "created_at": "2026-01-01T13:00:00+01:00"})
        assert (await client.backups.get(42, 7)).created_at == datetime(2026, 1, 1, 12, tzinfo=UTC)


class TestList:
    async def test_follows_the_links_to_the_last_page(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        link = f'<{INSTANCE}/backups?page=2>; rel="next"'
        api.get(f"{INSTANCE}/backups", payload=[{"id": 1}, {"id": 2}], headers={"Link": link})
        api.get(f"{INSTANCE}/backups?page=2", payload=[{"id": 3}])
        assert [backup.id async for backup in client.backups.list(42)] == [1, 2, 3]

    async def test_requests_no_page_before_it_is_needed(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        link = f'<{INSTANCE}/backups?page=2>; rel="next"'
        api.get(f"{INSTANCE}/backups", payload=[{"id": 1}], headers={"Link": link})
        async for backup in client.backups.list(42):
            assert backup.id == 1
            break
        assert requests(api) == ["GET /v1/backup_instances/42/backups"]

    async def test_of_instances_needs_no_argument(self, api: aioresponses, client: BackupifyClient) -> None:
        api.get(f"{API}/v1/backup_instances", payload=[{"id": 1}, {"id": 2}])
        assert [instance.id async for instance in client.instances.list()] == [1, 2]

    async def test_of_a_customer_has_its_instances(self, api: aioresponses, client: BackupifyClient) -> None:
        api.get(f"{API}/v1/customers/9/backup_instances", payload=[{"id": 4}])
        assert [instance.id async for instance in client.customers.instances(9)] == [4]


class TestTrigger:
    async def test_returns_the_backup_that_was_started(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        api.post(f"{INSTANCE}/backups", status=201, payload={"id": 8})
        result = await client.backups.trigger(42)
        assert (result.kind, result.backup.id if result.backup else None) == (TriggerKind.STARTED, 8)
        assert requests(api) == ["POST /v1/backup_instances/42/backups"]

    async def test_reports_that_a_backup_was_already_active(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        api.post(f"{INSTANCE}/backups", status=422, payload={"error": "already running"})
        api.get(f"{INSTANCE}/backups/active", payload={"id": 7})
        assert (await client.backups.trigger(42)).kind is TriggerKind.ALREADY_ACTIVE


class TestErrors:
    async def test_hold_the_text_of_the_server_without_the_token(
        self, api: aioresponses, client: BackupifyClient
    ) -> None:
        api.get(INSTANCE, status=404, payload={"error": "secret not found"}, headers={"X-Request-Id": "r-1"})
        with pytest.raises(NotFound) as caught:
            await client.instances.get(42)
        error = caught.value
        assert (error.status, error.request_id) == (404, "r-1")
        assert error.excerpt == '{"error": "[secret] not found"}'
