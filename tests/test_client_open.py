"""A client's life: open and closed, in one event loop, for any number of tasks."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from backupify_async import BackupifyClient, ClientClosed, ConfigurationError
from backupify_async.testing import SimulatedBackupify
from tests.support.clients import client_of


@contextlib.contextmanager
def another_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.close()


def in_another_loop(work: Coroutine[Any, Any, Any]) -> Any:
    with another_loop() as loop:
        return loop.run_until_complete(work)


class TestOpenAndClose:
    async def test_a_block_opens_and_closes_the_client(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            assert (await client.instances.get(1)).id == 1
        with pytest.raises(ClientClosed, match="closed"):
            await client.instances.get(1)

    async def test_its_methods_open_and_close_the_client(self, backupify: SimulatedBackupify) -> None:
        client = client_of(backupify)
        assert await client.open() is client
        assert (await client.instances.get(1)).id == 1
        await client.close()

    async def test_a_second_open_or_close_does_nothing(self, backupify: SimulatedBackupify) -> None:
        client = client_of(backupify)
        await client.open()
        async with client:
            assert (await client.instances.get(1)).id == 1
        await client.close()
        await client.close()

    async def test_a_call_before_it_is_opened_is_refused(self, backupify: SimulatedBackupify) -> None:
        client = client_of(backupify)
        for call in (client.instances.get(1), client.backups.trigger(1), client.fetch_token()):
            with pytest.raises(ConfigurationError, match=r"open\(\)"):
                await call
        assert backupify.requests == []

    async def test_a_closed_client_does_not_reopen(self, backupify: SimulatedBackupify) -> None:
        client = client_of(backupify)
        async with client:
            pass
        with pytest.raises(ClientClosed, match="does not reopen"):
            await client.open()

    @pytest.mark.parametrize("ever_open", [True, False])
    async def test_every_call_of_a_closed_client_raises_client_closed(
        self, backupify: SimulatedBackupify, ever_open: bool
    ) -> None:
        client = client_of(backupify)
        if ever_open:
            await client.open()
        await client.close()
        asked = len(backupify.requests)
        for call in (
            client.open(),
            client.__aenter__(),
            client.fetch_token(),
            client.instances.get(1),
            client.instances.list().collect(),
            anext(aiter(client.backups.list(1, prefetch=4))),
            anext(aiter(client.backups.list(1).pages())),
            client.backups.get(1, 1),
            client.backups.get_active(1),
            client.backups.latest(1),
            client.backups.trigger(1),
            client.backups.wait(1, 1),
        ):
            with pytest.raises(ClientClosed, match="the client is closed"):
                await call
        for sweep in (client.fleet([1]).latest(), client.fleet([1]).trigger(wait=True)):
            assert [type(error) for error in (await sweep).errors.values()] == [ClientClosed]
        assert len(backupify.requests) == asked

    async def test_a_client_that_was_never_open_can_be_closed_and_then_not_opened(
        self, backupify: SimulatedBackupify
    ) -> None:
        client = client_of(backupify)
        await client.close()
        with pytest.raises(ClientClosed, match="does not reopen"):
            await client.open()

    async def test_a_block_that_raises_closes_the_client(self, backupify: SimulatedBackupify) -> None:
        with pytest.raises(ZeroDivisionError):
            async with client_of(backupify) as client:
                _ = 1 / 0
        with pytest.raises(ClientClosed, match="closed"):
            await client.fetch_token()


class TestEventLoops:
    def test_a_call_from_another_loop_is_refused(self, backupify: SimulatedBackupify) -> None:
        client = client_of(backupify)
        with another_loop() as home:
            home.run_until_complete(client.open())
            for call in (client.instances.get(1), client.backups.trigger(1), client.fetch_token()):
                with pytest.raises(ConfigurationError, match="another event loop"):
                    in_another_loop(call)
            home.run_until_complete(client.instances.get(1))
            home.run_until_complete(client.close())

    def test_opening_it_in_another_loop_is_refused(self, backupify: SimulatedBackupify) -> None:
        client = client_of(backupify)
        with another_loop() as home:
            home.run_until_complete(client.open())
            with pytest.raises(ConfigurationError, match="another event loop"):
                in_another_loop(client.open())
            home.run_until_complete(client.close())

    @pytest.mark.parametrize(
        "begin", [BackupifyClient.open, BackupifyClient.close, BackupifyClient.__aenter__]
    )
    def test_a_loop_other_than_asyncios_is_refused_by_name(
        self, begin: Callable[[BackupifyClient], Coroutine[None, None, object]]
    ) -> None:
        """Trio steps through a coroutine without an asyncio loop."""
        work = begin(client_of("http://127.0.0.1"))
        with pytest.raises(
            ConfigurationError, match="this client needs asyncio, and does not work with trio"
        ):
            work.send(None)

    def test_it_can_be_created_where_no_loop_runs(self, backupify: SimulatedBackupify) -> None:
        client = client_of(backupify)

        async def use() -> int | str:
            async with client:
                return (await client.instances.get(1)).id

        assert in_another_loop(use()) == 1


class TestTasks:
    async def test_any_number_of_tasks_of_one_loop_can_use_it(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            found = await asyncio.gather(*(client.instances.get(1 + key % 50) for key in range(200)))
        assert [instance.id for instance in found] == [1 + key % 50 for key in range(200)]
        assert backupify.tokens_issued == 1
