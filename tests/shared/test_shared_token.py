"""Members that share a token make one request for each renewal."""

import asyncio
import builtins
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from backupify_async import AuthenticationError
from backupify_async._shared import shared_token
from backupify_async._shared.file_store import FileStore
from backupify_async._shared.redis_store import RedisStore
from backupify_async._shared.shared_token import SharedToken, share_token
from backupify_async._shared.store import StateStore
from backupify_async._transport.token_rejections import Rejections
from tests.shared.stores import KEY
from tests.shared.token_groups import CREDENTIALS, SECRET, Server, gaps, grouped, loop_time
from tests.support.memory_store import MemoryHub, MemoryStore
from tests.support.redis_server import RedisServer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def hub() -> MemoryHub:
    return MemoryHub()


@pytest.mark.looptime
class TestEightMembers:
    async def test_begin_with_one_request(self, server: Server, hub: MemoryHub) -> None:
        async with grouped(server, hub) as group:
            assert len({*await group.tokens()}) == 1
        assert len(server.requests) == 1

    @pytest.mark.parametrize("takes", [0.0, 0.2, 3.0, 17.0])
    async def test_make_one_request_for_each_renewal(
        self, server: Server, hub: MemoryHub, takes: float
    ) -> None:
        server.takes = takes
        async with grouped(server, hub) as group:
            while loop_time() < 1_000.0:
                for value in await group.tokens():
                    assert server.accepts(value)
                await asyncio.sleep(0.5)
        assert all(79.9 <= seconds <= 81.0 + takes for seconds in gaps(server.requests))
        assert len(server.requests) >= 11

    async def test_wait_for_no_renewal_once_they_have_a_token(self, server: Server, hub: MemoryHub) -> None:
        server.takes = 5.0
        async with grouped(server, hub) as group:
            await group.tokens()
            while loop_time() < 300.0:
                assert all(keeper.current() is not None for keeper in group.keepers)
                await asyncio.sleep(0.5)

    async def test_make_one_request_after_all_met_a_rejection(self, server: Server, hub: MemoryHub) -> None:
        async with grouped(server, hub) as group:
            (old,) = {*await group.tokens()}
            await asyncio.sleep(10.0)
            server.revoke_all()
            rejections = [Rejections() for _ in group.keepers]
            reasons = await asyncio.gather(
                *(
                    keeper.on_rejected(old, rejection)
                    for keeper, rejection in zip(group.keepers, rejections, strict=True)
                )
            )
            assert reasons == [None] * 8
            (new,) = {*await group.tokens()}
        assert new != old
        assert len(server.requests) == 2

    async def test_begin_with_one_request_though_it_takes_long(self, server: Server, hub: MemoryHub) -> None:
        server.takes = 28.0
        async with grouped(server, hub) as group:
            assert len({*await group.tokens()}) == 1
        assert len(server.requests) == 1

    async def test_of_which_one_dies_in_its_request_make_another_after_its_lease(
        self, server: Server, hub: MemoryHub
    ) -> None:
        async with grouped(server, hub, 1) as first:
            waiting = asyncio.create_task(first.tokens())
            await asyncio.sleep(0.1)
            waiting.cancel()
            async with grouped(server, hub, 7) as others:
                hub.away = True
                await first.keepers[0].close()
                hub.away = False
                await others.tokens()
        assert [round(sent, 1) for sent in server.requests] == [0.0, 5.0]

    async def test_try_by_turns_with_a_second_between_after_failures(
        self, server: Server, hub: MemoryHub
    ) -> None:
        server.failures = 3
        async with grouped(server, hub) as group:
            got = await asyncio.gather(*(keeper.get() for keeper in group.keepers), return_exceptions=True)
        assert sum(isinstance(result, AuthenticationError) for result in got) == 3
        assert len({result for result in got if isinstance(result, str)}) == 1
        assert len(server.requests) == 4
        assert min(gaps(server.requests)) >= 1.0

    async def test_of_which_one_is_closed_in_its_request_make_another_at_once(
        self, server: Server, hub: MemoryHub
    ) -> None:
        server.takes = 2.0
        async with grouped(server, hub) as group:
            renews, *others = group.keepers
            first = asyncio.create_task(renews.get())
            await asyncio.sleep(0.1)
            waits = [asyncio.create_task(keeper.get()) for keeper in others]
            await asyncio.sleep(0.1)
            await renews.close()
            await asyncio.wait([first])
            assert len({*await asyncio.gather(*waits)}) == 1
            assert loop_time() < 2.4
        assert len(server.requests) == 2


@pytest.mark.looptime
class TestAMember:
    async def test_that_comes_later_uses_the_same_token(self, server: Server, hub: MemoryHub) -> None:
        async with grouped(server, hub, 1) as group:
            (old,) = await group.tokens()
            await asyncio.sleep(50.0)
            assert await (await group.join()).get() == old
        assert len(server.requests) == 1

    async def test_that_comes_during_a_renewal_uses_the_old_one(self, server: Server, hub: MemoryHub) -> None:
        server.takes = 4.0
        async with grouped(server, hub, 1) as group:
            (old,) = await group.tokens()
            await asyncio.sleep(81.0)
            assert group.keepers[0].current() == old
            await asyncio.sleep(1.0)
            before = loop_time()
            assert await (await group.join()).get() == old
            assert loop_time() - before < 0.1
        assert len(server.requests) == 2

    async def test_never_takes_a_token_that_it_saw_rejected_from_the_store_again(
        self, server: Server, hub: MemoryHub
    ) -> None:
        member = shared(server, MemoryStore(hub))
        assert member is not None
        old = await member.fetch()
        value = hub.values["token"]
        new = await member.fetch()  # before it is due: the API rejected the old one
        hub.values["token"] = value  # as a store has it that was restored
        assert (await member.fetch()).value not in (old.value, new.value)

    async def test_without_a_store_requests_a_token_for_itself(
        self, server: Server, hub: MemoryHub, caplog: pytest.LogCaptureFixture
    ) -> None:
        hub.away = True
        async with grouped(server, hub) as group:
            assert len({*await group.tokens()}) == 8
            hub.away = False
            await asyncio.sleep(85.0)
            await group.tokens()
            await asyncio.sleep(1.0)
            assert len({*await group.tokens()}) == 1
        assert len(server.requests) == 9
        assert "the token is not shared at present" in caplog.text

    async def test_keeps_its_token_if_the_store_is_away_when_it_is_to_be_shared(
        self, server: Server, hub: MemoryHub
    ) -> None:
        async with grouped(server, hub, 1) as group:
            waiting = asyncio.create_task(group.tokens())
            await asyncio.sleep(0.1)
            hub.away = True
            assert server.accepts((await waiting)[0])

    async def test_with_another_secret_puts_the_token_aside(self, server: Server, hub: MemoryHub) -> None:
        async with grouped(server, hub, 1) as group:
            (old,) = await group.tokens()
            assert await (await group.join("another secret")).get() != old
        assert len(hub.put_aside) == 1

    async def test_shares_a_token_without_a_known_end(self, server: Server, hub: MemoryHub) -> None:
        server.life = None
        async with grouped(server, hub) as group:
            (endless,) = {*await group.tokens()}
            await asyncio.sleep(100_000.0)
            assert {*await group.tokens()} == {endless}
        assert len(server.requests) == 1


class TestWithoutCryptography:
    async def test_a_member_says_once_that_the_token_is_not_shared(
        self,
        server: Server,
        hub: MemoryHub,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        really = builtins.__import__

        def fail(name: str, *arguments: object, **options: object) -> object:
            if name == "backupify_async._shared.sealing":
                raise ModuleNotFoundError(name="cryptography")
            return really(name, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(builtins, "__import__", fail)
        shared_token._say_not_shared.cache_clear()
        with caplog.at_level(logging.WARNING, "backupify_async.shared"):
            for _ in range(2):
                assert shared(server, MemoryStore(hub)) is None
        assert caplog.text.count("install cryptography") == 1


def shared(server: Server, store: StateStore) -> SharedToken | None:
    return share_token(
        server.request,
        CREDENTIALS,
        store,
        origin="https://api.example.com",
        place=KEY,
        now=loop_time,
        secret_timeout=1.0,
    )


async def write_to(store: StateStore, server: Server) -> str:
    """Share a token by a store; the token."""
    member = shared(server, store)
    assert member is not None
    await store.open(member.on_change)
    try:
        return (await member.fetch()).value
    finally:
        await store.close()


class TestTheBytesOfAStore:
    async def test_hold_neither_the_token_nor_the_secret_in_any_file(
        self, server: Server, tmp_path: Path
    ) -> None:
        server.takes = 0.0
        tokens = [await write_to(FileStore(tmp_path, KEY), server) for _ in range(2)]
        assert tokens[0] == tokens[1]
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert f"{KEY}.token" in {path.name for path in files}
        written = b"".join(path.read_bytes() + str(path).encode() for path in files)
        assert_unreadable(written, tokens[0])

    @pytest.mark.slow
    async def test_hold_neither_the_token_nor_the_secret_in_any_key(
        self, server: Server, redis: RedisServer
    ) -> None:
        server.takes = 0.0
        tokens = [await write_to(RedisStore(redis.url, KEY), server) for _ in range(2)]
        assert tokens[0] == tokens[1]
        written = redis.command("HGETALL", f"{{backupify:{KEY}}}:token") + redis.command("KEYS", "*")
        assert b"sealed" in written
        assert_unreadable(written, tokens[0])


def assert_unreadable(written: bytes, token: str) -> None:
    ways: list[Callable[[bytes], bytes]] = [bytes, lambda text: text.hex().encode(), lambda text: text[::-1]]
    for secret in (token, SECRET):
        for way in ways:
            assert way(secret.encode()) not in written
