"""The vendor, its backup definitions and its customers, on the wire."""

import asyncio
import re
from typing import Any

import pytest

from backupify_async.testing import Fault, FixedWindow, ManualClock, SimulatedBackupify
from tests.support.caller import Caller, calling

_NAMED = {"customer[name]": "Acme"}
_PATHS = [
    "/v1/vendors/me",
    "/v1/backup_definitions",
    "/v1/backup_definitions/1",
    "/v1/customers",
    "/v1/customers/1",
]


async def _ids(call: Caller, path: str) -> list[int]:
    """The ids of the whole list, page by page."""
    ids: list[int] = []
    while path:
        received = await call.get(path)
        ids += [each["id"] for each in received.json]
        following = re.search(r'<([^>]*)>; rel="next"', received.headers.get("Link", ""))
        path = following[1].removeprefix(call.base_url) if following else ""
    return ids


class TestVendor:
    async def test_it_is_the_vendor_of_all_definitions(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            vendor = (await call.get("/v1/vendors/me")).json
            listed = (await call.get("/v1/backup_definitions")).json
            assert {each["vendor_id"] for each in listed} == {vendor["id"]}

    async def test_another_one_has_no_path(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get("/v1/vendors/900")
            assert (received.status, received.json) == (404, {"error": "Not Found"})


class TestDefinitions:
    async def test_they_are_those_that_the_instances_name(self) -> None:
        async with SimulatedBackupify(instances=7) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances")).json
            named = {each["backup_definition_id"] for each in instances}
            assert set(await _ids(call, "/v1/backup_definitions")) == named

    async def test_each_filters_the_instances_that_name_it(self) -> None:
        async with SimulatedBackupify(instances=7) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances")).json
            for definition in await _ids(call, "/v1/backup_definitions"):
                assert await _ids(call, f"/v1/backup_instances?backup_definition_id={definition}") == [
                    each["id"] for each in instances if each["backup_definition_id"] == definition
                ]

    async def test_the_list_is_paged_by_links_that_repeat_the_query(self) -> None:
        async with SimulatedBackupify(per_page=2) as server, calling(server) as call:
            vendor = (await call.get("/v1/vendors/me")).json["id"]
            path = f"/v1/backup_definitions?vendor_id={vendor}"
            url = f"{server.base_url}/v1/backup_definitions?page=2&vendor_id={vendor}"
            received = await call.get(path)
            assert received.headers["Link"] == f'<{url}>; rel="last", <{url}>; rel="next"'
            assert await _ids(call, path) == [1, 2, 3]

    async def test_another_vendor_has_none(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get("/v1/backup_definitions?vendor_id=1")).json == []

    async def test_a_vendor_that_is_no_number_is_a_bad_request(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get("/v1/backup_definitions?vendor_id=x")
            assert (received.status, received.json) == (400, {"error": "vendor_id is invalid"})

    async def test_one_by_its_id_is_as_in_the_list(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            listed = (await call.get("/v1/backup_definitions")).json
            assert (await call.get("/v1/backup_definitions/2")).json == listed[1]

    @pytest.mark.parametrize("definition", ["0", "4", "x"])
    async def test_one_that_does_not_exist_is_404(self, definition: str) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get(f"/v1/backup_definitions/{definition}")
            assert (received.status, received.json) == (404, {"error": "Backup definition not found"})


class TestCustomers:
    async def test_they_are_those_that_the_instances_name(self) -> None:
        async with SimulatedBackupify(instances=70) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances?per_page=100")).json
            customers = await _ids(call, "/v1/customers")
            assert set(customers) == {each["customer_id"] for each in instances}

    async def test_the_instances_of_each_are_those_that_name_it(self) -> None:
        async with SimulatedBackupify(instances=7) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances")).json
            for customer in await _ids(call, "/v1/customers"):
                assert await _ids(call, f"/v1/customers/{customer}/backup_instances") == [
                    each["id"] for each in instances if each["customer_id"] == customer
                ]

    async def test_the_list_is_paged_by_links_with_totals(self) -> None:
        async with SimulatedBackupify(instances=150) as server, calling(server) as call:
            received = await call.get("/v1/customers?page=3")
            assert [each["id"] for each in received.json] == list(range(41, 51))
            assert (received.headers["Total"], received.headers["Per-Page"]) == ("50", "20")
            assert await _ids(call, "/v1/customers") == list(range(1, 51))

    async def test_without_instances_there_are_none(self) -> None:
        async with SimulatedBackupify(instances=0) as server, calling(server) as call:
            assert (await call.get("/v1/customers")).json == []

    async def test_one_by_its_id_is_as_in_the_list(self) -> None:
        async with SimulatedBackupify(clock=ManualClock()) as server, calling(server) as call:
            listed = (await call.get("/v1/customers")).json
            assert (await call.get("/v1/customers/2")).json == listed[1]
            assert (listed[1]["name"], listed[1]["email"]) == ("Customer 2", "customer-2@example.com")

    @pytest.mark.parametrize("customer", ["0", "18", "x", "1%2F2", "-1"])
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    async def test_one_that_does_not_exist_is_404(self, method: str, customer: str) -> None:
        async with SimulatedBackupify(instances=50) as server, calling(server) as call:
            form = _NAMED if method == "PUT" else None
            received = await call.send(method, f"/v1/customers/{customer}", data=form)
            assert (received.status, received.json) == (404, {"error": "Customer not found"})

    async def test_an_added_instance_has_a_customer_in_the_list(self) -> None:
        async with SimulatedBackupify(instances=3) as server, calling(server) as call:
            added = server.add_instance()
            assert (await call.get(f"/v1/backup_instances/{added}")).json["customer_id"] == 2
            assert await _ids(call, "/v1/customers") == [1, 2]

    async def test_nothing_is_older_than_the_vendor_and_its_customers(self) -> None:
        async with SimulatedBackupify(instances=50) as server, calling(server) as call:
            vendor = (await call.get("/v1/vendors/me")).json
            customers = (await call.get("/v1/customers")).json
            instances = (await call.get("/v1/backup_instances?per_page=50")).json
            latest = max(each["created_at"] for each in customers)
            assert vendor["created_at"] <= latest <= min(each["created_at"] for each in instances)


class TestCreateCustomer:
    async def test_it_is_in_the_list_and_has_no_instances(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            created = await call.post("/v1/customers", _NAMED | {"customer[email]": "a+b@acme.example"})
            assert created.status == 201
            assert (created.json["name"], created.json["email"]) == ("Acme", "a+b@acme.example")
            assert (await call.get("/v1/customers")).json[2] == created.json
            assert (await call.get("/v1/customers/3")).json == created.json
            assert (await call.get("/v1/customers/3/backup_instances")).json == []

    async def test_an_added_instance_is_one_of_its_own(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            created = (await call.post("/v1/customers", _NAMED)).json
            added = server.add_instance()
            assert await _ids(call, f"/v1/customers/{created['id']}/backup_instances") == [added]
            assert (await call.get(f"/v1/customers/{created['id']}")).json == created

    async def test_without_an_email_it_has_none(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.post("/v1/customers", _NAMED)).json["email"] is None

    async def test_its_dates_are_of_the_servers_clock(self) -> None:
        async with SimulatedBackupify(clock=ManualClock()) as server, calling(server) as call:
            created = (await call.post("/v1/customers", _NAMED)).json
            assert (created["created_at"], created["updated_at"]) == ("2026-01-01T00:00:00.000Z",) * 2

    async def test_encoded_brackets_are_read_too(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            created = await call.send(
                "POST", "/v1/customers", data=b"customer%5Bname%5D=A+%C3%A9", headers=form
            )
            assert created.json["name"] == "A é"

    async def test_concurrent_requests_make_one_customer_each(self) -> None:
        async with SimulatedBackupify(instances=0) as server, calling(server) as call:
            created = await asyncio.gather(*(call.post("/v1/customers", _NAMED) for _ in range(30)))
            assert sorted(each.json["id"] for each in created) == list(range(1, 31))
            assert await _ids(call, "/v1/customers") == list(range(1, 31))


class TestUpdateCustomer:
    async def test_the_list_and_the_customer_show_the_new_name(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock) as server, calling(server) as call:
            before = (await call.get("/v1/customers/2")).json
            clock.advance(60)
            changed = await call.send("PUT", "/v1/customers/2", data=_NAMED)
            assert changed.status == 200
            assert changed.json == before | {"name": "Acme", "updated_at": "2026-01-01T00:01:00.000Z"}
            assert (await call.get("/v1/customers/2")).json == changed.json
            assert (await call.get("/v1/customers")).json[1] == changed.json

    async def test_its_instances_stay_its_own_and_the_other_customers_as_they_were(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            others = (await call.get("/v1/customers?per_page=1")).json
            await call.send("PUT", "/v1/customers/2", data=_NAMED)
            assert await _ids(call, "/v1/customers/2/backup_instances") == [4, 5, 6]
            assert (await call.get("/v1/customers?per_page=1")).json == others

    async def test_what_is_no_parameter_of_it_changes_nothing(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            form = _NAMED | {"customer[email]": "new@acme.example", "customer[id]": "9", "name": "other"}
            changed = (await call.send("PUT", "/v1/customers/2", data=form)).json
            assert (changed["id"], changed["name"]) == (2, "Acme")
            assert changed["email"] == "customer-2@example.com"


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/customers"), ("PUT", "/v1/customers/1")])
class TestCustomerForm:
    @pytest.mark.parametrize(
        ("form", "status", "body"),
        [
            ({}, 400, {"error": "customer[name] is missing"}),
            ({"name": "Acme"}, 400, {"error": "customer[name] is missing"}),
            ({"customer": "Acme"}, 400, {"error": "customer is invalid"}),
            ({"customer[name][]": "Acme"}, 400, {"error": "customer[name] is invalid"}),
            ({"customer[name][first]": "Acme"}, 400, {"error": "customer[name] is invalid"}),
            (_NAMED | {"customer[email][]": "a@b"}, 400, {"error": "customer[email] is invalid"}),
            ({"customer": "Acme", "customer[name]": "Acme"}, 400, {"error": "Bad Request"}),
            ({"customer[name]": ""}, 422, {"errors": {"name": ["can't be blank"]}}),
            ({"customer[name]": " "}, 422, {"errors": {"name": ["can't be blank"]}}),
        ],
    )
    async def test_a_wrong_one_is_refused_and_changes_nothing(
        self, method: str, path: str, form: Any, status: int, body: Any
    ) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            before = (await call.get("/v1/customers")).json
            received = await call.send(method, path, data=form)
            assert (received.status, received.json) == (status, body)
            assert (await call.get("/v1/customers")).json == before

    async def test_json_is_not_read(self, method: str, path: str) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.send(method, path, json={"customer": {"name": "Acme"}})
            assert (received.status, received.json) == (400, {"error": "customer[name] is missing"})


class TestLikeAllOperations:
    @pytest.mark.parametrize("path", _PATHS)
    async def test_each_needs_a_token(self, path: str) -> None:
        async with SimulatedBackupify() as server, calling(server, token=None) as call:
            received = await call.get(path)
            assert (received.status, received.json) == (401, {"error": "The access token is invalid"})

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_without_a_token_no_customer_changes(self, method: str) -> None:
        async with SimulatedBackupify(instances=3) as server, calling(server, token=None) as call:
            path = "/v1/customers" if method == "POST" else "/v1/customers/1"
            assert (await call.send(method, path, data=_NAMED)).status == 401
            async with calling(server) as opened:
                assert [each["name"] for each in (await opened.get("/v1/customers")).json] == ["Customer 1"]

    @pytest.mark.parametrize("path", _PATHS)
    async def test_each_counts_against_the_rate_limit(self, path: str) -> None:
        server = SimulatedBackupify(rate_limit=FixedWindow(1, 60), clock=ManualClock())
        async with server, calling(server) as call:
            assert (await call.get(path)).status == 200
            assert (await call.get(path)).status == 429

    async def test_the_log_names_the_operations(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            for path in _PATHS:
                await call.get(path)
            await call.post("/v1/customers", _NAMED)
            await call.send("PUT", "/v1/customers/1", data=_NAMED)
            assert [record.operation for record in server.requests] == [
                "get_vendor",
                "list_definitions",
                "get_definition",
                "list_customers",
                "get_customer",
                "create_customer",
                "update_customer",
            ]

    async def test_the_log_holds_no_form(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            await call.post("/v1/customers", _NAMED)
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
    async def test_a_fault_finds_each_by_its_name(self, operation: Any, method: str, path: str) -> None:
        fault = Fault.answer(503, operation=operation, first=1)
        async with SimulatedBackupify(instances=3, faults=[fault]) as server, calling(server) as call:
            statuses = [(await call.send(method, path, data=_NAMED)).status for _ in range(2)]
            assert statuses == [503, 201 if method == "POST" else 200]
            assert len(await _ids(call, "/v1/customers")) == (2 if method == "POST" else 1)

    async def test_a_lost_response_leaves_the_customer_created(self) -> None:
        fault = Fault.answer(504, operation="create_customer", after_acting=True)
        async with SimulatedBackupify(instances=3, faults=[fault]) as server, calling(server) as call:
            assert (await call.post("/v1/customers", _NAMED)).status == 504
            assert await _ids(call, "/v1/customers") == [1, 2]

    async def test_a_late_one_is_created_later(self) -> None:
        clock, fault = (
            ManualClock(),
            Fault.answer(504, operation="create_customer", after_acting=True, late=5),
        )
        server = SimulatedBackupify(instances=3, faults=[fault], clock=clock)
        async with server, calling(server) as call:
            await call.post("/v1/customers", _NAMED)
            assert await _ids(call, "/v1/customers") == [1]
            clock.advance(5)
            assert await _ids(call, "/v1/customers") == [1, 2]

    async def test_lists_and_single_objects_come_in_the_envelope(self) -> None:
        async with SimulatedBackupify(envelope="customers") as server, calling(server) as call:
            assert list((await call.get("/v1/customers")).json) == ["customers"]
            assert list((await call.get("/v1/customers/1")).json) == ["customer"]
            assert list((await call.post("/v1/customers", _NAMED)).json) == ["customer"]

    async def test_the_state_outlives_a_restart(self) -> None:
        server = SimulatedBackupify(instances=3)
        async with server, calling(server) as call:
            created = (await call.post("/v1/customers", _NAMED)).json
        async with server, calling(server) as call:
            assert (await call.get(f"/v1/customers/{created['id']}")).json == created
