"""What a client does with the responses of the token endpoint, and after a 401."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from backupify_async import (
    AuthenticationError,
    ClientCredentials,
    ServerError,
    StaticToken,
    TokenRefreshed,
    Unauthorized,
)
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.clients import asked, client_of
from tests.support.fake_transport import shorten_token_troubles


class TestTheTokenEndpoint:
    async def test_a_wrong_secret_is_sent_once(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify, credentials=ClientCredentials("demo", "a-wrong-one")) as client:
            for _ in range(50):
                with pytest.raises(AuthenticationError, match="invalid_client") as raised:
                    await client.instances.get(1)
        assert "a-wrong-one" not in str(raised.value)
        assert len(backupify.requests) == 1

    @pytest.mark.parametrize(
        "fault",
        [
            Fault.answer(200, body="<html>echo", content_type="text/html", operation="token"),
            Fault.answer(200, body="{}", operation="token"),
            Fault.answer(200, body='{"access_token":null}', operation="token"),
            Fault.answer(200, body='{"access_token":"a b"}', operation="token"),
            Fault.answer(200, body='["echo"]', operation="token"),
            Fault.answer(204, body="", operation="token"),
            Fault.answer(404, body="<html>echo", operation="token"),
            Fault.redirect("https://elsewhere.example/echo", operation="token"),
        ],
        ids=str,
    )
    async def test_a_response_without_a_token_is_an_error_that_does_not_quote_the_response(
        self, backupify: SimulatedBackupify, fault: Fault
    ) -> None:
        backupify.inject(fault)
        async with client_of(backupify) as client:
            for _ in range(2):
                with pytest.raises(AuthenticationError) as raised:
                    await client.instances.get(1)
        assert "echo" not in str(raised.value)
        assert len(backupify.requests) == 1

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    async def test_a_transient_failure_is_retried(self, backupify: SimulatedBackupify, status: int) -> None:
        backupify.inject(Fault.answer(status, operation="token", first=2))
        async with client_of(backupify) as client:
            assert (await client.instances.get(1)).id == 1
        assert [request.status for request in backupify.requests] == [status, status, 200, 200]

    async def test_a_persistent_failure_is_a_server_error(self, backupify: SimulatedBackupify) -> None:
        backupify.inject(Fault.answer(500, operation="token"))
        async with client_of(backupify) as client:
            with pytest.raises(ServerError, match="sent 4 times"):
                await client.instances.get(1)

    @pytest.mark.parametrize(
        ("expires_in", "read_as"),
        [
            ('"899"', 899),
            ("899", 899),
            ("null", 60),
            ('"soon"', 60),
            ("-5", 60),
            ("[]", 60),
            ("true", 60),
            (None, 60),
        ],
    )
    async def test_an_unreadable_lifetime_counts_as_a_minute(
        self, backupify: SimulatedBackupify, expires_in: str | None, read_as: float
    ) -> None:
        more = "" if expires_in is None else f',"expires_in":{expires_in}'
        body = f'{{"access_token":"{backupify.issue_token()}"{more}}}'
        backupify.inject(Fault.answer(200, body=body, operation="token"))
        events: list[object] = []
        async with client_of(backupify, on_event=events.append) as client:
            await client.instances.get(1)
        assert TokenRefreshed(read_as) in events


class TestA401:
    async def test_during_1000_calls_costs_one_refresh(self) -> None:
        async with SimulatedBackupify() as server, client_of(server) as client:
            calls = [asyncio.create_task(client.instances.get(1 + key % 50)) for key in range(1000)]
            await server.wait_for_requests(300)
            server.expire_tokens()
            assert len(await asyncio.gather(*calls)) == 1000
            assert server.tokens_issued == 2
            refused = [request for request in server.requests if request.status == 401]
            assert len(asked(server)) == 1000 + len(refused)
            assert 0 < len(refused) <= 64

    @pytest.fixture
    def short_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The waits after a 401 are ten times shorter."""
        shorten_token_troubles(monkeypatch, 10)

    @pytest.mark.usefixtures("short_waits")
    async def test_for_two_clients_of_a_server_that_accepts_only_the_newest_token_fails_no_call(self) -> None:
        async with AsyncExitStack() as stack:
            server = SimulatedBackupify(newest_token_only=True)
            await stack.enter_async_context(server)
            clients = [await stack.enter_async_context(client_of(server)) for _ in range(2)]
            sweeps = [client.fleet(server.instance_ids * 6).get_active() for client in clients]
            first, second = await asyncio.gather(*sweeps)
        assert (first.errors, second.errors) == ({}, {})
        assert any(request.status == 401 for request in server.requests)

    @pytest.mark.usefixtures("short_waits")
    async def test_from_a_node_that_does_not_know_the_token_yet_fails_no_call(self) -> None:
        async with SimulatedBackupify(token_lag=0.15) as server, client_of(server) as client:
            results = await client.fleet(server.instance_ids).trigger()
        assert results.errors == {}
        assert {len(started) for started in server.triggers.values()} == {1}
        assert any(request.status == 401 for request in server.requests)

    async def test_with_a_static_token_is_raised_at_once(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify, credentials=StaticToken("unknown")) as client:
            with pytest.raises(Unauthorized):
                await client.instances.get(1)
        assert len(backupify.requests) == 1
