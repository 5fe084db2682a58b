"""The requests and triggers that a server records, and waiting for requests."""

import asyncio
import copy
import pickle

import pytest

from backupify_async.testing import Fault, ManualClock, SimulatedBackupify
from backupify_async.testing._log import Log
from backupify_async.testing._messages import Request
from tests.support.caller import CREDENTIALS, calling

_ACTIVE = "/v1/backup_instances/7/backups/active"


class TestRequests:
    async def test_a_record_has_all_about_a_request(self) -> None:
        async with SimulatedBackupify(clock=ManualClock(1000.0)) as server, calling(server) as call:
            received = await call.get(f"{_ACTIVE}?page=2")
            (record,) = server.requests
            assert (record.operation, record.method, record.path) == ("get_active", "GET", _ACTIVE)
            assert (record.query, record.instance_id, record.status) == ({"page": "2"}, 7, 404)
            assert (record.fault, record.at, record.user_agent) == (None, 1000.0, "a stranger")
            assert record.request_id == received.headers["X-Request-Id"]

    async def test_records_are_in_the_order_of_arrival(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            for path in ("/v1/ping", "/nowhere", _ACTIVE):
                await call.get(path)
            assert [record.operation for record in server.requests] == ["ping", None, "get_active"]

    async def test_the_list_is_a_copy(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            await call.get("/v1/ping")
            server.requests.clear()
            assert len(server.requests) == 1

    async def test_no_repr_shows_a_secret_or_a_token(self) -> None:
        server = SimulatedBackupify(client_secret="hush-hush", faults=[Fault.hang(path="/never")])
        async with server, calling(server) as call:
            await call.post("/oauth/token", CREDENTIALS | {"client_secret": "hush-hush"})
            await call.get(f"{_ACTIVE}?access_token=hush-hush&page=2")
            text = repr([server, server._settings, server._tokens, server.requests, server.triggers])
            assert "hush-hush" not in text
            assert str(call.token) not in text
            assert server.requests[1].query == {"access_token": "[FILTERED]", "page": "2"}

    async def test_a_record_can_be_hashed_copied_and_pickled(self) -> None:
        async with SimulatedBackupify(faults=[Fault.answer(503)]) as server, calling(server) as call:
            await call.get(_ACTIVE)
            (record,) = server.requests
            assert {record, copy.deepcopy(record), pickle.loads(pickle.dumps(record))} == {record}

    def test_beyond_its_size_the_older_half_is_dropped(self) -> None:
        log = Log(max_records=4)
        for number in range(5):
            request = Request(operation=None, method="GET", path=f"/{number}", at=0.0, origin="http://host")
            log.add(request, status=404, fault=None, request_id="")
        assert [record.path for record in log.records] == ["/2", "/3", "/4"]


class TestTriggers:
    async def test_an_instance_without_triggers_has_an_empty_list(self) -> None:
        server = SimulatedBackupify()
        assert (server.triggers[7], len(server.triggers), 7 in server.triggers) == ([], 0, False)

    async def test_the_mapping_has_only_instances_with_triggers(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            await call.post("/v1/backup_instances/7/backups")
            assert list(server.triggers) == [7]
            assert 7 in server.triggers
            assert f"id={server.triggers[7][0].id}" in repr(server.triggers)

    async def test_reading_does_not_add_an_entry(self) -> None:
        server = SimulatedBackupify()
        assert server.triggers[7] == []
        assert list(server.triggers) == []


class TestWaiting:
    async def test_it_ends_when_the_number_of_requests_has_arrived(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            waiting = asyncio.create_task(server.wait_for_requests(2))
            await call.get("/v1/ping")
            assert not waiting.done()
            await call.get("/v1/ping")
            await waiting

    async def test_it_ends_at_once_if_they_have_already_arrived(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            await call.get("/v1/ping")
            await server.wait_for_requests(1)
            assert len(server.requests) == 1

    async def test_it_can_time_out_or_be_cancelled(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(server.wait_for_requests(1), 0)
            waiting = asyncio.create_task(server.wait_for_requests(1))
            await asyncio.sleep(0)
            waiting.cancel()
            assert (await call.get("/v1/ping")).status == 200
            with pytest.raises(asyncio.CancelledError):
                await waiting
