"""A sweep continues after the server restarts, and stops if the server stays down; over sockets."""

import asyncio

import pytest

from backupify_async import FanOutAborted, RetryPolicy, TriggerKind
from backupify_async.testing import SimulatedBackupify
from tests.support.clients import client_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("operation", ["get_active", "trigger"])
async def test_a_sweep_loses_nothing_while_the_server_restarts(operation: str) -> None:
    async with SimulatedBackupify(instances=300, latency=0.005, settling=0.5) as server:
        async with client_of(server) as client:
            fleet = client.fleet(server.instance_ids, concurrency=8)
            sweep = asyncio.ensure_future(getattr(fleet, operation)())
            await server.wait_for_requests(60)
            await server.stop()
            while client.statistics().down_since is None:  # noqa: ASYNC110 - the event can be a second late
                await asyncio.sleep(0.01)
            await server.start()
            results = await sweep
            assert client.statistics().down_since is None
        assert results.errors == {}
        assert sorted(results.values) == server.instance_ids
        if operation == "trigger":
            assert {len(started) for started in server.triggers.values()} == {1}
            kinds = {result.kind for result in results.values.values()}
            assert kinds <= {TriggerKind.STARTED, TriggerKind.ADOPTED}


async def test_a_server_that_stays_down_stops_the_fleet_before_all_ids_have_failed() -> None:
    async with SimulatedBackupify(instances=300, latency=0.005) as server:
        async with client_of(server, retry=RetryPolicy(max_outage=0.5)) as client:
            sweep = asyncio.ensure_future(client.fleet(server.instance_ids, concurrency=8).get_active())
            await server.wait_for_requests(60)
            await server.stop()
            with pytest.raises(FanOutAborted, match=r"max_outage=0.5 s is over") as raised:
                await sweep
        assert len(raised.value.errors) <= 8
