"""Tokens: how a client gets one, and when one is accepted."""

import pytest

from backupify_async.testing import ManualClock, SimulatedBackupify
from tests.support.caller import CREDENTIALS, calling

_ACTIVE = "/v1/backup_instances/1/backups/active"


class TestToken:
    async def test_client_credentials_get_one_for_the_api(self) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            token = (await call.post("/oauth/token", CREDENTIALS)).json
            assert (token["token_type"], token["expires_in"]) == ("bearer", 899)
            async with calling(server, token=token["access_token"]) as authorized:
                assert (await authorized.get("/v1/backup_instances/1")).status == 200

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
    async def test_any_other_invalid_field_is_a_bad_request(self, form: dict[str, str], error: str) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            received = await call.post("/oauth/token", CREDENTIALS | form)
            assert (received.status, received.json) == (400, {"error": error})

    async def test_only_a_form_is_read(self) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            received = await call.send("POST", "/oauth/token", json=CREDENTIALS)
            assert (received.status, received.json) == (400, {"error": "invalid_request"})

    async def test_the_credentials_can_be_set(self) -> None:
        server = SimulatedBackupify(client_id="me", client_secret="mine")
        async with server, calling(server, token=None) as call:
            assert (await call.post("/oauth/token", CREDENTIALS)).status == 401
            mine = CREDENTIALS | {"client_id": "me", "client_secret": "mine"}
            assert (await call.post("/oauth/token", mine)).status == 200
            assert server.tokens_issued == 1


class TestBearer:
    @pytest.mark.parametrize("token", [None, "made up"])
    async def test_a_missing_or_unknown_token_is_401(self, token: str | None) -> None:
        async with SimulatedBackupify() as server, calling(server, token=token) as call:
            received = await call.get(_ACTIVE)
            assert (received.status, received.json) == (401, {"error": "The access token is invalid"})

    async def test_another_scheme_is_401(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            header = {"Authorization": f"Basic {call.token}"}
            assert (await call.send("GET", _ACTIVE, headers=header)).status == 401

    async def test_a_token_expires_after_its_lifetime(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock, token_lifetime=60) as server, calling(server) as call:
            clock.advance(59)
            assert (await call.get("/v1/backup_instances")).status == 200
            clock.advance(1)
            assert (await call.get("/v1/backup_instances")).json == {"error": "The access token expired"}

    async def test_a_new_token_can_be_unknown_at_first(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock, token_lag=1.5) as server, calling(server) as call:
            clock.advance(1.4)
            assert (await call.get("/v1/backup_instances")).json == {"error": "The access token is invalid"}
            clock.advance(0.1)
            assert (await call.get("/v1/backup_instances")).status == 200

    async def test_a_new_token_can_invalidate_earlier_ones(self) -> None:
        async with SimulatedBackupify(newest_token_only=True) as server, calling(server) as call:
            assert (await call.get("/v1/backup_instances")).status == 200
            newer = server.issue_token()
            assert (await call.get("/v1/backup_instances")).json == {"error": "The access token expired"}
            async with calling(server, token=newer) as other:
                assert (await other.get("/v1/backup_instances")).status == 200

    async def test_all_tokens_can_be_expired(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            server.expire_tokens()
            assert (await call.get("/v1/backup_instances")).status == 401

    async def test_ping_needs_no_token(self) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            assert (await call.get("/v1/ping")).status == 200
