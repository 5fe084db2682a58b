"""Customers: list, read, create and update."""

import asyncio
from typing import Any

import pytest

from backupify_async.testing import ManualClock, SimulatedBackupify
from tests.support.caller import calling
from tests.testing.account import NAMED, ids_of


class TestCustomers:
    async def test_the_list_has_the_customers_that_the_instances_name(self) -> None:
        async with SimulatedBackupify(instances=70) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances?per_page=100")).json
            customers = await ids_of(call, "/v1/customers")
            assert set(customers) == {each["customer_id"] for each in instances}

    async def test_the_instances_of_a_customer_are_those_that_name_it(self) -> None:
        async with SimulatedBackupify(instances=7) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances")).json
            for customer in await ids_of(call, "/v1/customers"):
                assert await ids_of(call, f"/v1/customers/{customer}/backup_instances") == [
                    each["id"] for each in instances if each["customer_id"] == customer
                ]

    async def test_the_list_is_paged_by_links_with_totals(self) -> None:
        async with SimulatedBackupify(instances=150) as server, calling(server) as call:
            received = await call.get("/v1/customers?page=3")
            assert [each["id"] for each in received.json] == list(range(41, 51))
            assert (received.headers["Total"], received.headers["Per-Page"]) == ("50", "20")
            assert await ids_of(call, "/v1/customers") == list(range(1, 51))

    async def test_without_instances_there_are_no_customers(self) -> None:
        async with SimulatedBackupify(instances=0) as server, calling(server) as call:
            assert (await call.get("/v1/customers")).json == []

    async def test_a_customer_by_its_id_equals_that_in_the_list(self) -> None:
        async with SimulatedBackupify(clock=ManualClock()) as server, calling(server) as call:
            listed = (await call.get("/v1/customers")).json
            assert (await call.get("/v1/customers/2")).json == listed[1]
            assert (listed[1]["name"], listed[1]["email"]) == ("Customer 2", "customer-2@example.com")

    @pytest.mark.parametrize("customer", ["0", "18", "x", "1%2F2", "-1"])
    @pytest.mark.parametrize("method", ["GET", "PUT"])
    async def test_a_customer_that_does_not_exist_is_404(self, method: str, customer: str) -> None:
        async with SimulatedBackupify(instances=50) as server, calling(server) as call:
            form = NAMED if method == "PUT" else None
            received = await call.send(method, f"/v1/customers/{customer}", data=form)
            assert (received.status, received.json) == (404, {"error": "Customer not found"})

    async def test_an_added_instance_has_a_customer_in_the_list(self) -> None:
        async with SimulatedBackupify(instances=3) as server, calling(server) as call:
            added = server.add_instance()
            assert (await call.get(f"/v1/backup_instances/{added}")).json["customer_id"] == 2
            assert await ids_of(call, "/v1/customers") == [1, 2]

    async def test_the_vendor_is_older_than_its_customers_and_these_than_their_instances(self) -> None:
        async with SimulatedBackupify(instances=50) as server, calling(server) as call:
            vendor = (await call.get("/v1/vendors/me")).json
            customers = (await call.get("/v1/customers")).json
            instances = (await call.get("/v1/backup_instances?per_page=50")).json
            latest = max(each["created_at"] for each in customers)
            assert vendor["created_at"] <= latest <= min(each["created_at"] for each in instances)


class TestCreateCustomer:
    async def test_a_new_customer_is_in_the_list_and_has_no_instances(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            created = await call.post("/v1/customers", NAMED | {"customer[email]": "a+b@acme.example"})
            assert created.status == 201
            assert (created.json["name"], created.json["email"]) == ("Acme", "a+b@acme.example")
            assert (await call.get("/v1/customers")).json[2] == created.json
            assert (await call.get("/v1/customers/3")).json == created.json
            assert (await call.get("/v1/customers/3/backup_instances")).json == []

    async def test_an_added_instance_belongs_to_the_new_customer(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            created = (await call.post("/v1/customers", NAMED)).json
            added = server.add_instance()
            assert await ids_of(call, f"/v1/customers/{created['id']}/backup_instances") == [added]
            assert (await call.get(f"/v1/customers/{created['id']}")).json == created

    async def test_the_email_is_optional(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.post("/v1/customers", NAMED)).json["email"] is None

    async def test_the_dates_are_by_the_servers_clock(self) -> None:
        async with SimulatedBackupify(clock=ManualClock()) as server, calling(server) as call:
            created = (await call.post("/v1/customers", NAMED)).json
            assert (created["created_at"], created["updated_at"]) == ("2026-01-01T00:00:00.000Z",) * 2

    async def test_encoded_brackets_are_read_too(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            created = await call.send(
                "POST", "/v1/customers", data=b"customer%5Bname%5D=A+%C3%A9", headers=form
            )
            assert created.json["name"] == "A é"

    async def test_concurrent_requests_create_one_customer_each(self) -> None:
        async with SimulatedBackupify(instances=0) as server, calling(server) as call:
            created = await asyncio.gather(*(call.post("/v1/customers", NAMED) for _ in range(30)))
            assert sorted(each.json["id"] for each in created) == list(range(1, 31))
            assert await ids_of(call, "/v1/customers") == list(range(1, 31))


class TestUpdateCustomer:
    async def test_the_list_and_the_customer_show_the_new_name(self) -> None:
        clock = ManualClock()
        async with SimulatedBackupify(clock=clock) as server, calling(server) as call:
            before = (await call.get("/v1/customers/2")).json
            clock.advance(60)
            changed = await call.send("PUT", "/v1/customers/2", data=NAMED)
            assert changed.status == 200
            assert changed.json == before | {"name": "Acme", "updated_at": "2026-01-01T00:01:00.000Z"}
            assert (await call.get("/v1/customers/2")).json == changed.json
            assert (await call.get("/v1/customers")).json[1] == changed.json

    async def test_instances_and_other_customers_are_unchanged(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            others = (await call.get("/v1/customers?per_page=1")).json
            await call.send("PUT", "/v1/customers/2", data=NAMED)
            assert await ids_of(call, "/v1/customers/2/backup_instances") == [4, 5, 6]
            assert (await call.get("/v1/customers?per_page=1")).json == others

    async def test_unknown_parameters_change_nothing(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            form = NAMED | {"customer[email]": "new@acme.example", "customer[id]": "9", "name": "other"}
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
            (NAMED | {"customer[email][]": "a@b"}, 400, {"error": "customer[email] is invalid"}),
            ({"customer": "Acme", "customer[name]": "Acme"}, 400, {"error": "Bad Request"}),
            ({"customer[name]": ""}, 422, {"errors": {"name": ["can't be blank"]}}),
            ({"customer[name]": " "}, 422, {"errors": {"name": ["can't be blank"]}}),
        ],
    )
    async def test_an_invalid_form_is_refused_and_changes_nothing(
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
