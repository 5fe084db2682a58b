"""Closing a client: cancelled, twice, from another loop, and while calls are in flight."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import attrs
import pytest

from backupify_async import BackupifyClient, ClientClosed, ConfigurationError, StaticToken, Token
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.clients import client_of
from tests.support.scripted import settled

NOWHERE = "http://127.0.0.1:1"


class SlowVault:
    """Credentials that never return a token, and whose cancellation ends only when a test lets it."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.can_end = asyncio.Event()

    async def token(self) -> Token:
        """Wait until it is cancelled."""
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.can_end.wait()
        raise AssertionError


@attrs.frozen
class Closing:
    """A client whose `close()` waits for its credentials."""

    client: BackupifyClient
    vault: SlowVault
    call: asyncio.Task[object]

    async def close(self) -> bool:
        """Close the client, and return whether its connections are closed."""
        await self.client.close()
        return is_closed(self.client)


def is_closed(client: BackupifyClient) -> bool:
    """Whether the connections are closed."""
    pool = getattr(client._session._transport, "_session", None)
    assert pool is not None
    return bool(pool.closed)


@contextlib.asynccontextmanager
async def held_open() -> AsyncIterator[Closing]:
    """A client with a call that waits for its token."""
    vault = SlowVault()
    client = await client_of(NOWHERE, credentials=vault).open()
    call: asyncio.Task[object] = asyncio.create_task(client.backups.get(1, 1))
    await vault.asked.wait()
    yield Closing(client, vault, call)
    vault.can_end.set()
    (ended,) = await asyncio.gather(call, return_exceptions=True)
    assert isinstance(ended, ClientClosed)


class TestClose:
    async def test_that_is_cancelled_is_finished_by_the_next(self) -> None:
        async with held_open() as held:
            first = asyncio.create_task(held.close())
            await settled()
            first.cancel()
            await settled()
            second = asyncio.create_task(held.close())
            await settled()
            held.vault.can_end.set()
            await asyncio.gather(first, return_exceptions=True)
            assert await second
            assert first.cancelled()

    async def test_that_was_cancelled_is_finished_by_a_later_one(self) -> None:
        async with held_open() as held:
            first = asyncio.create_task(held.close())
            await settled()
            first.cancel()
            held.vault.can_end.set()
            await asyncio.gather(first, return_exceptions=True)
            assert await held.close()

    async def test_twice_at_once_returns_both_times_when_the_client_is_closed(self) -> None:
        async with held_open() as held:
            both = [asyncio.create_task(held.close()) for _ in range(2)]
            await settled()
            assert not any(closing.done() for closing in both)
            held.vault.can_end.set()
            assert await asyncio.gather(*both) == [True, True]

    async def test_that_is_cancelled_does_not_cancel_another(self) -> None:
        async with held_open() as held:
            first, second = (asyncio.create_task(held.close()) for _ in range(2))
            await settled()
            first.cancel()
            await settled()
            held.vault.can_end.set()
            assert await second
            await asyncio.wait([first])
            assert first.cancelled()

    async def test_from_another_loop_is_refused_and_closes_nothing(self) -> None:
        async with client_of(NOWHERE) as client:
            with pytest.raises(ConfigurationError, match="loop"):
                await asyncio.to_thread(asyncio.run, client.close())
            assert not is_closed(client)
        assert is_closed(client)

    async def test_a_second_time_does_nothing(self) -> None:
        client = await client_of(NOWHERE).open()
        await client.close()
        await client.close()
        assert is_closed(client)


class TestClosingWhileCallsAreInFlight:
    async def test_ends_them_with_client_closed(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang()]) as server:
            client = await client_of(server, credentials=StaticToken(server.issue_token())).open()
            calls = [asyncio.create_task(client.instances.get(key)) for key in (1, 2, 3)]
            await server.wait_for_requests(3)
            await client.close()
            assert all(call.done() for call in calls)
            for call in calls:
                with pytest.raises(ClientClosed):
                    await call

    async def test_ends_calls_that_wait_to_be_sent_too(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang()]) as server:
            token = StaticToken(server.issue_token())
            client = await client_of(server, credentials=token, max_concurrency=1).open()
            calls = [asyncio.create_task(client.instances.get(key)) for key in (1, 2, 3)]
            await server.wait_for_requests(1)
            assert client.statistics().waiting == 2
            await client.close()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(result) for result in results} == {ClientClosed}
            assert (client.statistics().in_flight, client.statistics().waiting) == (0, 0)
            assert len(server.requests) == 1

    async def test_ends_calls_that_wait_for_a_token_too(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang(operation="token")]) as server:
            client = await client_of(server).open()
            call = asyncio.create_task(client.instances.get(1))
            await server.wait_for_requests(1)
            await client.close()
            with pytest.raises(ClientClosed):
                await call

    async def test_ends_fetch_token_too(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang(operation="token")]) as server:
            client = await client_of(server).open()
            call = asyncio.create_task(client.fetch_token())
            await server.wait_for_requests(1)
            await client.close()
            await asyncio.wait([call])
            assert not call.cancelled()
            assert isinstance(call.exception(), ClientClosed)

    async def test_gives_each_key_of_a_fleet_its_outcome(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang()]) as server:
            client = await client_of(server, credentials=StaticToken(server.issue_token())).open()
            sweep = asyncio.ensure_future(client.fleet([1, 2, 3]).get_active())
            await server.wait_for_requests(3)
            await client.close()
            assert {type(error) for error in (await sweep).errors.values()} == {ClientClosed}

    async def test_leaves_no_task_and_no_connection(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang()]) as server:
            before = asyncio.all_tasks()
            client = await client_of(server, credentials=StaticToken(server.issue_token())).open()
            calls = [asyncio.create_task(client.instances.get(key)) for key in range(20)]
            await server.wait_for_requests(20)
            await client.close()
            await asyncio.gather(*calls, return_exceptions=True)
            # The only other tasks are the server's handlers, which end with their connections.
            if others := asyncio.all_tasks() - before:
                await asyncio.wait(others)
            assert asyncio.all_tasks() == before
