"""A Redis server that forgets, goes away, hangs or becomes a replica."""

import asyncio
import gc
import logging
import secrets
import time
from pathlib import Path

import pytest

from backupify_async._shared import redis_listener
from backupify_async._shared.redis_store import RedisStore
from backupify_async._shared.store import StoreUnavailable
from backupify_async.testing import SimulatedBackupify
from tests.shared.members import Wake, Writing, opened, read
from tests.shared.stores import KEY, increment
from tests.support.redis_server import RedisServer, free_port

pytestmark = pytest.mark.slow

SECRET = f"pass-{secrets.token_hex(8)}"


async def until_back(store: RedisStore) -> None:
    """Take turns until the server responds."""
    async with asyncio.timeout(10.0):
        while True:
            try:
                await read(store)
            except StoreUnavailable:
                await asyncio.sleep(0.01)
            else:
                return


async def timed_turn(store: RedisStore) -> float:
    """The seconds that an unavailable store took to say so."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await store.turn("limit", increment)
    return time.monotonic() - began


class TestAServerThatForgets:
    async def test_its_scripts_is_sent_them_again(self, redis: RedisServer) -> None:
        store = RedisStore(redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            redis.command("SCRIPT", "FLUSH")
            await store.turn("limit", increment)
            assert (await read(store)).value == b"2"

    async def test_everything_begins_anew(self, redis: RedisServer) -> None:
        store = RedisStore(redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            redis.command("FLUSHALL")
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"


class TestAServerThatIsAway:
    async def test_at_the_start_is_waited_for(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        server = RedisServer(tmp_path)
        mine, theirs, wake = RedisStore(server.url, KEY), RedisStore(server.url, KEY), Wake()
        async with opened(mine), opened(theirs, wake=wake):
            assert "Connection refused" in caplog.text
            with pytest.raises(StoreUnavailable, match="Connection refused"):
                await mine.turn("limit", increment)
            server.start()
            try:
                await until_back(mine)
                await until_back(theirs)
                await wake.arrived()  # for what it missed
                await mine.announce()
                await wake.arrived()
            finally:
                server.kill()

    async def test_is_found_again_when_it_is_back(self, own_redis: RedisServer) -> None:
        mine, theirs, wake = RedisStore(own_redis.url, KEY), RedisStore(own_redis.url, KEY), Wake()
        async with opened(mine), opened(theirs, wake=wake):
            await mine.turn("limit", increment)
            await read(theirs)
            own_redis.kill()
            assert await timed_turn(mine) < 1.0
            own_redis.start()
            await until_back(mine)
            await until_back(theirs)
            await wake.arrived()
            await mine.announce()
            await wake.arrived()
            await mine.turn("limit", increment)
            assert (await read(theirs)).value == b"1"  # it had forgotten everything

    async def test_is_not_tried_again_at_once(self, tmp_path: Path) -> None:
        store = RedisStore(f"redis://127.0.0.1:{free_port()}", KEY)
        async with opened(store):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await store.turn("limit", increment)
            with pytest.raises(StoreUnavailable, match=r"cannot be reached \(.*\), a moment ago"):
                await store.turn("limit", increment)
            with pytest.raises(StoreUnavailable, match="a moment ago"):
                await store.announce()

    async def test_has_no_such_database_as_it_says_itself(self, redis: RedisServer) -> None:
        store = RedisStore(f"{redis.url}/99", KEY)
        async with opened(store):
            with pytest.raises(StoreUnavailable, match=r"\(DB index is out of range\)"):
                await store.turn("limit", increment)

    async def test_is_another_server(self) -> None:
        async with SimulatedBackupify() as server:
            store = RedisStore(server.base_url.replace("http", "redis"), KEY)
            async with opened(store):
                with pytest.raises(StoreUnavailable, match="is not a Redis server"):
                    await store.turn("limit", increment)

    async def test_is_not_named_in_messages(self, caplog: pytest.LogCaptureFixture) -> None:
        store = RedisStore(f"redis://user:54321/{SECRET}@cache.example", KEY)  # the slash ends the host
        with caplog.at_level(logging.DEBUG):
            async with opened(store):
                with pytest.raises(StoreUnavailable) as caught:
                    await store.turn("limit", increment)
        assert "54321" not in f"{caplog.text}{caught.value}{store!r}{caught.value.__context__!r}"


class TestAServerThatHangs:
    async def test_is_unavailable_within_a_second(self, own_redis: RedisServer) -> None:
        store = RedisStore(own_redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            own_redis.stop()
            assert 0.5 < await timed_turn(store) < 1.0
            assert await timed_turn(store) < 0.1
            own_redis.go_on()
            await until_back(store)
            await store.turn("limit", increment)
            assert (await read(store)).value == b"2"

    async def test_at_the_start_is_waited_for(self, own_redis: RedisServer) -> None:
        own_redis.stop()
        store = RedisStore(own_redis.url, KEY)
        began = time.monotonic()
        async with opened(store):
            assert time.monotonic() - began < 1.0
            own_redis.go_on()
            await until_back(store)

    async def test_reports_no_error_that_no_caller_waits_for(self, own_redis: RedisServer) -> None:
        reported = list[str]()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["message"]))
        store = RedisStore(own_redis.url, KEY)
        async with opened(store):
            own_redis.stop()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await store.turn("limit", increment)
            await asyncio.sleep(1.0)
            gc.collect()
            own_redis.go_on()
        assert reported == []

    async def test_while_a_turn_is_cancelled_writes_nothing_of_it_later(self, own_redis: RedisServer) -> None:
        store = RedisStore(own_redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            own_redis.stop()
            turn = asyncio.create_task(store.turn("limit", Writing(b"too late")))
            await asyncio.sleep(0.05)
            turn.cancel()
            await asyncio.wait([turn])
            assert turn.cancelled()
            own_redis.go_on()
            await store.turn("limit", increment)
            assert (await read(store)).value == b"2"

    async def test_while_a_turn_is_cancelled_leaves_no_error_that_asyncio_logs(
        self, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = RedisStore(own_redis.url, KEY)
        async with opened(store):
            own_redis.stop()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await store.turn("limit", increment)
        gc.collect()
        assert "never retrieved" not in caplog.text

    async def test_is_noticed_by_a_member_that_only_listens(
        self, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(redis_listener, "_PING_AFTER", 0.05)
        monkeypatch.setattr(redis_listener, "_RESPONSE_WITHIN", 0.1)
        store, wake = RedisStore(own_redis.url, KEY), Wake()
        async with opened(store, wake=wake):
            own_redis.stop()
            await asyncio.sleep(0.3)
            own_redis.go_on()
            await wake.arrived()  # for what it missed
            assert wake.count == 1


class TestAServerThatBecomesAReplica:
    async def test_is_unavailable_until_it_is_the_primary_again(self, own_redis: RedisServer) -> None:
        store = RedisStore(own_redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            own_redis.command("REPLICAOF", "127.0.0.1", str(free_port()))
            with pytest.raises(StoreUnavailable, match="refuses a command"):
                await store.turn("limit", increment)
            own_redis.command("REPLICAOF", "NO", "ONE")
            await until_back(store)
            await store.turn("limit", increment)
            assert (await read(store)).value == b"2"
