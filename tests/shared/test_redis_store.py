"""A Redis server that is shared by members on many machines; it fails, hangs and forgets."""

import asyncio
import re
import secrets
import time
from pathlib import Path

import pytest

from backupify_async import ConfigurationError
from backupify_async._shared import redis_store
from backupify_async._shared.redis_store import RedisStore
from backupify_async._shared.store import Stored, StoreUnavailable
from tests.shared.members import Wake, Writing, opened, read
from tests.shared.stores import KEY, increment
from tests.support.redis_server import RedisServer, redis_cluster
from tests.support.tls_proxy import tls_proxy

pytestmark = pytest.mark.slow

LIMIT = f"{{backupify:{KEY}}}:limit"
TOKEN = f"{{backupify:{KEY}}}:token"
SECRET = f"pass-{secrets.token_hex(8)}"
ACL = " ".join(re.findall(r"ACL SETUSER (.*?)\n\n", (redis_store.__doc__ or "") + "\n\n", re.DOTALL)).split()


class TestTheURL:
    @pytest.mark.parametrize(
        "url",
        [
            f"http://user:{SECRET}@cache.example",
            f"redis://user:{SECRET}/@cache.example",
            f"redis://user:{SECRET}@cache.example:port",
            f"redis://{SECRET}:{SECRET}@",
            f"redis://cache.example?socket_timeout={SECRET}",
            f"redis+sentinel://user:{SECRET}@cache.example/primary",
            SECRET,
        ],
        ids=["scheme", "path", "port", "no host", "option", "Sentinel", "no scheme"],
    )
    def test_that_cannot_work_is_refused_without_being_repeated(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="not the URL of a Redis server") as caught:
            RedisStore(url, KEY)
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error!r}{error}{error.args}"
            error = error.__cause__

    @pytest.mark.parametrize("url", ["redis://cache?timeout=9", "redis://cache?ssl_ca_certs=/x"])
    def test_with_an_option_that_redis_py_does_not_know_is_refused(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="has an option that redis-py does not know"):
            RedisStore(url, KEY)

    async def test_names_a_user_a_password_and_a_database(self, redis: RedisServer) -> None:
        redis.command("ACL", "SETUSER", "ops", "on", f">{SECRET}", "~*", "&*", "+@all")
        store = RedisStore(f"redis://ops:{SECRET}@127.0.0.1:{redis.port}/3", KEY)
        async with opened(store):
            await store.turn("limit", increment)
        assert redis.command("EXISTS", LIMIT) == b":0\r\n"  # that is database 0
        assert SECRET not in repr(store)

    async def test_can_ask_for_tls(self, redis: RedisServer, tmp_path: Path) -> None:
        async with tls_proxy(redis.port, tmp_path) as (port, authority):
            store = RedisStore(f"rediss://localhost:{port}?ssl_ca_certs={authority}", KEY)
            async with opened(store):
                await store.turn("limit", increment)
                assert (await read(store)).value == b"1"

    async def test_of_a_server_whose_certificate_is_not_trusted_says_so(
        self, redis: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with tls_proxy(redis.port, tmp_path) as (port, _):
            store = RedisStore(f"rediss://localhost:{port}", KEY)
            async with opened(store):
                pass
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


class TestAUser:
    async def test_needs_no_more_than_the_documentation_says(self, redis: RedisServer) -> None:
        words = [word.replace("SECRET", SECRET) for word in ACL]
        assert redis.command("ACL", "SETUSER", *words) == b"+OK\r\n"
        url, wake = f"redis://ops:{SECRET}@127.0.0.1:{redis.port}", Wake()
        mine, theirs = RedisStore(url, KEY), RedisStore(url, KEY)
        redis.command("SET", LIMIT, "foreign")
        async with opened(mine), opened(theirs, wake=wake):
            redis.command("SCRIPT", "FLUSH")
            await mine.turn("limit", increment)
            await mine.turn("token", Writing(b"t"))
            await mine.announce()
            await wake.arrived()
            assert (await read(theirs)).value == b"1"

    @pytest.mark.parametrize(
        ("rules", "message"),
        [
            ([">other", "~*", "&*", "+@all"], "refuses this user name or password"),
            ([f">{SECRET}", "~other", "&*", "+@all"], "denies this user a command or a key"),
            ([f">{SECRET}", "~*", "resetchannels", "+@all"], "denies this user a command or a key"),
            ([f">{SECRET}", "~*", "&*", "+@all", "-evalsha"], "denies this user a command or a key"),
        ],
        ids=["another password", "another key", "another channel", "no scripts"],
    )
    async def test_that_the_server_refuses_is_an_error_at_the_start(
        self, redis: RedisServer, rules: list[str], message: str
    ) -> None:
        redis.command("ACL", "SETUSER", "few", "reset", "on", *rules)
        store = RedisStore(f"redis://few:{SECRET}@127.0.0.1:{redis.port}", KEY)
        with pytest.raises(ConfigurationError, match=f"{message}: correct the URL or the ACL") as caught:
            await store.open(Wake())
        assert SECRET not in f"{caught.value}{caught.value.__context__!r}"


class TestAValue:
    async def test_is_forgotten_after_days_and_a_token_after_an_hour(self, redis: RedisServer) -> None:
        store = RedisStore(redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            await store.turn("token", increment)
        assert 6 * 86_400 < int(redis.command("TTL", LIMIT)[1:]) <= 7 * 86_400
        assert 3_000 < int(redis.command("TTL", TOKEN)[1:]) <= 3_600

    @pytest.mark.blocking
    async def test_that_another_member_wrote_meanwhile_is_what_the_change_is_called_with_again(
        self, redis: RedisServer
    ) -> None:
        seen: list[bytes | None] = []

        def change(stored: Stored) -> bytes:
            seen.append(stored.value)
            if len(seen) == 1:
                redis.command("HSET", LIMIT, "revision", "theirs", "value", "41")
            return increment(stored)

        store = RedisStore(redis.url, KEY)
        async with opened(store):
            await store.turn("limit", change)
            assert seen == [None, b"41"]
            assert (await read(store)).value == b"42"

    @pytest.mark.blocking
    async def test_is_not_overwritten_where_it_is_the_same_again(self, redis: RedisServer) -> None:
        seen: list[bytes | None] = []

        def change(stored: Stored) -> bytes:
            seen.append(stored.value)
            if len(seen) == 1:  # emptied, and written again with the same bytes
                redis.command("DEL", LIMIT)
                redis.command("HSET", LIMIT, "revision", "theirs", "value", "1")
            return increment(stored)

        store = RedisStore(redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            await store.turn("limit", change)
            assert seen == [b"1", b"1"]

    @pytest.mark.parametrize("command", [("SET", LIMIT, "a"), ("RPUSH", LIMIT, "a")], ids=["string", "list"])
    async def test_of_another_kind_is_put_aside_for_a_day(
        self, redis: RedisServer, command: tuple[str, ...], caplog: pytest.LogCaptureFixture
    ) -> None:
        redis.command(*command)
        store = RedisStore(redis.url, KEY)
        async with opened(store):
            await store.turn("limit", increment)
            assert (await read(store)).value == b"1"
        assert 0 < int(redis.command("TTL", f"{LIMIT}:broken")[1:]) <= 86_400


class TestClosing:
    async def test_leaves_no_task(self, redis: RedisServer) -> None:
        before = asyncio.all_tasks()
        store = RedisStore(redis.url, KEY)
        async with opened(store):
            turn = asyncio.create_task(store.turn("limit", increment))
            await asyncio.sleep(0.0)
            turn.cancel()
        await asyncio.wait([turn])
        assert asyncio.all_tasks() == before

    async def test_ends_in_time_with_a_server_that_hangs(self, own_redis: RedisServer) -> None:
        store = RedisStore(own_redis.url, KEY)
        await store.open(Wake())
        own_redis.stop()
        turn = asyncio.create_task(store.turn("limit", increment))
        await asyncio.sleep(0.0)
        began = time.monotonic()
        await store.close()
        assert time.monotonic() - began < 1.5
        await asyncio.wait([turn])
        assert isinstance(turn.exception(), StoreUnavailable)


class TestACluster:
    async def test_is_entered_by_any_node(self, tmp_path: Path) -> None:
        with redis_cluster(tmp_path) as nodes:
            stores = [RedisStore(node.url, KEY) for node in nodes]
            wake = Wake()
            async with opened(stores[0]), opened(stores[1], wake=wake):
                for store in stores * 3:
                    await store.turn("limit", increment)
                    await store.turn("token", increment)
                assert (await read(stores[0])).value == b"6"
                await stores[0].announce()
                await wake.arrived()
