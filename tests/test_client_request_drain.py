"""A trigger by `client.request(..., unsafe=True)`, and the drain of its client."""

import asyncio

import pytest

from backupify_async import BackupifyClient, ClientDraining
from tests.support.fake_transport import FakeTransport, client_over, respond

pytestmark = pytest.mark.looptime

PATHS = ["/v1/backup_instances/42/backups", "/V1//backup_instances/42/%62ackups.json"]


def posts(transport: FakeTransport) -> int:
    return [request.method for _, request in transport.sent].count("POST")


async def trigger(client: BackupifyClient, path: str = PATHS[0]) -> int:
    return (await client.request("POST", path, unsafe=True)).status


def started(round_trip: float = 0.0) -> tuple[BackupifyClient, FakeTransport]:
    client, transport = client_over(lambda request: respond(request, 201, {"id": 1}))
    transport.round_trip = round_trip
    return client, transport


@pytest.mark.parametrize("path", PATHS)
async def test_after_the_drain_no_trigger_is_sent(path: str) -> None:
    client, transport = started()
    async with client:
        await client.drain()
        with pytest.raises(ClientDraining, match="no backup of instance 42 was triggered"):
            await trigger(client, path)
    assert posts(transport) == 0


async def test_after_the_drain_no_trigger_is_sent_with_other_options() -> None:
    client, transport = started()
    async with client:
        other = client.with_options(background=True)
        await client.drain()
        with pytest.raises(ClientDraining):
            await trigger(other)
    assert posts(transport) == 0


async def test_the_drain_waits_for_a_trigger_in_flight() -> None:
    client, _ = started(round_trip=10)
    async with client:
        task = asyncio.create_task(trigger(client))
        await asyncio.sleep(1)
        assert await client.drain() == 0
        assert task.done()
        assert await task == 201


async def test_the_drain_ends_a_trigger_that_waits_to_be_sent() -> None:
    client, transport = started(round_trip=10)
    async with client:
        first = [asyncio.create_task(client.request("GET", "/v1/ping")) for _ in range(64)]
        await asyncio.sleep(1)
        task = asyncio.create_task(trigger(client))
        await asyncio.sleep(1)
        assert await client.drain() == 0
        with pytest.raises(ClientDraining):
            await task
        await asyncio.wait(first)
    assert posts(transport) == 0


async def test_the_drain_waits_for_a_repeatable_trigger_that_failed_and_is_sent_again() -> None:
    statuses = iter([503, 201])
    client, transport = client_over(
        lambda request: respond(request, next(statuses), b"", {"Retry-After": "20"})
    )
    async with client:
        task = asyncio.create_task(client.request("POST", PATHS[0], unsafe=True, repeatable=True))
        await asyncio.sleep(1)
        assert await client.drain() == 0
        assert (await task).status == 201
    assert posts(transport) == 2


async def test_the_drain_ends_a_trigger_that_was_refused_and_would_be_sent_again() -> None:
    client, transport = client_over(lambda request: respond(request, 429, b"", {"Retry-After": "20"}))
    async with client:
        task = asyncio.create_task(trigger(client))
        await asyncio.sleep(1)
        assert await client.drain() == 0
        with pytest.raises(ClientDraining, match="no backup of instance 42 was triggered"):
            await task
    assert posts(transport) == 1


async def test_after_the_drain_other_requests_are_sent() -> None:
    client, _ = started()
    async with client:
        await client.drain()
        assert (await client.request("POST", "/v1/customers", unsafe=True)).status == 201
