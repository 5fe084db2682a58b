"""Backup instances, and those that the client is forbidden to use."""

import pytest

from backupify_async.testing import SimulatedBackupify
from tests.support.caller import calling


class TestInstances:
    async def test_the_list_is_paged_with_totals(self) -> None:
        async with SimulatedBackupify(instances=45) as server, calling(server) as call:
            received = await call.get("/v1/backup_instances?page=3")
            assert [each["id"] for each in received.json] == [41, 42, 43, 44, 45]
            assert (received.headers["Total"], received.headers["Per-Page"]) == ("45", "20")

    async def test_the_list_can_be_that_of_one_definition(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            received = await call.get("/v1/backup_instances?backup_definition_id=2")
            assert [each["id"] for each in received.json] == [2, 5]

    async def test_the_list_of_an_unknown_definition_is_empty(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            assert (await call.get("/v1/backup_instances?backup_definition_id=9")).json == []

    async def test_a_definition_that_is_not_a_number_is_a_bad_request(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get("/v1/backup_instances?backup_definition_id=x")).status == 400

    async def test_the_list_can_be_that_of_one_customer(self) -> None:
        async with SimulatedBackupify(instances=6) as server, calling(server) as call:
            received = await call.get("/v1/customers/2/backup_instances")
            assert [each["id"] for each in received.json] == [4, 5, 6]

    @pytest.mark.parametrize("customer", ["99", "x"])
    async def test_a_customer_that_does_not_exist_is_404(self, customer: str) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get(f"/v1/customers/{customer}/backup_instances")).status == 404

    async def test_an_instance_is_found_by_its_id(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            instance = (await call.get("/v1/backup_instances/5")).json
            assert (instance["id"], instance["customer_id"], instance["backup_definition_id"]) == (5, 2, 2)

    @pytest.mark.parametrize("instance", ["0", "51", "x", "4%2F2", "-1"])
    async def test_an_instance_that_does_not_exist_is_404(self, instance: str) -> None:
        async with SimulatedBackupify(instances=50) as server, calling(server) as call:
            received = await call.get(f"/v1/backup_instances/{instance}/backups")
            assert (received.status, received.json) == (404, {"error": "Backup instance not found"})

    async def test_an_added_instance_is_in_the_list(self) -> None:
        async with SimulatedBackupify(instances=2) as server, calling(server) as call:
            added = server.add_instance(backups=3)
            assert server.instance_ids == [1, 2, added]
            assert len((await call.get(f"/v1/backup_instances/{added}/backups")).json) == 3


class TestAForbiddenInstance:
    @pytest.mark.parametrize("path", ["", "/backups", "/backups/active", "/backups/1"])
    async def test_each_of_its_paths_is_403(self, path: str) -> None:
        async with SimulatedBackupify(forbidden=[7]) as server, calling(server) as call:
            assert (await call.get(f"/v1/backup_instances/7{path}")).status == 403

    async def test_it_cannot_be_triggered(self) -> None:
        async with SimulatedBackupify(forbidden=[7]) as server, calling(server) as call:
            assert (await call.post("/v1/backup_instances/7/backups")).status == 403
            assert server.triggers[7] == []
