"""What a client meets on the wire: the API as `api/README.md` observes it."""

import math
import re
from typing import Any

import pytest

from backupify_async.testing import FixedWindow, ManualClock, SimulatedBackupify, TokenBucket
from tests.support.caller import CREDENTIALS, calling

_ACTIVE = "/v1/backup_instances/1/backups/active"
_BACKUPS = "/v1/backup_instances/1/backups"


class TestToken:
    async def test_client_credentials_get_one_that_opens_the_api(self) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            token = (await call.post("/oauth/token", CREDENTIALS)).json
            assert (token["token_type"], token["expires_in"]) == ("bearer", 899)
            async with calling(server, token=token["access_token"]) as opened:
                assert (await opened.get("/v1/backup_instances/1")).status == 200

    @pytest.mark.parametrize("field", ["client_id", "client_secret"])
    async def test_a_wrong_credential_is_an_invalid_client(self, field: str) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            received = await call.post("/oauth/token", CREDENTIALS | {field: "wrong"})
            assert (received.status, received.json) == (401, {"error": "invalid_client"})

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"scope": "read"}, "invalid_scope"),
            ({"scope": ""}, "invalid_scope"),
            ({"client_secret": ""}, "invalid_request"),
        ],
    )
    async def test_another_wish_is_a_bad_request(self, form: dict[str, str], error: str) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            received = await call.post("/oauth/token", CREDENTIALS | form)
            assert (received.status, received.json) == (400, {"error": error})

    async def test_only_a_form_is_read(self) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            received = await call.send("POST", "/oauth/token", json=CREDENTIALS)
            assert (received.status, received.json) == (400, {"error": "invalid_request"})

    async def test_credentials_are_a_setting(self) -> None:
        server = SimulatedBackupify(client_id="me", client_secret="mine")
        async with server, calling(server, token=None) as call:
            assert (await call.post("/oauth/token", CREDENTIALS)).status == 401
            mine = CREDENTIALS | {"client_id": "me", "client_secret": "mine"}
            assert (await call.post("/oauth/token", mine)).status == 200
            assert server.tokens_issued == 1


class TestBearer:
    @pytest.mark.parametrize("token", [None, "made up"])
    async def test_without_a_known_token_it_is_401(self, token: str | None) -> None:
        async with SimulatedBackupify() as server, calling(server, token=token) as call:
            received = await call.get(_ACTIVE)
            assert (received.status, received.json) == (401, {"error": "The access token is invalid"})

    async def test_another_scheme_is_401(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            header = {"Authorization": f"Basic {call.token}"}
            assert (await call.send("GET", _ACTIVE, headers=header)).status == 401

    async def test_a_token_is_over_when_its_time_is(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock, token_lifetime=60) as server, calling(server) as call:
            clock.advance(59)
            assert (await call.get("/v1/backup_instances")).status == 200
            clock.advance(1)
            assert (await call.get("/v1/backup_instances")).json == {"error": "The access token expired"}

    async def test_a_new_token_may_not_be_known_yet(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock, token_lag=1.5) as server, calling(server) as call:
            clock.advance(1.4)
            assert (await call.get("/v1/backup_instances")).json == {"error": "The access token is invalid"}
            clock.advance(0.1)
            assert (await call.get("/v1/backup_instances")).status == 200

    async def test_a_new_token_may_end_those_before_it(self) -> None:
        async with SimulatedBackupify(newest_token_only=True) as server, calling(server) as call:
            assert (await call.get("/v1/backup_instances")).status == 200
            newer = server.issue_token()
            assert (await call.get("/v1/backup_instances")).json == {"error": "The access token expired"}
            async with calling(server, token=newer) as other:
                assert (await other.get("/v1/backup_instances")).status == 200

    async def test_all_tokens_can_be_let_expire(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            server.expire_tokens()
            assert (await call.get("/v1/backup_instances")).status == 401

    async def test_ping_asks_for_none(self) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            assert (await call.get("/v1/ping")).status == 200


class TestInstances:
    async def test_they_come_in_pages_with_totals(self) -> None:
        async with SimulatedBackupify(instances=45) as server, calling(server) as call:
            received = await call.get("/v1/backup_instances?page=3")
            assert [each["id"] for each in received.json] == [41, 42, 43, 44, 45]
            assert (received.headers["Total"], received.headers["Per-Page"]) == ("45", "20")

    async def test_those_of_one_definition(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            received = await call.get("/v1/backup_instances?backup_definition_id=2")
            assert [each["id"] for each in received.json] == [2, 5]

    async def test_those_of_an_unknown_definition_are_none(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            assert (await call.get("/v1/backup_instances?backup_definition_id=9")).json == []

    async def test_a_definition_that_is_no_number_is_a_bad_request(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get("/v1/backup_instances?backup_definition_id=x")).status == 400

    async def test_those_of_one_customer(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            received = await call.get("/v1/customers/2/backup_instances")
            assert [each["id"] for each in received.json] == [4, 5, 6]

    @pytest.mark.parametrize("customer", ["99", "x"])
    async def test_a_customer_that_does_not_exist_is_404(self, customer: str) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get(f"/v1/customers/{customer}/backup_instances")).status == 404

    async def test_one_by_its_id(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            instance = (await call.get("/v1/backup_instances/5")).json
            assert (instance["id"], instance["customer_id"], instance["backup_definition_id"]) == (5, 2, 2)

    @pytest.mark.parametrize("instance", ["0", "51", "x", "4%2F2", "-1"])
    async def test_one_that_does_not_exist_is_404(self, instance: str) -> None:
        async with SimulatedBackupify(instances=50) as server, calling(server) as call:
            received = await call.get(f"/v1/backup_instances/{instance}/backups")
            assert (received.status, received.json) == (404, {"error": "Backup instance not found"})

    async def test_an_added_one_is_there(self) -> None:
        async with SimulatedBackupify(instances=2) as server, calling(server) as call:
            added = server.add_instance(backups=3)
            assert server.instance_ids == [1, 2, added]
            assert len((await call.get(f"/v1/backup_instances/{added}/backups")).json) == 3


class TestForbidden:
    @pytest.mark.parametrize("path", ["", "/backups", "/backups/active", "/backups/1"])
    async def test_all_about_such_an_instance_is_403(self, path: str) -> None:
        async with SimulatedBackupify(forbidden=[7]) as server, calling(server) as call:
            assert (await call.get(f"/v1/backup_instances/7{path}")).status == 403

    async def test_it_cannot_be_triggered(self) -> None:
        async with SimulatedBackupify(forbidden=[7]) as server, calling(server) as call:
            assert (await call.post("/v1/backup_instances/7/backups")).status == 403
            assert server.triggers[7] == []


class TestBackups:
    async def test_a_page_ascends_by_id(self) -> None:
        async with SimulatedBackupify(backups=45) as server, calling(server) as call:
            received = await call.get(f"{_BACKUPS}?page=2")
            ids = [each["id"] for each in received.json]
            assert (len(ids), ids) == (20, sorted(ids))

    async def test_links_lead_through_all_pages_by_the_address_the_client_came_by(self) -> None:
        async with SimulatedBackupify(backups=45) as server, calling(server) as call:
            path, seen = _BACKUPS, 0
            while path:
                received = await call.get(path)
                seen += len(received.json)
                following = re.search(r'<([^>]*)>; rel="next"', received.headers.get("Link", ""))
                path = following[1].removeprefix(server.base_url) if following else ""
            assert seen == 45

    async def test_the_server_may_believe_in_another_address(self) -> None:
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

    async def test_page_sizes_are_asked_for_and_capped(self) -> None:
        async with SimulatedBackupify(backups=45, max_per_page=30) as server, calling(server) as call:
            assert (await call.get(f"{_BACKUPS}?per_page=7")).headers["Per-Page"] == "7"
            assert len((await call.get(f"{_BACKUPS}?per_page=50")).json) == 30

    async def test_a_page_that_is_no_number_is_a_bad_request(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get(f"{_BACKUPS}?page=x")).status == 400

    async def test_one_by_its_id(self) -> None:
        async with SimulatedBackupify(backups=3) as server, calling(server) as call:
            listed = (await call.get(_BACKUPS)).json
            assert (await call.get(f"{_BACKUPS}/{listed[1]['id']}")).json == listed[1]

    @pytest.mark.parametrize("backup", ["999999", "x"])
    async def test_one_that_does_not_exist_is_404(self, backup: str) -> None:
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
    async def test_nothing_is_running(self, idle_response: Any, status: int, body: bytes) -> None:
        async with SimulatedBackupify(idle_response=idle_response) as server, calling(server) as call:
            received = await call.get(_ACTIVE)
            assert (received.status, received.body) == (status, body)

    async def test_a_started_one_runs_and_completes_on_the_servers_clock(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock, backup_duration=60) as server, calling(server) as call:
            started = (await call.post(_BACKUPS)).json
            clock.advance(59)
            assert (await call.get(_ACTIVE)).json == started
            clock.advance(1)
            assert (await call.get(_ACTIVE)).status == 404
            over = (await call.get(f"{_BACKUPS}/{started['id']}")).json
            assert (over["status"], over["completed_at"]) == ("completed", "2026-01-01T00:01:00.000Z")

    async def test_the_schedule_starts_one_that_is_no_trigger(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            started = server.start_backup(1)
            assert (await call.get(_ACTIVE)).json["id"] == started.id
            assert server.triggers[1] == []

    async def test_the_schedule_knows_no_instance_that_is_not_there(self) -> None:
        with pytest.raises(KeyError, match="51"):
            SimulatedBackupify(instances=50).start_backup(51)


class TestTrigger:
    async def test_it_starts_a_backup_and_answers_with_it(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.post(_BACKUPS)
            assert (received.status, received.json["status"]) == (201, "running")
            assert [backup.id for backup in server.triggers[1]] == [received.json["id"]]

    @pytest.mark.parametrize("status", [409, 422])
    async def test_while_one_runs_it_is_a_conflict(self, status: Any) -> None:
        async with SimulatedBackupify(active_conflict=status) as server, calling(server) as call:
            await call.post(_BACKUPS)
            assert (await call.post(_BACKUPS)).status == status
            assert len(server.triggers[1]) == 1

    async def test_while_one_runs_it_may_answer_with_that(self) -> None:
        async with SimulatedBackupify(active_conflict=200) as server, calling(server) as call:
            first, second = await call.post(_BACKUPS), await call.post(_BACKUPS)
            assert (second.status, second.json) == (200, first.json)
            assert len(server.triggers[1]) == 1

    async def test_after_it_is_over_another_one_starts(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock) as server, calling(server) as call:
            await call.post(_BACKUPS)
            clock.advance(60)
            assert (await call.post(_BACKUPS)).status == 201
            assert len(server.triggers[1]) == 2

    async def test_a_backup_may_run_for_ever(self) -> None:
        clock = ManualClock()
        async with (
            SimulatedBackupify(clock=clock, backup_duration=math.inf) as server,
            calling(server) as call,
        ):
            await call.post(_BACKUPS)
            clock.advance(800)
            assert (await call.get(_ACTIVE)).json["completed_at"] is None


class TestEnvelope:
    async def test_lists_come_in_it(self) -> None:
        async with SimulatedBackupify(backups=2, envelope="backup_runs") as server, calling(server) as call:
            assert len((await call.get(_BACKUPS)).json["backup_runs"]) == 2

    async def test_single_things_come_in_its_singular(self) -> None:
        async with SimulatedBackupify(envelope="backups") as server, calling(server) as call:
            assert list((await call.post(_BACKUPS)).json) == ["backup"]


class TestRateLimit:
    async def test_over_it_the_answer_is_429_as_text(self) -> None:
        server = SimulatedBackupify(rate_limit=FixedWindow(1, 60), clock=ManualClock())
        async with server, calling(server) as call:
            assert (await call.get(_ACTIVE)).status == 404
            refused = await call.get(_ACTIVE)
            assert (refused.status, refused.body) == (429, b"Retry later\n")
            assert (refused.headers["Content-Type"], refused.headers["retry-after"]) == ("text/plain", "60")

    async def test_a_silent_one_sends_no_retry_after(self) -> None:
        server = SimulatedBackupify(rate_limit=TokenBucket(1, retry_after=False), clock=ManualClock())
        async with server, calling(server) as call:
            await call.get(_ACTIVE)
            assert "Retry-After" not in (await call.get(_ACTIVE)).headers

    async def test_its_time_is_the_servers_clock(self) -> None:
        clock = ManualClock()
        server = SimulatedBackupify(rate_limit=TokenBucket(1), clock=clock)
        async with server, calling(server) as call:
            await call.get(_ACTIVE)
            clock.advance(1)
            assert (await call.get(_ACTIVE)).status == 404

    async def test_the_token_counts_like_everything_else(self) -> None:
        server = SimulatedBackupify(rate_limit=FixedWindow(1, 60), clock=ManualClock())
        async with server, calling(server, token=None) as call:
            await call.get("/v1/ping")
            assert (await call.post("/oauth/token", CREDENTIALS)).status == 429

    async def test_a_refused_trigger_starts_nothing(self) -> None:
        server = SimulatedBackupify(rate_limit=FixedWindow(1, 60), clock=ManualClock())
        async with server, calling(server) as call:
            await call.get(_ACTIVE)
            await call.post(_BACKUPS)
            assert server.triggers[1] == []


class TestHeaders:
    async def test_there_is_no_date_and_no_server(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert not {"Date", "Server"} & set((await call.get(_ACTIVE)).headers)

    async def test_a_date_can_be_asked_for(self) -> None:
        server = SimulatedBackupify(date_header=True, clock=ManualClock())
        async with server, calling(server) as call:
            assert (await call.get(_ACTIVE)).headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"

    async def test_every_answer_has_a_request_id_of_its_own(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            ids = {
                (await call.get(path)).headers["X-Request-Id"] for path in (_ACTIVE, "/v1/ping", "/nowhere")
            }
            assert ids == {record.request_id for record in server.requests}
            assert len(ids) == 3

    @pytest.mark.parametrize("path", ["/", "/v1/vendors", "/v1/backup_instances/1/backups/"])
    async def test_an_unknown_path_is_404_in_json(self, path: str) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get(path)
            assert (received.status, received.json) == (404, {"error": "Not Found"})
