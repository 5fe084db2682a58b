"""Clients that share: one limit, one token, over real sockets and a file store or a Redis server."""

import asyncio
import fcntl
import os
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from backupify_async import (
    AdaptiveLimiter,
    BackupifyClient,
    ClientCredentials,
    ConfigurationError,
    RateLimit,
    SharedState,
    SharedStoreAway,
    SharedStoreBack,
    StaticToken,
    Token,
)
from backupify_async._shared import sharing
from backupify_async._shared.record import decode
from backupify_async._shared.value_file import ValueFile
from backupify_async.events import Event
from backupify_async.testing import SimulatedBackupify, TokenBucket
from tests.support.redis_server import RedisServer

DEMO = ClientCredentials("demo", "demo")
PATIENCE = 20.0


class Vault:
    async def token(self) -> Token:
        return Token("from the vault")


def client_of(server: SimulatedBackupify, shared: SharedState, **options: Any) -> BackupifyClient:
    return BackupifyClient(DEMO, base_url=server.base_url, shared=shared, **options)


def files(directory: Path) -> set[str]:
    return {path.suffix for path in directory.iterdir()}


@pytest.fixture
def shared(tmp_path: Path) -> SharedState:
    return SharedState(tmp_path / "state")


class TestClientsThatShare:
    @pytest.mark.backupify(instances=60, rate_limit=TokenBucket(60, burst=5))
    async def test_have_one_limit_which_the_next_run_knows(
        self, backupify: SimulatedBackupify, shared: SharedState
    ) -> None:
        ids = backupify.instance_ids
        async with client_of(backupify, shared) as one, client_of(backupify, shared) as other:
            await asyncio.gather(one.fleet(ids).get_active(), other.fleet(ids).get_active())
            limits = [client.statistics().limit_per_second or 0.0 for client in (one, other)]
        async with client_of(backupify, shared) as later:
            known = later.statistics().limit_per_second
        assert limits[0] > 10
        assert [limits[1], known] == [pytest.approx(limits[0], rel=0.3)] * 2

    @pytest.mark.backupify(instances=3)
    async def test_request_one_token(self, backupify: SimulatedBackupify, shared: SharedState) -> None:
        async with client_of(backupify, shared) as one, client_of(backupify, shared) as other:
            await asyncio.gather(*(client.backups.get_active(1) for client in (one, other)))
        async with client_of(backupify, shared) as later:
            await later.backups.get_active(2)
        assert backupify.tokens_issued == 1

    @pytest.mark.backupify(instances=3)
    async def test_share_by_a_redis_server(self, backupify: SimulatedBackupify, redis: RedisServer) -> None:
        shared = SharedState(redis.url)
        async with client_of(backupify, shared) as one, client_of(backupify, shared) as other:
            await asyncio.gather(*(client.backups.get_active(1) for client in (one, other)))
        assert backupify.tokens_issued == 1
        assert redis.command("KEYS", "*").count(b"{backupify:") == 2

    async def test_leave_no_secret_in_the_store(self, tmp_path: Path, redis: RedisServer) -> None:
        hidden = [f"secret-{secrets.token_hex(8)}"]
        credentials = ClientCredentials("demo", hidden[0])
        async with SimulatedBackupify(instances=2, client_secret=hidden[0]) as server:
            for shared in (SharedState(tmp_path), SharedState(redis.url)):
                async with BackupifyClient(credentials, base_url=server.base_url, shared=shared) as client:
                    await client.backups.get_active(1)
                    hidden.append(client._session._keeper.current() or "")
        stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        stored += b"".join(redis.command("HGETALL", key) for key in redis.command("KEYS", "*").split()[2::2])
        assert len(stored) > 100
        assert [secret for secret in hidden if not secret or secret.encode() in stored] == []

    @pytest.mark.backupify(instances=3)
    async def test_with_other_options_share_as_before(
        self, backupify: SimulatedBackupify, shared: SharedState
    ) -> None:
        async with client_of(backupify, shared) as client:
            patient = client.with_options(background=True)
            await patient.backups.get_active(1)
            assert patient.statistics() == client.statistics()

    @pytest.mark.backupify(instances=3)
    async def test_of_several_client_ids_share_a_named_account_but_no_token(
        self, backupify: SimulatedBackupify, tmp_path: Path
    ) -> None:
        shared = SharedState(tmp_path, account="ops")
        for credentials in (DEMO, StaticToken("token"), Vault()):
            client = BackupifyClient(credentials, base_url=backupify.base_url, shared=shared)
            async with client:
                await client.request("GET", "/v1/ping")
        assert files(tmp_path) == {".limit", ".lock", ".members"}


class TestAClientThatIsMadeBeforeAFork:
    PROGRAM = """if True:
        import asyncio, os, sys
        from backupify_async import BackupifyClient, ClientCredentials, SharedState
        demo = ClientCredentials("demo", "demo")
        client = BackupifyClient(demo, base_url=sys.argv[1], shared=SharedState(sys.argv[2]))
        async def main():
            async with client:
                await client.backups.get_active(1)
                print("ready", flush=True)
                await asyncio.sleep(60.0)
        os.fork()
        asyncio.run(main())
    """

    @pytest.mark.slow
    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize("by", ["directory", "Redis"])
    async def test_is_another_member_in_each_process(
        self, backupify: SimulatedBackupify, tmp_path: Path, redis: RedisServer, by: str
    ) -> None:
        location = str(tmp_path) if by == "directory" else redis.url
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            self.PROGRAM,
            backupify.base_url,
            location,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            for _ in range(2):
                assert await process.stdout.readline() == b"ready\n"
            if by == "directory":
                [path] = tmp_path.glob("*.limit")
                content = ValueFile(path).read()
                value = None if content is None else content.value
            else:
                [key] = [key for key in redis.command("KEYS", "*:limit").split() if key.endswith(b":limit")]
                value = redis.command("HGET", key, "value").split(b"\r\n", 1)[1].removesuffix(b"\r\n")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        assert value is not None
        assert len(decode(value).members) == 2
        assert backupify.tokens_issued == 1


class TestAnAccount:
    @pytest.mark.parametrize("credentials", [StaticToken("token"), Vault()])
    def test_is_needed_with_a_token(self, credentials: StaticToken | Vault, shared: SharedState) -> None:
        with pytest.raises(
            ConfigurationError,
            match=r"SharedState\(\.\.\., account=\.\.\.\), or by BACKUPIFY_SHARED_ACCOUNT beside",
        ):
            BackupifyClient(credentials, shared=shared)

    def test_is_the_client_id_by_default(self) -> None:
        assert sharing.account_of(SharedState("/run/x"), DEMO) == "demo"
        assert sharing.account_of(SharedState("/run/x", account="ops"), DEMO) == "ops"


class TestWhatExcludesSharing:
    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"limiter": AdaptiveLimiter()}, "both limiter and shared"),
            ({"rate_limit": RateLimit(50, adaptive=False)}, "adaptive=False cannot be shared"),
            ({"shared": "/run/x"}, r"shared: must be a SharedState\(\.\.\.\), not a str"),
        ],
    )
    def test_is_refused_where_the_client_is_made(
        self, options: dict[str, Any], problem: str, shared: SharedState
    ) -> None:
        with pytest.raises(ConfigurationError, match=problem):
            BackupifyClient(DEMO, **{"shared": shared, **options})

    def test_is_refused_without_a_password_that_is_given_instead(self) -> None:
        with pytest.raises(ConfigurationError, match="must be a SharedState") as caught:
            BackupifyClient(DEMO, shared="redis://:s3cret@cache")  # type: ignore[arg-type]
        assert "s3cret" not in str(caught.value)

    def test_is_named_by_its_variable(self, tmp_path: Path) -> None:
        environ = {
            "BACKUPIFY_CLIENT_ID": "demo",
            "BACKUPIFY_CLIENT_SECRET": "demo",
            "BACKUPIFY_SHARED": str(tmp_path),
        }
        with pytest.raises(ConfigurationError, match=r"limiter has its own limit: .* unset BACKUPIFY_SHARED"):
            BackupifyClient.from_env(environ, limiter=AdaptiveLimiter())

    async def test_a_directory_that_cannot_be_used_is_an_error_when_the_client_opens(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(ConfigurationError, match="is not a directory"):
            await BackupifyClient(DEMO, shared=SharedState(tmp_path / "file")).open()


class TestTheEnvironment:
    @pytest.mark.backupify(instances=3)
    async def test_makes_a_client_share(self, backupify: SimulatedBackupify, tmp_path: Path) -> None:
        environ = {
            "BACKUPIFY_CLIENT_ID": "demo",
            "BACKUPIFY_CLIENT_SECRET": "demo",
            "BACKUPIFY_BASE_URL": backupify.base_url,
            "BACKUPIFY_SHARED": str(tmp_path),
        }
        async with BackupifyClient.from_env(environ) as client:
            await client.backups.get_active(1)
        assert ".limit" in files(tmp_path)

    async def test_gives_way_to_an_argument(self, tmp_path: Path) -> None:
        environ = {"BACKUPIFY_TOKEN": "token", "BACKUPIFY_SHARED": str(tmp_path / "a")}
        shared = SharedState(tmp_path / "b", account="ops")
        async with BackupifyClient.from_env(environ, shared=shared):
            assert [path.name for path in tmp_path.iterdir()] == ["b"]


class TestAStoreThatIsAway:
    @pytest.mark.backupify(instances=3)
    @pytest.mark.parametrize(("goes", "comes"), [("kill", "start"), ("stop", "go_on")])
    async def test_is_in_the_statistics_and_an_event_until_it_is_back(
        self, backupify: SimulatedBackupify, own_redis: RedisServer, goes: str, comes: str
    ) -> None:
        events = list[Event]()
        async with client_of(backupify, SharedState(own_redis.url), on_event=events.append) as client:
            assert client.statistics().store_away is None
            getattr(own_redis, goes)()
            async with asyncio.timeout(PATIENCE):
                while client.statistics().store_away is None:  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(0.01)
                await client.backups.get_active(1)
                getattr(own_redis, comes)()
                while client.statistics().store_away is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        seen = [event for event in events if isinstance(event, SharedStoreAway | SharedStoreBack)]
        assert [type(event) for event in seen] == [SharedStoreAway, SharedStoreBack]

    async def test_is_one_whose_lock_another_process_does_not_release(
        self, backupify: SimulatedBackupify, tmp_path: Path
    ) -> None:
        events = list[Event]()
        async with client_of(backupify, SharedState(tmp_path), on_event=events.append) as client:
            with next(tmp_path.glob("*.lock")).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                async with asyncio.timeout(PATIENCE):
                    while client.statistics().store_away is None:  # noqa: ASYNC110 - nothing announces it
                        await asyncio.sleep(0.01)
        assert SharedStoreAway("it does not respond in time") in events
