"""The instance ids of a fleet: duplicates, invalid ids, and iterators."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from backupify_async import DuplicateInstance, TriggerKind
from backupify_async.testing import SimulatedBackupify
from tests.support.clients import asked, client_of


async def asynchronously(ids: Iterable[Any]) -> AsyncIterator[Any]:
    for instance_id in ids:
        yield instance_id


class TestIds:
    async def test_that_are_duplicates_are_called_twice(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client, client.fleet([1, "1", 1]).latest() as outcomes:
            keys = [outcome.key async for outcome in outcomes]
        assert (sorted(map(str, keys)), len(keys)) == (["1", "1", "1"], 3)

    async def test_that_are_duplicates_are_triggered_once(self, backupify: SimulatedBackupify) -> None:
        async with (
            client_of(backupify) as client,
            client.fleet([42, "42", 7, 42]).trigger(ordered=True) as outcomes,
        ):
            found = [(outcome.key, outcome.error, outcome.attempts) async for outcome in outcomes]
        assert [(key, type(error), sent) for key, error, sent in found] == [
            (42, type(None), 1),
            ("42", DuplicateInstance, 0),
            (7, type(None), 1),
            (42, DuplicateInstance, 0),
        ]
        assert "instance 42 is in this sweep twice" in str(found[1][1])
        assert len(asked(backupify, "trigger")) == 2

    async def test_that_differ_in_leading_zeros_are_one_instance(self) -> None:
        async with (
            SimulatedBackupify(instances=42, backup_duration=1e-6) as server,
            client_of(server) as client,
        ):
            ids: list[int | str] = ["042", 42, "0042", 7, "-7", "+7"]
            async with client.fleet(ids, concurrency=1).trigger(ordered=True) as outcomes:
                errors = {outcome.key: type(outcome.error) async for outcome in outcomes}
            first = server.requests[1]  # after the token request
        assert {key for key, error in errors.items() if error is DuplicateInstance} == {42, "0042"}
        assert errors["042"] is errors[7] is type(None)
        assert first.path == "/v1/backup_instances/042/backups"
        assert {one: len(begun) for one, begun in server.triggers.items()} == {42: 1, 7: 1}

    async def test_can_be_triggered_again_by_the_next_sweep(self) -> None:
        async with SimulatedBackupify() as server, client_of(server) as client:
            fleet = client.fleet([1])
            assert (await fleet.trigger()).values[1].kind is TriggerKind.STARTED
            assert (await fleet.trigger()).values[1].kind is TriggerKind.ALREADY_ACTIVE

    @pytest.mark.parametrize("operation", ["list", "latest", "get_active", "trigger"])
    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            (1.5, TypeError),
            (None, TypeError),
            (True, TypeError),
            (b"7", TypeError),
            ("..", ValueError),
            ("", ValueError),
            ("a\nb", ValueError),
        ],
        ids=repr,
    )
    async def test_that_are_invalid_have_an_error_as_their_outcome_and_are_not_sent(
        self, backupify: SimulatedBackupify, operation: str, bad: Any, error: type[Exception]
    ) -> None:
        async with client_of(backupify) as client:
            results = await getattr(client.fleet([bad, 7]), operation)()
        assert list(results.values) == [7]
        assert type(results.errors[bad]) is error
        assert "backup_instance_id" in str(results.errors[bad])
        assert {request.instance_id for request in asked(backupify)} == {7}

    @pytest.mark.parametrize("ids", ["123", b"123", 42, None], ids=repr)
    async def test_are_an_iterable_other_than_text(self, backupify: SimulatedBackupify, ids: Any) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(TypeError, match="ids"):
                client.fleet(ids)

    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, float("nan")], ids=repr)
    async def test_with_a_concurrency_out_of_range_are_refused(
        self, backupify: SimulatedBackupify, concurrency: Any
    ) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(ValueError, match="concurrency"):
                client.fleet([1], concurrency=concurrency)


class TestIdsOfAFleet:
    @pytest.mark.parametrize("ids", [iter([1, 2]), (number for number in (1, 2)), asynchronously([1, 2])])
    async def test_from_an_iterator_serve_one_operation_and_refuse_a_second(
        self, backupify: SimulatedBackupify, ids: Any
    ) -> None:
        async with client_of(backupify) as client:
            fleet = client.fleet(ids)
            assert set((await fleet.get_active()).values) == {1, 2}
            with pytest.raises(RuntimeError, match="only once"):
                fleet.trigger()

    async def test_from_a_collection_serve_any_number_of_operations(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            fleet = client.fleet({1, 2})
            assert set((await fleet.get_active()).values) == set((await fleet.latest()).values) == {1, 2}

    async def test_from_an_async_iterable_that_restarts_serve_any_number_of_operations(
        self, backupify: SimulatedBackupify
    ) -> None:
        class Restartable:
            def __aiter__(self) -> AsyncIterator[int]:
                return asynchronously([1, 2])

        async with client_of(backupify) as client:
            fleet = client.fleet(Restartable())
            assert set((await fleet.get_active()).values) == set((await fleet.latest()).values) == {1, 2}

    async def test_are_not_used_up_by_a_refused_argument(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            fleet = client.fleet(iter([1, 2]))
            with pytest.raises(ValueError, match="max_failures"):
                fleet.get_active(max_failures=-1)
            assert set((await fleet.get_active()).values) == {1, 2}
