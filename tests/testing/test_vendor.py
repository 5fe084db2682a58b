"""The vendor and its backup definitions."""

import pytest

from backupify_async.testing import SimulatedBackupify
from tests.support.caller import calling
from tests.testing.account import ids_of


class TestVendor:
    async def test_me_is_the_vendor_of_all_definitions(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            vendor = (await call.get("/v1/vendors/me")).json
            listed = (await call.get("/v1/backup_definitions")).json
            assert {each["vendor_id"] for each in listed} == {vendor["id"]}

    async def test_another_vendor_has_no_path(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get("/v1/vendors/900")
            assert (received.status, received.json) == (404, {"error": "Not Found"})


class TestDefinitions:
    async def test_the_list_has_the_definitions_that_the_instances_name(self) -> None:
        async with SimulatedBackupify(instances=7) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances")).json
            named = {each["backup_definition_id"] for each in instances}
            assert set(await ids_of(call, "/v1/backup_definitions")) == named

    async def test_each_definition_filters_the_instances_that_name_it(self) -> None:
        async with SimulatedBackupify(instances=7) as server, calling(server) as call:
            instances = (await call.get("/v1/backup_instances")).json
            for definition in await ids_of(call, "/v1/backup_definitions"):
                assert await ids_of(call, f"/v1/backup_instances?backup_definition_id={definition}") == [
                    each["id"] for each in instances if each["backup_definition_id"] == definition
                ]

    async def test_the_list_is_paged_by_links_that_repeat_the_query(self) -> None:
        async with SimulatedBackupify(per_page=2) as server, calling(server) as call:
            vendor = (await call.get("/v1/vendors/me")).json["id"]
            path = f"/v1/backup_definitions?vendor_id={vendor}"
            url = f"{server.base_url}/v1/backup_definitions?page=2&vendor_id={vendor}"
            received = await call.get(path)
            assert received.headers["Link"] == f'<{url}>; rel="last", <{url}>; rel="next"'
            assert await ids_of(call, path) == [1, 2, 3]

    async def test_another_vendor_has_no_definitions(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert (await call.get("/v1/backup_definitions?vendor_id=1")).json == []

    async def test_a_vendor_that_is_not_a_number_is_a_bad_request(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get("/v1/backup_definitions?vendor_id=x")
            assert (received.status, received.json) == (400, {"error": "vendor_id is invalid"})

    async def test_a_definition_by_its_id_equals_that_in_the_list(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            listed = (await call.get("/v1/backup_definitions")).json
            assert (await call.get("/v1/backup_definitions/2")).json == listed[1]

    @pytest.mark.parametrize("definition", ["0", "4", "x"])
    async def test_a_definition_that_does_not_exist_is_404(self, definition: str) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            received = await call.get(f"/v1/backup_definitions/{definition}")
            assert (received.status, received.json) == (404, {"error": "Backup definition not found"})
