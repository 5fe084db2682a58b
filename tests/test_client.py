"""A client's connector, environment, events, token and statistics."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from backupify_async import (
    BackupifyClient,
    ClientClosed,
    ClientCredentials,
    ConfigurationError,
    RateLimit,
    RequestSent,
    ResponseReceived,
    RetryScheduled,
    Throttled,
    Token,
    TokenRefreshed,
    __version__,
)
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.clients import asked, client_of


class TestAConnectorOfTheUser:
    async def test_stays_open_and_is_used(self, backupify: SimulatedBackupify) -> None:
        async with aiohttp.TCPConnector(limit=3) as connector:
            for _ in range(2):
                async with client_of(backupify, connector=connector) as client:
                    await client.fleet(range(1, 20)).latest()
                assert not connector.closed

    async def test_limits_the_requests_in_flight(self) -> None:
        hanging = Fault.hang(operation="get_instance")
        async with SimulatedBackupify(faults=[hanging]) as server, aiohttp.TCPConnector(limit=3) as connector:
            client = await client_of(server, connector=connector).open()
            calls = [asyncio.create_task(client.instances.get(key)) for key in range(1, 10)]
            await server.wait_for_requests(4)
            assert (client.statistics().in_flight, client.statistics().waiting) == (3, 6)
            await client.close()
            await asyncio.wait(calls)
            assert {type(call.exception()) for call in calls} == {ClientClosed}

    async def test_of_another_loop_is_refused_by_name_at_each_open(
        self, backupify: SimulatedBackupify
    ) -> None:
        async def make() -> aiohttp.BaseConnector:
            return aiohttp.TCPConnector()

        loop = asyncio.new_event_loop()
        connector = await asyncio.to_thread(loop.run_until_complete, make())
        client = client_of(backupify, connector=connector)
        try:
            for _ in range(2):
                with pytest.raises(ConfigurationError, match="loop"):
                    await client.open()
        finally:
            await asyncio.to_thread(loop.run_until_complete, connector.close())
            loop.close()

    async def test_that_was_closed_is_a_configuration_error(self, backupify: SimulatedBackupify) -> None:
        connector = aiohttp.TCPConnector()
        async with client_of(backupify, connector=connector) as client:
            await client.fetch_token()
            await connector.close()
            with pytest.raises(ConfigurationError, match="connector"):
                await client.instances.get(1)


class TestFromEnv:
    async def test_reads_credentials_and_base_url(self, backupify: SimulatedBackupify) -> None:
        environ = {
            "BACKUPIFY_CLIENT_ID": "demo",
            "BACKUPIFY_CLIENT_SECRET": "demo",
            "BACKUPIFY_BASE_URL": backupify.base_url,
        }
        async with BackupifyClient.from_env(environ, rate_limit=RateLimit(None, adaptive=False)) as client:
            assert (await client.instances.get(1)).id == 1

    async def test_reads_the_process_environment_when_it_is_called(
        self, backupify: SimulatedBackupify, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_TOKEN", backupify.issue_token())
        monkeypatch.setenv("BACKUPIFY_BASE_URL", backupify.base_url)
        async with BackupifyClient.from_env() as client:
            assert (await client.instances.get(1)).id == 1
        assert backupify.tokens_issued == 1

    async def test_reads_a_secrets_file_at_each_refresh(
        self, backupify: SimulatedBackupify, tmp_path: Path
    ) -> None:
        file = tmp_path / "secret"
        file.write_text("demo\n")
        environ = {"BACKUPIFY_CLIENT_ID": "demo", "BACKUPIFY_CLIENT_SECRET_FILE": str(file)}
        async with BackupifyClient.from_env(environ, base_url=backupify.base_url) as client:
            await client.instances.get(1)
            file.write_text("rotated")
            backupify.expire_tokens()
            with pytest.raises(Exception, match="invalid_client"):
                await client.instances.get(1)

    async def test_takes_options_hook_and_connector(self, backupify: SimulatedBackupify) -> None:
        events: list[object] = []
        environ = {"BACKUPIFY_TOKEN": backupify.issue_token(), "BACKUPIFY_BASE_URL": "https://not.used"}
        async with aiohttp.TCPConnector() as connector:
            async with BackupifyClient.from_env(
                environ, connector=connector, on_event=events.append, base_url=backupify.base_url
            ) as client:
                await client.instances.get(1)
            assert not connector.closed
        assert events

    def test_names_the_variable_that_is_missing(self) -> None:
        with pytest.raises(ConfigurationError, match="BACKUPIFY_CLIENT_ID"):
            BackupifyClient.from_env({})

    def test_returns_the_subclass_it_is_called_on(self) -> None:
        class Mine(BackupifyClient):
            pass

        assert type(Mine.from_env({"BACKUPIFY_TOKEN": "t"})) is Mine


class TestEvents:
    async def test_are_emitted_in_order(self, backupify: SimulatedBackupify) -> None:
        events: list[Any] = []
        backupify.inject(
            Fault.answer(500, operation="get_instance", first=1),
            Fault.answer(429, operation="get_instance", first=1),
        )
        async with client_of(backupify, on_event=events.append) as client:
            await client.instances.get(1)
        path = "/v1/backup_instances/1"
        assert [(type(event), getattr(event, "path", None)) for event in events] == [
            (RequestSent, "/oauth/token"),
            (ResponseReceived, "/oauth/token"),
            (TokenRefreshed, None),
            (RequestSent, path),
            (ResponseReceived, path),
            (RetryScheduled, path),
            (RequestSent, path),
            (ResponseReceived, path),
            (Throttled, path),
            (RetryScheduled, path),
            (RequestSent, path),
            (ResponseReceived, path),
        ]
        assert [event.status for event in events if isinstance(event, ResponseReceived)] == [
            200,
            500,
            429,
            200,
        ]
        assert events[-1].attempt == 3

    async def test_a_hook_that_raises_fails_no_call(
        self, backupify: SimulatedBackupify, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(event: object) -> None:
            raise LookupError("in the hook")

        async with client_of(backupify, on_event=broken) as client:
            assert (await client.instances.get(1)).id == 1
        assert "the on_event hook raised at RequestSent" in caplog.text


class TestFetchToken:
    async def test_requests_the_token_before_the_first_call(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            await client.fetch_token()
            await client.fetch_token()
            assert (backupify.tokens_issued, asked(backupify)) == (1, [])
            await client.instances.get(1)
            assert backupify.tokens_issued == 1

    async def test_reports_a_wrong_secret(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify, credentials=ClientCredentials("demo", "wrong")) as client:
            with pytest.raises(Exception, match="invalid_client"):
                await client.fetch_token()

    async def test_calls_the_users_own_credentials(self, backupify: SimulatedBackupify) -> None:
        class Vault:
            asked = 0

            async def token(self) -> Token:
                self.asked += 1
                return Token(backupify.issue_token(), 60.0)

        vault = Vault()
        async with client_of(backupify, credentials=vault) as client:
            await client.fetch_token()
            await client.instances.get(1)
        assert vault.asked == 1


class TestStatistics:
    async def test_are_zero_before_the_client_is_opened(self, backupify: SimulatedBackupify) -> None:
        statistics = client_of(backupify).statistics()
        assert (statistics.requests, statistics.in_flight, statistics.paused_until) == (0, 0, None)
        assert statistics.budget_left == 500

    async def test_count_requests_refusals_and_retries(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(
            Fault.answer(500, operation="get_instance", first=1),
            Fault.answer(429, operation="get_instance", first=1),
        )
        async with client_of(backupify) as client:
            await client.instances.get(1)
        statistics = client.statistics()
        assert (statistics.requests, statistics.refused, statistics.retried) == (4, 1, 1)
        assert statistics.requests == len(backupify.requests)

    async def test_count_a_refusal_of_the_token_endpoint_too(self, backupify: SimulatedBackupify) -> None:
        events: list[object] = []
        backupify.inject(Fault.answer(429, operation="token", first=1))
        async with client_of(backupify, on_event=events.append) as client:
            await client.instances.get(1)
        assert client.statistics().refused == 1
        assert [event.path for event in events if isinstance(event, Throttled)] == ["/oauth/token"]

    async def test_show_until_when_no_call_is_sent(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.answer(429, retry_after=500, operation="get_instance"))
        async with client_of(backupify) as client:
            with pytest.raises(Exception, match="Retry-After"):
                await client.instances.get(1)
            assert client.statistics().paused_until is not None

    async def test_show_the_calls_in_flight(self) -> None:
        hanging = Fault.hang(operation="get_instance")
        async with (
            SimulatedBackupify(faults=[hanging]) as server,
            client_of(server, max_concurrency=2) as client,
        ):
            calls = [asyncio.create_task(client.instances.get(key)) for key in (1, 2, 3)]
            await server.wait_for_requests(3)
            assert (client.statistics().in_flight, client.statistics().waiting) == (2, 1)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            assert (client.statistics().in_flight, client.statistics().waiting) == (0, 0)


async def test_the_user_agent_has_name_and_version(backupify: SimulatedBackupify) -> None:
    async with client_of(backupify) as client:
        await client.instances.get(1)
    assert {request.user_agent for request in backupify.requests} == {f"backupify-async/{__version__}"}
