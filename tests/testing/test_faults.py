"""Faults, as a client observes them."""

import asyncio
import contextlib
import math
from typing import Any

import aiohttp
import pytest

from backupify_async.testing import Fault, FixedWindow, ManualClock, SimulatedBackupify
from tests.support.caller import calling

_ACTIVE = "/v1/backup_instances/7/backups/active"
_BACKUPS = "/v1/backup_instances/7/backups"


class TestAnswer:
    async def test_the_status_is_sent_and_nothing_is_done(self) -> None:
        fault = Fault.answer(503, retry_after="soon", first=1)
        async with SimulatedBackupify(faults=[fault]) as server, calling(server) as call:
            received = await call.post(_BACKUPS)
            assert (received.status, received.json) == (503, {"error": "Service Unavailable"})
            assert received.headers["Retry-After"] == "soon"
            assert server.triggers[7] == []
            assert (server.requests[0].status, server.requests[0].fault) == (503, fault)
            assert (await call.post(_BACKUPS)).status == 201

    async def test_the_server_can_act_before_the_failure(self) -> None:
        fault = Fault.answer(500, after_acting=True)
        async with SimulatedBackupify(faults=[fault]) as server, calling(server) as call:
            assert (await call.post(_BACKUPS)).status == 500
            assert len(server.triggers[7]) == 1

    async def test_body_content_type_and_headers_can_be_chosen(self) -> None:
        fault = Fault.answer(299, body="<h1>", content_type="text/html", headers={"X-Proxy": "1"})
        async with SimulatedBackupify(faults=[fault]) as server, calling(server) as call:
            received = await call.get(_ACTIVE)
            assert (received.status, received.body) == (299, b"<h1>")
            assert (received.headers["Content-Type"], received.headers["X-Proxy"]) == ("text/html", "1")

    async def test_an_unregistered_status_is_accepted(self) -> None:
        async with SimulatedBackupify(faults=[Fault.answer(599)]) as server, calling(server) as call:
            assert (await call.get(_ACTIVE)).json == {"error": "Status 599"}

    async def test_a_redirect_is_sent(self) -> None:
        fault = Fault.redirect("http://elsewhere.example/", status=307)
        async with SimulatedBackupify(faults=[fault]) as server, calling(server) as call:
            received = await call.get(_ACTIVE)
            assert (received.status, received.headers["Location"]) == (307, "http://elsewhere.example/")

    async def test_an_expired_token_fault_leaves_the_token_valid(self) -> None:
        async with (
            SimulatedBackupify(faults=[Fault.expired_token(first=1)]) as server,
            calling(server) as call,
        ):
            assert (await call.get(_ACTIVE)).json == {"error": "The access token expired"}
            assert (await call.get(_ACTIVE)).status == 404


class TestLostResponse:
    @pytest.mark.parametrize(("after_acting", "started"), [(False, 0), (True, 1)])
    async def test_the_connection_is_dropped_before_or_after_acting(
        self, after_acting: bool, started: int
    ) -> None:
        fault = Fault.lose_response(after_acting=after_acting, first=1)
        async with SimulatedBackupify(faults=[fault]) as server, calling(server) as call:
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await call.post(_BACKUPS)
            assert len(server.triggers[7]) == started
            assert (server.requests[0].status, server.requests[0].fault) == (None, fault)

    async def test_no_byte_is_sent_before_the_connection_is_closed(self) -> None:
        async with SimulatedBackupify(faults=[Fault.lose_response(after_acting=True)]) as server:
            assert await _raw(server, "GET /v1/ping HTTP/1.1") == b""

    async def test_a_refused_request_does_not_use_up_a_fault(self) -> None:
        clock, fault = ManualClock(), Fault.lose_response(after_acting=True, operation="trigger", first=1)
        server = SimulatedBackupify(faults=[fault], rate_limit=FixedWindow(1, 60), clock=clock)
        async with server, calling(server) as call:
            await call.get(_ACTIVE)
            assert (await call.post(_BACKUPS)).status == 429
            clock.advance(60)
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await call.post(_BACKUPS)


class TestHang:
    @pytest.mark.parametrize(("after_acting", "started"), [(False, 0), (True, 1)])
    async def test_no_response_is_sent_until_the_server_stops(self, after_acting: bool, started: int) -> None:
        fault = Fault.hang(after_acting=after_acting)
        async with SimulatedBackupify(faults=[fault]) as server, calling(server) as call:
            waiting = asyncio.create_task(call.post(_BACKUPS))
            await server.wait_for_requests(1)
            assert (len(server.triggers[7]), server.requests[0].status) == (started, None)
            await server.stop()
            with pytest.raises(aiohttp.ClientConnectionError):
                await waiting

    async def test_a_hanging_request_ends_when_the_client_disconnects(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang()]) as server:
            before = asyncio.all_tasks()
            async with calling(server) as call:
                waiting = asyncio.create_task(call.get(_ACTIVE))
                await server.wait_for_requests(1)
                waiting.cancel()
            await asyncio.wait(asyncio.all_tasks() - before)
            assert waiting.cancelled()


class TestLate:
    """A server that acts after its client got no response, or that of a proxy."""

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.lose_response(after_acting=True, late=5, operation="trigger"),
            Fault.answer(504, after_acting=True, late=5, operation="trigger"),
        ],
    )
    async def test_the_server_acts_later_by_its_clock(self, fault: Fault) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(faults=[fault], clock=clock) as server, calling(server) as call:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                assert (await call.post(_BACKUPS)).status == 504
            clock.advance(4.9)
            assert (server.triggers[7], (await call.get(_ACTIVE)).status) == ([], 404)
            sent_at = clock() - 4.9
            clock.advance(10)
            assert (await call.get(_ACTIVE)).status == 200
            assert [one.started_at for one in server.triggers[7]] == [pytest.approx(sent_at + 5)]

    async def test_late_triggers_are_visible_without_another_request(self) -> None:
        clock = ManualClock()
        fault = Fault.hang(after_acting=True, late=5, operation="trigger")
        async with SimulatedBackupify(faults=[fault], clock=clock) as server, calling(server) as call:
            waiting = asyncio.create_task(call.post(_BACKUPS))
            await server.wait_for_requests(1)
            waiting.cancel()
            clock.advance(5)
            assert len(server.triggers[7]) == 1

    def test_late_requires_after_acting(self) -> None:
        with pytest.raises(ValueError, match="after_acting=True"):
            Fault.hang(late=1)


class TestRepeated:
    async def test_a_repeated_request_returns_the_second_response(self) -> None:
        async with SimulatedBackupify(faults=[Fault.repeat()]) as server, calling(server) as call:
            assert (await call.post(_BACKUPS)).status == 409
            assert len(server.triggers[7]) == 1


class TestContradictions:
    async def test_a_list_can_lag_behind_the_active_backup(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(list_lag=5, backups=1, clock=clock) as server, calling(server) as call:
            started = (await call.post(_BACKUPS)).json["id"]
            assert (await call.get(_ACTIVE)).json["id"] == started
            assert len((await call.get(_BACKUPS)).json) == 1
            clock.advance(5)
            assert len((await call.get(_BACKUPS)).json) == 2

    async def test_the_date_header_can_differ_from_the_clock(self) -> None:
        clock = ManualClock()
        settings: Any = {"date_header": True, "date_offset": -600, "clock": clock}
        async with SimulatedBackupify(**settings) as server, calling(server) as call:
            received = await call.post(_BACKUPS)
            assert received.headers["Date"] == "Wed, 31 Dec 2025 23:50:00 GMT"
            assert received.json["created_at"] == "2026-01-01T00:00:00.000Z"

    def test_an_infinite_date_offset_is_refused(self) -> None:
        with pytest.raises(ValueError, match="date_offset"):
            SimulatedBackupify(date_offset=math.inf)


class TestMalformedResponses:
    async def test_a_truncated_response_is_shorter_than_its_content_length(self) -> None:
        async with SimulatedBackupify(faults=[Fault.truncate()]) as server:
            head, _, body = (await _raw(server, "GET /v1/ping HTTP/1.1")).partition(b"\r\n\r\n")
            assert b"200 OK" in head
            assert b"Content-Length: 15" in head
            assert body == b'{"ping"'

    async def test_a_truncated_request_was_performed(self) -> None:
        async with SimulatedBackupify(faults=[Fault.truncate()]) as server, calling(server) as call:
            with pytest.raises(aiohttp.ClientPayloadError):
                await call.post(_BACKUPS)
            assert len(server.triggers[7]) == 1

    async def test_a_truncated_response_can_have_no_body(self) -> None:
        server = SimulatedBackupify(faults=[Fault.truncate(operation="get_active")], idle_response=204)
        async with server, calling(server) as call:
            assert (await call.get(_ACTIVE)).status == 204

    async def test_garbage_is_half_of_the_correct_json(self) -> None:
        async with SimulatedBackupify(faults=[Fault.garbage()]) as server, calling(server) as call:
            received = await call.get("/v1/ping")
            assert (received.status, received.body) == (200, b'{"ping"')
            assert received.headers["Content-Type"] == "application/json"

    async def test_garbage_can_be_any_body(self) -> None:
        fault = Fault.garbage(b"\xff<html>", content_type="text/html")
        async with SimulatedBackupify(faults=[fault]) as server, calling(server) as call:
            received = await call.post(_BACKUPS)
            assert (received.status, received.body) == (201, b"\xff<html>")
            assert received.headers["Content-Type"] == "text/html"
            assert len(server.triggers[7]) == 1

    async def test_a_wrong_link_is_sent_with_the_correct_page(self) -> None:
        fault = Fault.wrong_link('<http://elsewhere.example/>; rel="next"')
        async with SimulatedBackupify(faults=[fault], backups=45) as server, calling(server) as call:
            received = await call.get(_BACKUPS)
            assert received.headers["Link"] == '<http://elsewhere.example/>; rel="next"'
            assert len(received.json) == 20


class TestWhileRunning:
    async def test_faults_can_be_added_and_removed(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            server.inject(Fault.answer(503))
            assert (await call.get("/v1/ping")).status == 503
            server.clear_faults()
            assert (await call.get("/v1/ping")).status == 200


async def _raw(server: SimulatedBackupify, request_line: str) -> bytes:
    """All that the server sends before it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
    writer.write(f"{request_line}\r\nHost: {server.base_url[7:]}\r\n\r\n".encode())
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    return received
