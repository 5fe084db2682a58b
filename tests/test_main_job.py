"""The main job: a sweep over 2,000 instances, 64 at once, over a bad network.

The sweep runs once, at the 200 calls a second of the server: about ten seconds. All of its tests check this
run.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest
from blockbuster import blockbuster_ctx

from backupify_async import Outcome, RateLimit, RequestSent, ResponseReceived, RetryPolicy, Statistics
from backupify_async.testing import Fault, RequestRecord, SimulatedBackupify, TokenBucket
from tests.support.clients import client_of
from tests.support.raw_servers import http

pytestmark = pytest.mark.slow
INSTANCES = 2000
FAILED = {None, 429, 503}


@attrs.frozen
class Sweep:
    """The result of a sweep, for the client and for the server."""

    outcomes: list[Outcome[Any, Any]]
    statistics: Statistics
    requests: list[RequestRecord]
    most_in_flight: int


async def _sweep() -> Sweep:
    faults = [
        Fault.lose_response(after_acting=False, method="GET", probability=0.01),
        Fault.lose_response(after_acting=True, method="GET", probability=0.01),
        Fault.answer(503, method="GET", probability=0.02),
    ]
    in_flight = most = 0

    def count(event: object) -> None:
        nonlocal in_flight, most
        in_flight += isinstance(event, RequestSent) - isinstance(event, ResponseReceived)
        most = max(most, in_flight)

    bucket = TokenBucket(200, burst=40)
    limits: Any = {"rate_limit": RateLimit(200, adaptive=False), "retry": RetryPolicy(base=0.1)}
    async with (
        SimulatedBackupify(instances=INSTANCES, faults=faults, rate_limit=bucket) as server,
        client_of(server, on_event=count, **limits) as client,
        client.fleet(server.instance_ids, concurrency=64).get_active() as outcomes,
    ):
        found = [outcome async for outcome in outcomes]
        return Sweep(found, client.statistics(), server.requests, most)


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    with blockbuster_ctx("backupify_async"):
        return asyncio.run(_sweep())


class TestASweepOver2000InstancesOnABadNetwork:
    def test_every_instance_has_one_outcome(self, sweep: Sweep) -> None:
        assert sorted(outcome.key for outcome in sweep.outcomes) == list(range(1, INSTANCES + 1))

    def test_no_outcome_is_an_error(self, sweep: Sweep) -> None:
        assert [outcome.error for outcome in sweep.outcomes if not outcome.ok] == []

    def test_the_network_was_bad(self, sweep: Sweep) -> None:
        assert {request.status for request in sweep.requests} >= {None, 503}

    def test_a_call_is_repeated_only_after_a_failure(self, sweep: Sweep) -> None:
        asked: dict[tuple[str | None, int | None], list[int | None]] = defaultdict(list)
        for request in sweep.requests:
            asked[request.operation, request.instance_id].append(request.status)
        assert [key for key, statuses in asked.items() if not FAILED.issuperset(statuses[:-1])] == []
        assert [key for key, statuses in asked.items() if statuses[-1] in FAILED] == []
        checks = [key for key in asked if key[0] == "get_instance"]
        assert (len(asked), len(checks)) == (INSTANCES + 2, 1)  # one request for an instance, one for a token

    def test_attempts_are_the_requests_that_the_server_received(self, sweep: Sweep) -> None:
        seen: dict[int | None, int] = defaultdict(int)
        for request in sweep.requests:
            seen[request.instance_id] += 1
        assert {outcome.key: outcome.attempts for outcome in sweep.outcomes} == {
            key: count for key, count in seen.items() if key is not None
        }

    def test_statistics_agree_with_the_requests_that_the_server_received(self, sweep: Sweep) -> None:
        failed = [request for request in sweep.requests if request.status in FAILED]
        statistics = sweep.statistics
        busy = [request for request in failed if request.status == 503]
        assert statistics.requests == len(sweep.requests)
        # A 503 counts as retried, or as a refusal where several come at once.
        assert statistics.refused <= len(busy)
        assert len(failed) - len(busy) <= statistics.retried <= len(failed)
        assert statistics.answered_from_memory == INSTANCES - 1
        assert (statistics.in_flight, statistics.waiting) == (0, 0)


class Silent:
    """A server that responds to the first requests only, and counts its connections."""

    def __init__(self, responses: int) -> None:
        self._responses = responses
        self.open = 0
        self.opened = 0
        self.without_response = 0
        self.changed = asyncio.Condition()

    async def until(self, **wanted: int) -> None:
        async with self.changed:
            await self.changed.wait_for(
                lambda: all(getattr(self, name) == value for name, value in wanted.items())
            )

    async def _change(self, **by: int) -> None:
        async with self.changed:
            for name, amount in by.items():
                setattr(self, name, getattr(self, name) + amount)
            self.changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._change(open=1, opened=1)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                if self._responses > 0:
                    self._responses -= 1
                    writer.write(http(200, b'{"id":1}'))
                else:
                    await self._change(without_response=1)
        writer.close()
        await self._change(open=-1)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1")
        host, port = server.sockets[0].getsockname()[:2]
        async with server:
            yield f"http://{host}:{port}"


class TestACancelledSweep:
    async def test_leaves_no_task_no_connection_and_no_slot(self) -> None:
        server = Silent(responses=500)
        async with server.listening() as url, client_of(url) as client:
            sweep = asyncio.ensure_future(client.fleet(range(2000), concurrency=64).get_active())
            await server.until(without_response=64)
            before = asyncio.all_tasks()
            sweep.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sweep
            statistics = client.statistics()
            assert (statistics.in_flight, statistics.waiting, statistics.requests) == (0, 0, 564)
            assert {task.get_name() for task in before - asyncio.all_tasks()} >= {"backupify_async fan-out"}
            assert not [task for task in asyncio.all_tasks() if "fan-out" in task.get_name()]
            await server.until(open=0)  # each connection had a call in flight
        assert server.opened == 64

    async def test_leaves_the_client_usable(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.hang(method="GET"))
        async with client_of(backupify) as client:
            await client.fetch_token()
            sweep = asyncio.ensure_future(client.fleet(range(1, 1000), concurrency=100).get_active())
            await backupify.wait_for_requests(65)
            sweep.cancel()
            await asyncio.wait([sweep])
            backupify.clear_faults()
            results = await client.fleet(backupify.instance_ids).get_active()
        assert (sweep.cancelled(), len(results.values)) == (True, 50)

    async def test_closes_its_pool_with_the_client(self) -> None:
        server = Silent(responses=10_000)
        async with server.listening() as url:
            async with client_of(url) as client:
                await client.fleet(range(100), concurrency=8).get_active()
                assert 0 < server.open <= 8
            await server.until(open=0)
