"""The rate limit, and the headers of all responses."""

import pytest

from backupify_async.testing import FixedWindow, ManualClock, SimulatedBackupify, TokenBucket
from tests.support.caller import CREDENTIALS, calling

_ACTIVE = "/v1/backup_instances/1/backups/active"
_BACKUPS = "/v1/backup_instances/1/backups"


class TestRateLimit:
    async def test_a_request_beyond_it_is_a_429_with_text(self) -> None:
        server = SimulatedBackupify(rate_limit=FixedWindow(1, 60), clock=ManualClock())
        async with server, calling(server) as call:
            assert (await call.get(_ACTIVE)).status == 404
            refused = await call.get(_ACTIVE)
            assert (refused.status, refused.body) == (429, b"Retry later\n")
            assert (refused.headers["Content-Type"], refused.headers["retry-after"]) == ("text/plain", "60")

    async def test_retry_after_can_be_omitted(self) -> None:
        server = SimulatedBackupify(rate_limit=TokenBucket(1, retry_after=False), clock=ManualClock())
        async with server, calling(server) as call:
            await call.get(_ACTIVE)
            assert "Retry-After" not in (await call.get(_ACTIVE)).headers

    async def test_it_counts_by_the_servers_clock(self) -> None:
        clock = ManualClock()
        server = SimulatedBackupify(rate_limit=TokenBucket(1), clock=clock)
        async with server, calling(server) as call:
            await call.get(_ACTIVE)
            clock.advance(1)
            assert (await call.get(_ACTIVE)).status == 404

    async def test_token_requests_count_too(self) -> None:
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
    async def test_date_and_server_are_not_sent(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert not {"Date", "Server"} & set((await call.get(_ACTIVE)).headers)

    async def test_a_date_can_be_sent(self) -> None:
        server = SimulatedBackupify(date_header=True, clock=ManualClock())
        async with server, calling(server) as call:
            assert (await call.get(_ACTIVE)).headers["Date"] == "Thu, 01 Jan 2026 00:00:00 GMT"

    async def test_each_response_has_its_own_request_id(self) -> None:
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
