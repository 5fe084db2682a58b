"""The operations of a fleet, their failures and its concurrency, over sockets."""

from typing import Any

import pytest

from backupify_async import (
    AmbiguousTrigger,
    AuthenticationError,
    ClientCredentials,
    FanOutAborted,
    NotFound,
    RateLimited,
    ServerError,
    TriggerKind,
)
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.clients import asked, client_of


class TestOperations:
    async def test_list_gives_the_backups_of_each_instance(self, backupify: SimulatedBackupify) -> None:
        ids = [backupify.add_instance(backups=count) for count in (0, 1, 25)]
        async with client_of(backupify) as client:
            results = await client.fleet(ids).list()
        assert [len(results.values[instance_id]) for instance_id in ids] == [0, 1, 25]

    async def test_list_with_a_limit_requests_only_the_pages_it_needs(
        self, backupify: SimulatedBackupify
    ) -> None:
        ids = [backupify.add_instance(backups=45) for _ in range(2)]
        async with client_of(backupify) as client:
            results = await client.fleet(ids).list(limit=20)
        assert [len(found) for found in results.values.values()] == [20, 20]
        assert len(asked(backupify)) == 2

    async def test_latest_gives_the_newest_backup_of_each_instance_or_none(
        self, backupify: SimulatedBackupify
    ) -> None:
        ids = [backupify.add_instance(backups=count) for count in (0, 45)]
        async with client_of(backupify) as client:
            newest = (await client.fleet(ids).latest()).values
            assert newest[ids[0]] is None
            assert newest[ids[1]] == (await client.backups.list(ids[1]).collect())[-1]

    async def test_get_active_gives_the_active_backup_or_none(self, backupify: SimulatedBackupify) -> None:
        running = backupify.start_backup(2)
        async with client_of(backupify) as client:
            active = (await client.fleet([1, 2]).get_active()).values
        assert active[1] is None
        assert active[2] is not None
        assert active[2].id == running.id

    async def test_get_active_can_assume_that_all_instances_exist(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            results = await client.fleet([1, 999]).get_active(assume_exists=True)
        assert (results.values, len(asked(backupify))) == ({1: None, 999: None}, 2)

    async def test_newest_gives_the_last_backups_of_each_instance_in_reverse(self) -> None:
        async with SimulatedBackupify(instances=3, backups=25) as server, client_of(server) as client:
            every = (await client.fleet([1, 2]).list()).values
            newest = (await client.fleet([1, 2]).newest(7)).values
        assert newest == {instance_id: found[:-8:-1] for instance_id, found in every.items()}

    @pytest.mark.parametrize("count", [-1, 1.5, True, "5"])
    async def test_newest_refuses_a_count_that_is_out_of_range(self, count: Any) -> None:
        async with client_of("http://127.0.0.1") as client:
            with pytest.raises(ValueError, match="count"):
                client.fleet([1]).newest(count)

    async def test_trigger_starts_one_backup_of_each_instance(self, backupify: SimulatedBackupify) -> None:
        backupify.start_backup(3)
        async with client_of(backupify) as client:
            results = await client.fleet(range(1, 11)).trigger()
        kinds = {instance_id: result.kind for instance_id, result in results.values.items()}
        assert kinds.pop(3) is TriggerKind.ALREADY_ACTIVE
        assert set(kinds.values()) == {TriggerKind.STARTED}
        assert {instance_id: len(started) for instance_id, started in backupify.triggers.items()} == (
            dict.fromkeys(kinds, 1)
        )

    async def test_outcomes_keep_the_order_of_the_ids_if_ordered(self, backupify: SimulatedBackupify) -> None:
        ids = list(range(50, 0, -1))
        async with client_of(backupify) as client:
            for begin in (client.fleet(ids).list, client.fleet(ids).latest, client.fleet(ids).get_active):
                async with begin(ordered=True) as outcomes:
                    assert [outcome.key async for outcome in outcomes] == ids

    async def test_attempts_count_pages_and_retries(self, backupify: SimulatedBackupify) -> None:
        instance_id = backupify.add_instance(backups=45)
        backupify.inject(Fault.answer(500, operation="list_backups", instance=instance_id, first=2))
        async with client_of(backupify) as client, client.fleet([instance_id, 999]).list() as outcomes:
            attempts = {outcome.key: outcome.attempts async for outcome in outcomes}
        assert attempts == {instance_id: 5, 999: 1}


class TestFailures:
    async def test_are_the_outcomes_of_their_ids(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.answer(400, instance=2), Fault.lose_response(after_acting=True, instance=3))
        async with client_of(backupify) as client:
            results = await client.fleet([1, 2, 3, 999]).trigger()
        assert [type(results.errors[key]).__name__ for key in (2, 3, 999)] == [
            "BadRequest",
            "AmbiguousTrigger",
            "NotFound",
        ]
        assert isinstance(results.errors[3], AmbiguousTrigger)
        assert list(results.values) == [1]

    @pytest.mark.parametrize("operation", ["list", "latest", "get_active", "trigger"])
    async def test_beyond_max_failures_stop_the_sweep(
        self, backupify: SimulatedBackupify, operation: str
    ) -> None:
        async with client_of(backupify) as client:
            missing = client.fleet(range(1000, 2000), concurrency=1)
            with pytest.raises(FanOutAborted) as raised:
                await getattr(missing, operation)(max_failures=2)
        assert {type(error) for error in raised.value.errors.values()} == {NotFound}
        assert len(raised.value.errors) == 3

    async def test_of_the_credentials_take_one_token_request(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify, credentials=ClientCredentials("demo", "wrong")) as client:
            results = await client.fleet(range(100)).get_active()
        assert {type(error) for error in results.errors.values()} == {AuthenticationError}
        assert (len(results.errors), len(backupify.requests)) == (100, 1)

    async def test_by_invalid_arguments_are_raised_at_once(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(ValueError, match="limit"):
                client.fleet([1, 2]).list(limit=-1)


class TestARetryAfterThatIsTooLong:
    @pytest.mark.parametrize("operation", ["list", "latest", "get_active", "trigger"])
    async def test_of_a_429_stops_the_fleet(self, operation: str) -> None:
        refused = Fault.answer(429, retry_after=500, instance=5)
        async with SimulatedBackupify(faults=[refused]) as server, client_of(server) as client:
            with pytest.raises(FanOutAborted, match="max_retry_after=120") as raised:
                await getattr(client.fleet(server.instance_ids, concurrency=1), operation)()
            assert list(raised.value.values) == [1, 2, 3, 4]
            assert type(raised.value.errors[5]) is RateLimited
            assert not [request for request in asked(server) if request.instance_id not in range(1, 6)]

    async def test_of_a_429_stops_all_fleets_of_the_client(self) -> None:
        async with SimulatedBackupify() as server, client_of(server) as client:
            await client.fetch_token()
            server.inject(Fault.answer(429, retry_after=500))
            with pytest.raises(RateLimited):
                await client.instances.get(1)
            sent = len(server.requests)
            with pytest.raises(FanOutAborted, match="not sent"):
                await client.fleet(server.instance_ids).get_active()
            assert len(server.requests) == sent

    async def test_of_a_429_for_a_token_stops_the_fleet_too(self) -> None:
        refused = Fault.answer(429, retry_after=500, operation="token")
        async with SimulatedBackupify(faults=[refused]) as server, client_of(server) as client:
            with pytest.raises(FanOutAborted, match="max_retry_after=120"):
                await client.fleet(server.instance_ids, concurrency=1).get_active()
            assert len(server.requests) == 1

    async def test_of_a_503_fails_that_call_only(self) -> None:
        busy = Fault.answer(503, retry_after=500, instance=5)
        async with SimulatedBackupify(faults=[busy]) as server, client_of(server) as client:
            results = await client.fleet(server.instance_ids).get_active()
        assert (list(results.errors), type(results.errors[5])) == ([5], ServerError)
        assert len(results.values) == 49


class TestConcurrency:
    async def test_above_that_of_the_client_has_no_effect(self) -> None:
        in_flight = 0
        most = 0

        def count(event: object) -> None:
            nonlocal most, in_flight
            in_flight += {"RequestSent": 1, "ResponseReceived": -1}.get(type(event).__name__, 0)
            most = max(most, in_flight)

        async with (
            SimulatedBackupify(latency=0.002) as server,
            client_of(server, max_concurrency=4, on_event=count) as client,
        ):
            await client.fetch_token()
            results = await client.fleet(server.instance_ids, concurrency=50).latest()
        assert (len(results.values), most) == (50, 4)
