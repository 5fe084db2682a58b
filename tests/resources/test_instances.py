"""The instances of the account and of a customer, over sockets."""

from typing import Any

import pytest

from backupify_async import BackupInstance, NotFound
from backupify_async.testing import SimulatedBackupify
from tests.support.clients import asked, client_of


def ids(instances: list[BackupInstance]) -> list[int | str]:
    return [instance.id for instance in instances]


class TestInstances:
    async def test_all_instances_are_listed_over_pages(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            assert ids(await client.instances.list().collect()) == backupify.instance_ids
        assert [request.query for request in asked(backupify)] == [{}, {"page": "2"}, {"page": "3"}]

    async def test_the_definition_is_in_the_request_for_each_page(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            found = await client.instances.list(2, per_page=10).collect()
        assert ids(found) == list(range(2, 51, 3))
        assert {request.query["backup_definition_id"] for request in asked(backupify)} == {"2"}

    async def test_an_instance_has_its_fields(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            instance = await client.instances.get(5)
        assert (instance.id, instance.customer_id, instance.backup_definition_id) == (5, 2, 2)
        assert (instance.backup_frequency, dict(instance.extra)) == ("daily", {})

    async def test_a_missing_instance_is_an_error(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(NotFound):
                await client.instances.get(999)

    @pytest.mark.parametrize("definition", [1.5, True, "", ".."])
    async def test_an_invalid_definition_is_refused(
        self, backupify: SimulatedBackupify, definition: Any
    ) -> None:
        async with client_of(backupify) as client:
            with pytest.raises((TypeError, ValueError), match="backup_definition_id"):
                client.instances.list(definition)

    async def test_a_definition_with_reserved_characters_is_one_value_of_the_query(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(Exception, match="400"):
                await client.instances.list("a&b=c+d é/").collect()
        assert asked(backupify)[0].query == {"backup_definition_id": "a&b=c+d é/"}


class TestCustomers:
    async def test_the_instances_of_a_customer_are_listed(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            instances = await client.customers.instances(2, per_page=2).collect()
        assert ids(instances) == [4, 5, 6]
        assert {instance.customer_id for instance in instances} == {2}

    async def test_a_missing_customer_is_an_error(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(NotFound):
                await client.customers.instances(999).collect()
