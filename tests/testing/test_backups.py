"""Backups: lists, the active backup, triggers, and envelopes."""

import math
import re
from typing import Any

import pytest

from backupify_async.testing import ManualClock, SimulatedBackupify
from tests.support.caller import calling

_ACTIVE = "/v1/backup_instances/1/backups/active"
_BACKUPS = "/v1/backup_instances/1/backups"


class TestBackups:
    async def test_a_page_ascends_by_id(self) -> None:
        async with SimulatedBackupify(backups=45) as server, calling(server) as call:
            received = await call.get(f"{_BACKUPS}?page=2")
            ids = [each["id"] for each in received.json]
            assert (len(ids), ids) == (20, sorted(ids))

    async def test_links_lead_through_all_pages_at_the_address_that_the_client_used(self) -> None:
        async with SimulatedBackupify(backups=45) as server, calling(server) as call:
            path, seen = _BACKUPS, 0
            while path:
                received = await call.get(path)
                seen += len(received.json)
                following = re.search(r'<([^>]*)>; rel="next"', received.headers.get("Link", ""))
                path = following[1].removeprefix(server.base_url) if following else ""
            assert seen == 45

    async def test_links_can_use_another_address(self) -> None:
        base = "http://api.backupify.com/"
        async with SimulatedBackupify(backups=45, link_base=base) as server, calling(server) as call:
            link = (await call.get(_BACKUPS)).headers["Link"]
            assert link.startswith(f"<http://api.backupify.com{_BACKUPS}?page=3>")

    async def test_a_list_that_fits_one_page_has_no_link_header(self) -> None:
        async with SimulatedBackupify(backups=20) as server, calling(server) as call:
            assert "Link" not in (await call.get(_BACKUPS)).headers

    async def test_a_page_past_the_end_is_empty(self) -> None:
        async with SimulatedBackupify(backups=45) as server, calling(server) as call:
            received = await call.get(f"{_BACKUPS}?page=9")
            assert (received.status, received.json) == (200, [])

    async def test_a_page_size_can_be_requested_up_to_a_cap(self) -> None:
        async with SimulatedBackupify(backups=45, max_per_page=30) as server, calling(server) as call:
            assert (await call.get(f"{_BACKUPS}?per_page=7")).headers["Per-Page"] == "7"
            assert len((await call.get(f"{_BACKUPS}?per_page=50")).json) == 30

    async def test_a_page_that_is_not_a_number_is_a_bad_request(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get(f"{_BACKUPS}?page=x")).status == 400

    async def test_a_backup_is_found_by_its_id(self) -> None:
        async with SimulatedBackupify(backups=3) as server, calling(server) as call:
            listed = (await call.get(_BACKUPS)).json
            assert (await call.get(f"{_BACKUPS}/{listed[1]['id']}")).json == listed[1]

    @pytest.mark.parametrize("backup", ["999999", "x"])
    async def test_a_backup_that_does_not_exist_is_404(self, backup: str) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get(f"{_BACKUPS}/{backup}")
            assert (received.status, received.json) == (404, {"error": "Backup not found"})

    async def test_times_are_iso_8601_in_utc_with_milliseconds(self) -> None:
        async with SimulatedBackupify(clock=ManualClock(1_767_225_600.25)) as server, calling(server) as call:
            assert (await call.post(_BACKUPS)).json["created_at"] == "2026-01-01T00:00:00.250Z"


class TestActive:
    @pytest.mark.parametrize(
        ("idle_response", "status", "body"),
        [
            (404, 404, b'{"error":"No active backup"}'),
            (204, 204, b""),
            ("null", 200, b"null"),
            ("{}", 200, b"{}"),
            ("[]", 200, b"[]"),
        ],
    )
    async def test_an_idle_instance_has_the_response_that_was_set(
        self, idle_response: Any, status: int, body: bytes
    ) -> None:
        async with SimulatedBackupify(idle_response=idle_response) as server, calling(server) as call:
            received = await call.get(_ACTIVE)
            assert (received.status, received.body) == (status, body)

    async def test_a_started_backup_completes_by_the_servers_clock(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock, backup_duration=60) as server, calling(server) as call:
            started = (await call.post(_BACKUPS)).json
            clock.advance(59)
            assert (await call.get(_ACTIVE)).json == started
            clock.advance(1)
            assert (await call.get(_ACTIVE)).status == 404
            completed = (await call.get(f"{_BACKUPS}/{started['id']}")).json
            assert (completed["status"], completed["completed_at"]) == (
                "completed",
                "2026-01-01T00:01:00.000Z",
            )

    async def test_a_scheduled_backup_does_not_count_as_triggered(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            started = server.start_backup(1)
            assert (await call.get(_ACTIVE)).json["id"] == started.id
            assert server.triggers[1] == []

    async def test_a_scheduled_backup_of_an_unknown_instance_is_a_key_error(self) -> None:
        with pytest.raises(KeyError, match="51"):
            SimulatedBackupify(instances=50).start_backup(51)


class TestTrigger:
    async def test_it_starts_a_backup_and_returns_it(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.post(_BACKUPS)
            assert (received.status, received.json["status"]) == (201, "running")
            assert [backup.id for backup in server.triggers[1]] == [received.json["id"]]

    @pytest.mark.parametrize("status", [409, 422])
    async def test_while_a_backup_is_active_it_is_a_conflict(self, status: Any) -> None:
        async with SimulatedBackupify(active_conflict=status) as server, calling(server) as call:
            await call.post(_BACKUPS)
            assert (await call.post(_BACKUPS)).status == status
            assert len(server.triggers[1]) == 1

    async def test_while_a_backup_is_active_it_can_return_that_backup(self) -> None:
        async with SimulatedBackupify(active_conflict=200) as server, calling(server) as call:
            first, second = await call.post(_BACKUPS), await call.post(_BACKUPS)
            assert (second.status, second.json) == (200, first.json)
            assert len(server.triggers[1]) == 1

    async def test_after_the_backup_has_completed_it_starts_another(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock) as server, calling(server) as call:
            await call.post(_BACKUPS)
            clock.advance(60)
            assert (await call.post(_BACKUPS)).status == 201
            assert len(server.triggers[1]) == 2

    async def test_a_backup_can_run_for_ever(self) -> None:
        clock = ManualClock()
        async with (
            SimulatedBackupify(clock=clock, backup_duration=math.inf) as server,
            calling(server) as call,
        ):
            await call.post(_BACKUPS)
            clock.advance(800)
            assert (await call.get(_ACTIVE)).json["completed_at"] is None


class TestEnvelope:
    async def test_lists_are_in_it(self) -> None:
        async with SimulatedBackupify(backups=2, envelope="backup_runs") as server, calling(server) as call:
            assert len((await call.get(_BACKUPS)).json["backup_runs"]) == 2

    async def test_single_objects_are_in_its_singular(self) -> None:
        async with SimulatedBackupify(envelope="backups") as server, calling(server) as call:
            assert list((await call.post(_BACKUPS)).json) == ["backup"]
