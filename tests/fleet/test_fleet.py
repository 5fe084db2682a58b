"""The operations on backups over many instances, over a socket."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest

from backupify_async import (
    AmbiguousTrigger,
    AuthenticationError,
    ClientCredentials,
    DuplicateInstance,
    FanOutAborted,
    NotFound,
    RateLimited,
    ServerError,
    TriggerKind,
)
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.clients import asked, client_of


async def asynchronously(ids: Iterable[Any]) -> AsyncIterator[Any]:
    for instance_id in ids:
        yield instance_id


class TestOperations:
    async def test_list_gives_the_backups_of_each(self, backupify: SimulatedBackupify) -> None:
        ids = [backupify.add_instance(backups=count) for count in (0, 1, 25)]
        async with client_of(backupify) as client:
            results = await client.fleet(ids).list()
        assert [len(results.values[instance_id]) for instance_id in ids] == [0, 1, 25]

    async def test_list_with_a_limit_requests_no_page_too_many(self, backupify: SimulatedBackupify) -> None:
        ids = [backupify.add_instance(backups=45) for _ in range(2)]
        async with client_of(backupify) as client:
            results = await client.fleet(ids).list(limit=20)
        assert [len(found) for found in results.values.values()] == [20, 20]
        assert len(asked(backupify)) == 2

    async def test_latest_gives_the_newest_of_each_or_none(self, backupify: SimulatedBackupify) -> None:
        ids = [backupify.add_instance(backups=count) for count in (0, 45)]
        async with client_of(backupify) as client:
            newest = (await client.fleet(ids).latest()).values
            assert newest[ids[0]] is None
            assert newest[ids[1]] == (await client.backups.list(ids[1]).collect())[-1]

    async def test_get_active_gives_the_running_backup_or_none(self, backupify: SimulatedBackupify) -> None:
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

    async def test_newest_gives_the_last_of_each_the_newest_first(self) -> None:
        async with SimulatedBackupify(instances=3, backups=25) as server, client_of(server) as client:
            every = (await client.fleet([1, 2]).list()).values
            newest = (await client.fleet([1, 2]).newest(7)).values
        assert newest == {instance_id: found[:-8:-1] for instance_id, found in every.items()}

    @pytest.mark.parametrize("count", [-1, 1.5, True, "5"])
    async def test_newest_names_a_count_that_is_out_of_range(self, count: Any) -> None:
        async with client_of("http://127.0.0.1") as client:
            with pytest.raises(ValueError, match="count"):
                client.fleet([1]).newest(count)

    async def test_trigger_starts_one_of_each(self, backupify: SimulatedBackupify) -> None:
        backupify.start_backup(3)
        async with client_of(backupify) as client:
            results = await client.fleet(range(1, 11)).trigger()
        kinds = {instance_id: result.kind for instance_id, result in results.values.items()}
        assert kinds.pop(3) is TriggerKind.ALREADY_ACTIVE
        assert set(kinds.values()) == {TriggerKind.STARTED}
        assert {instance_id: len(started) for instance_id, started in backupify.triggers.items()} == (
            dict.fromkeys(kinds, 1)
        )

    async def test_outcomes_keep_the_order_of_the_ids_where_asked_to(
        self, backupify: SimulatedBackupify
    ) -> None:
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


class TestIds:
    async def test_that_come_twice_are_called_twice(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client, client.fleet([1, "1", 1]).latest() as outcomes:
            keys = [outcome.key async for outcome in outcomes]
        assert (sorted(map(str, keys)), len(keys)) == (["1", "1", "1"], 3)

    async def test_that_come_twice_are_triggered_once_and_the_second_is_not_sent(
        self, backupify: SimulatedBackupify
    ) -> None:
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

    async def test_of_digits_are_one_instance_whatever_their_leading_zeros(self) -> None:
        async with (
            SimulatedBackupify(instances=42, backup_duration=1e-6) as server,
            client_of(server) as client,
        ):
            ids: list[int | str] = ["042", 42, "0042", 7, "-7", "+7"]
            async with client.fleet(ids, concurrency=1).trigger(ordered=True) as outcomes:
                errors = {outcome.key: type(outcome.error) async for outcome in outcomes}
            first = server.requests[1]  # after the one for the token
        assert {key for key, error in errors.items() if error is DuplicateInstance} == {42, "0042"}
        assert errors["042"] is errors[7] is type(None)
        assert first.path == "/v1/backup_instances/042/backups"
        assert {one: len(begun) for one, begun in server.triggers.items()} == {42: 1, 7: 1}

    async def test_are_remembered_for_one_sweep_only(self) -> None:
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
    async def test_that_are_invalid_have_the_error_as_their_outcome_and_are_not_sent(
        self, backupify: SimulatedBackupify, operation: str, bad: Any, error: type[Exception]
    ) -> None:
        async with client_of(backupify) as client:
            results = await getattr(client.fleet([bad, 7]), operation)()
        assert list(results.values) == [7]
        assert type(results.errors[bad]) is error
        assert "backup_instance_id" in str(results.errors[bad])
        assert {request.instance_id for request in asked(backupify)} == {7}

    @pytest.mark.parametrize("ids", ["123", b"123", 42, None], ids=repr)
    async def test_are_an_iterable_and_no_text(self, backupify: SimulatedBackupify, ids: Any) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(TypeError, match="ids"):
                client.fleet(ids)

    @pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, float("nan")], ids=repr)
    async def test_in_flight_at_once_are_a_number_within_range(
        self, backupify: SimulatedBackupify, concurrency: Any
    ) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(ValueError, match="concurrency"):
                client.fleet([1], concurrency=concurrency)


class TestIdsThatCanBeReadOnce:
    @pytest.mark.parametrize("ids", [iter([1, 2]), (number for number in (1, 2)), asynchronously([1, 2])])
    async def test_serve_one_operation_and_refuse_a_second(
        self, backupify: SimulatedBackupify, ids: Any
    ) -> None:
        async with client_of(backupify) as client:
            fleet = client.fleet(ids)
            assert set((await fleet.get_active()).values) == {1, 2}
            with pytest.raises(RuntimeError, match="only once"):
                fleet.trigger()

    async def test_others_serve_many(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            fleet = client.fleet({1, 2})
            assert set((await fleet.get_active()).values) == set((await fleet.latest()).values) == {1, 2}

    async def test_an_async_iterable_that_begins_anew_serves_many(
        self, backupify: SimulatedBackupify
    ) -> None:
        class Anew:
            def __aiter__(self) -> AsyncIterator[int]:
                return asynchronously([1, 2])

        async with client_of(backupify) as client:
            fleet = client.fleet(Anew())
            assert set((await fleet.get_active()).values) == set((await fleet.latest()).values) == {1, 2}

    async def test_are_not_used_up_by_an_argument_that_is_refused(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            fleet = client.fleet(iter([1, 2]))
            with pytest.raises(ValueError, match="max_failures"):
                fleet.get_active(max_failures=-1)
            assert set((await fleet.get_active()).values) == {1, 2}


class TestFailures:
    async def test_are_the_outcome_of_their_own_id(self, backupify: SimulatedBackupify) -> None:
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
    async def test_beyond_the_accepted_number_stop_the_sweep(
        self, backupify: SimulatedBackupify, operation: str
    ) -> None:
        async with client_of(backupify) as client:
            missing = client.fleet(range(1000, 2000), concurrency=1)
            with pytest.raises(FanOutAborted) as raised:
                await getattr(missing, operation)(max_failures=2)
        assert {type(error) for error in raised.value.errors.values()} == {NotFound}
        assert len(raised.value.errors) == 3

    async def test_of_the_credentials_cost_one_token_request(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify, credentials=ClientCredentials("demo", "wrong")) as client:
            results = await client.fleet(range(100)).get_active()
        assert {type(error) for error in results.errors.values()} == {AuthenticationError}
        assert (len(results.errors), len(backupify.requests)) == (100, 1)

    async def test_that_are_bugs_of_the_caller_are_raised_at_once(
        self, backupify: SimulatedBackupify
    ) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(ValueError, match="limit"):
                client.fleet([1, 2]).list(limit=-1)


class TestARetryAfterThatIsTooLong:
    @pytest.mark.parametrize("operation", ["list", "latest", "get_active", "trigger"])
    async def test_of_a_429_stops_the_fleet(self, operation: str) -> None:
        closed = Fault.answer(429, retry_after=500, instance=5)
        async with SimulatedBackupify(faults=[closed]) as server, client_of(server) as client:
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

    async def test_of_the_token_endpoints_429_stops_the_fleet_too(self) -> None:
        closed = Fault.answer(429, retry_after=500, operation="token")
        async with SimulatedBackupify(faults=[closed]) as server, client_of(server) as client:
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
    async def test_above_that_of_the_client_waits(self) -> None:
        at_once = 0
        most = 0

        def count(event: object) -> None:
            nonlocal most, at_once
            at_once += {"RequestSent": 1, "ResponseReceived": -1}.get(type(event).__name__, 0)
            most = max(most, at_once)

        async with (
            SimulatedBackupify(latency=0.002) as server,
            client_of(server, max_concurrency=4, on_event=count) as client,
        ):
            await client.fetch_token()
            results = await client.fleet(server.instance_ids, concurrency=50).latest()
        assert (len(results.values), most) == (50, 4)
