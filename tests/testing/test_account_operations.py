"""Tokens, limits, the log and faults apply to the operations of vendor, definitions and customers."""

from typing import Any

import pytest

from backupify_async.testing import Fault, FixedWindow, ManualClock, SimulatedBackupify
from tests.support.caller import calling
from tests.testing.account import NAMED, ids_of

_PATHS = [
    "/v1/vendors/me",
    "/v1/backup_definitions",
    "/v1/backup_definitions/1",
    "/v1/customers",
    "/v1/customers/1",
]


class TestEachOperation:
    @pytest.mark.parametrize("path", _PATHS)
    async def test_it_needs_a_token(self, path: str) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            received = await call.get(path)
            assert (received.status, received.json) == (401, {"error": "The access token is invalid"})

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_without_a_token_no_customer_changes(self, method: str) -> None:
        async with SimulatedBackupify(instances=3) as server, calling(server, token=None) as call:
            path = "/v1/customers" if method == "POST" else "/v1/customers/1"
            assert (await call.send(method, path, data=NAMED)).status == 401
            async with calling(server) as opened:
                assert [each["name"] for each in (await opened.get("/v1/customers")).json] == ["Customer 1"]

    @pytest.mark.parametrize("path", _PATHS)
    async def test_it_counts_against_the_rate_limit(self, path: str) -> None:
        server = SimulatedBackupify(rate_limit=FixedWindow(1, 60), clock=ManualClock())
        async with server, calling(server) as call:
            assert (await call.get(path)).status == 200
            assert (await call.get(path)).status == 429

    async def test_it_has_its_name_in_the_log(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            for path in _PATHS:
                await call.get(path)
            await call.post("/v1/customers", NAMED)
            await call.send("PUT", "/v1/customers/1", data=NAMED)
            assert [record.operation for record in server.requests] == [
                "get_vendor",
                "list_definitions",
                "get_definition",
                "list_customers",
                "get_customer",
                "create_customer",
                "update_customer",
            ]

    async def test_its_form_is_not_in_the_log(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            await call.post("/v1/customers", NAMED)
            assert "Acme" not in repr(server.requests)

    @pytest.mark.parametrize(
        ("operation", "method", "path"),
        [
            ("ping", "GET", "/v1/ping"),
            ("get_vendor", "GET", "/v1/vendors/me"),
            ("list_definitions", "GET", "/v1/backup_definitions"),
            ("get_definition", "GET", "/v1/backup_definitions/1"),
            ("list_customers", "GET", "/v1/customers"),
            ("get_customer", "GET", "/v1/customers/1"),
            ("create_customer", "POST", "/v1/customers"),
            ("update_customer", "PUT", "/v1/customers/1"),
        ],
    )
    async def test_it_can_be_named_in_a_fault(self, operation: Any, method: str, path: str) -> None:
        fault = Fault.answer(503, operation=operation, first=1)
        async with SimulatedBackupify(instances=3, faults=[fault]) as server, calling(server) as call:
            statuses = [(await call.send(method, path, data=NAMED)).status for _ in range(2)]
            assert statuses == [503, 201 if method == "POST" else 200]
            assert len(await ids_of(call, "/v1/customers")) == (2 if method == "POST" else 1)

    async def test_a_lost_response_leaves_the_customer_created(self) -> None:
        fault = Fault.answer(504, operation="create_customer", after_acting=True)
        async with SimulatedBackupify(instances=3, faults=[fault]) as server, calling(server) as call:
            assert (await call.post("/v1/customers", NAMED)).status == 504
            assert await ids_of(call, "/v1/customers") == [1, 2]

    async def test_a_late_customer_is_created_later(self) -> None:
        clock = ManualClock()
        fault = Fault.answer(504, operation="create_customer", after_acting=True, late=5)
        server = SimulatedBackupify(instances=3, faults=[fault], clock=clock)
        async with server, calling(server) as call:
            await call.post("/v1/customers", NAMED)
            assert await ids_of(call, "/v1/customers") == [1]
            clock.advance(5)
            assert await ids_of(call, "/v1/customers") == [1, 2]

    async def test_lists_and_single_objects_are_in_the_envelope(self) -> None:
        async with SimulatedBackupify(envelope="customers") as server, calling(server) as call:
            assert list((await call.get("/v1/customers")).json) == ["customers"]
            assert list((await call.get("/v1/customers/1")).json) == ["customer"]
            assert list((await call.post("/v1/customers", NAMED)).json) == ["customer"]

    async def test_the_state_outlives_a_restart(self) -> None:
        server = SimulatedBackupify(instances=3)
        async with server, calling(server) as call:
            created = (await call.post("/v1/customers", NAMED)).json
        async with server, calling(server) as call:
            assert (await call.get(f"/v1/customers/{created['id']}")).json == created
