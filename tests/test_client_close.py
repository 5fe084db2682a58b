"""Closing: cancelled, twice, from elsewhere."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import attrs
import pytest

from backupify_async import BackupifyClient, ClientClosed, ConfigurationError, Token
from tests.support.clients import client_of
from tests.support.scripted import settled

NOWHERE = "http://127.0.0.1:1"


class Reluctant:
    """A vault that never answers, and takes its time to be cancelled."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may_end = asyncio.Event()

    async def token(self) -> Token:
        """Never."""
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            await self.may_end.wait()
        raise AssertionError


@attrs.frozen
class Closing:
    """A client whose close() cannot end before the vault lets it."""

    client: BackupifyClient
    vault: Reluctant
    call: asyncio.Task[object]

    async def close(self) -> bool:
        """Close the client; returns whether its connections are closed by then."""
        await self.client.close()
        return is_closed(self.client)


def is_closed(client: BackupifyClient) -> bool:
    """Whether the pool of connections is closed."""
    pool = getattr(client._session._transport, "_session", None)
    assert pool is not None
    return bool(pool.closed)


@contextlib.asynccontextmanager
async def held_open() -> AsyncIterator[Closing]:
    """A client with a call that waits for its token."""
    vault = Reluctant()
    client = await client_of(NOWHERE, credentials=vault).open()
    call: asyncio.Task[object] = asyncio.create_task(client.backups.get(1, 1))
    await vault.asked.wait()
    yield Closing(client, vault, call)
    vault.may_end.set()
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
            held.vault.may_end.set()
            await asyncio.gather(first, return_exceptions=True)
            assert await second
            assert first.cancelled()

    async def test_that_is_cancelled_is_finished_by_one_that_comes_late(self) -> None:
        async with held_open() as held:
            first = asyncio.create_task(held.close())
            await settled()
            first.cancel()
            held.vault.may_end.set()
            await asyncio.gather(first, return_exceptions=True)
            assert await held.close()

    async def test_twice_at_once_returns_both_times_when_the_client_is_closed(self) -> None:
        async with held_open() as held:
            both = [asyncio.create_task(held.close()) for _ in range(2)]
            await settled()
            assert not any(closing.done() for closing in both)
            held.vault.may_end.set()
            assert await asyncio.gather(*both) == [True, True]

    async def test_that_is_cancelled_does_not_cancel_another(self) -> None:
        async with held_open() as held:
            first, second = (asyncio.create_task(held.close()) for _ in range(2))
            await settled()
            first.cancel()
            await settled()
            held.vault.may_end.set()
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
