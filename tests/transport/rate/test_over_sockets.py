"""The whole client over a real socket, with a limit that it must find."""

import pytest

from backupify_async import RetryPolicy
from backupify_async.statistics import LimitSource
from backupify_async.testing import SimulatedBackupify, TokenBucket
from tests.support.clients import client_of
from tests.support.rate_simulation import LEARNING

pytestmark = pytest.mark.slow


async def test_a_fleet_finds_the_limit_and_gets_every_outcome() -> None:
    async with (
        SimulatedBackupify(instances=400, rate_limit=TokenBucket(200, burst=20)) as server,
        client_of(server, rate_limit=LEARNING, retry=RetryPolicy()) as client,
        client.fleet(server.instance_ids).get_active() as outcomes,
    ):
        found = [outcome async for outcome in outcomes]
        assert sorted(outcome.key for outcome in found) == list(range(1, 401))
        assert [outcome.error for outcome in found if not outcome.ok] == []
        assert client.statistics().limit_source in (LimitSource.HISTORY, LimitSource.WINDOW)
