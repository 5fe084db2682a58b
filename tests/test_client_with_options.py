"""`client.with_options`: other options for some calls of the same client."""

import asyncio

import pytest

from backupify_async import (
    BackupifyClient,
    ClientClosed,
    ConfigurationError,
    Event,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    Timeouts,
)
from tests.support.fake_transport import always, client_over
from tests.support.scripted import DEMO, Script, after, now

pytestmark = pytest.mark.looptime


class TestOtherOptions:
    async def test_apply_only_to_its_calls(self) -> None:
        client, transport = client_over(always({"id": 1}), headers={"X-One": "client-1", "X-Two": "client-2"})
        async with client:
            other = client.with_options(headers={"x-one": "option-1"})
            other = other.with_options(headers={"X-Three": "option-3"})
            await other.instances.get(1)
            await client.instances.get(1)
        names = ("X-One", "X-Two", "X-Three")
        one, two = ([request.headers.get(name) for name in names] for _, request in transport.sent)
        assert one == ["option-1", "client-2", "option-3"]
        assert two == ["client-1", "client-2", None]

    async def test_can_be_time_outs(self) -> None:
        client, transport = client_over(always({"id": 1}), round_trip=5)
        async with client:
            with pytest.raises(RequestTimeout, match="total=2 s"):
                await client.with_options(timeouts=Timeouts(total=2)).instances.get(1)
            assert (await client.instances.get(1)).id == 1
        assert transport.sent[0][1].timeouts == Timeouts(total=2)

    async def test_can_be_retries_within_the_budget_of_the_client(self) -> None:
        client, transport = client_over(Script(*[500] * 9), retry=RetryPolicy(budget=500))
        async with client:
            once = client.with_options(retry=RetryPolicy(attempts=1, budget=1, max_outage=1))
            with pytest.raises(ServerError):
                await once.instances.get(1)
            assert len(transport.sent) == 1
            assert once.statistics().budget_left == client.statistics().budget_left == 500

    async def test_can_be_a_hook(self) -> None:
        events: list[Event] = []
        other_events: list[Event] = []
        client, _ = client_over(always({"id": 1}), on_event=events.append)
        async with client:
            await client.with_options(on_event=other_events.append).instances.get(1)
            assert [type(event).__name__ for event in other_events] == ["RequestSent", "ResponseReceived"]
            await client.instances.get(1)
        assert len(other_events) == 2
        assert [type(event).__name__ for event in events] == [
            "TokenRefreshed",
            "RequestSent",
            "ResponseReceived",
        ]

    async def test_share_token_gate_and_counts(self) -> None:
        client, transport = client_over(Script(), credentials=DEMO)
        async with client:
            await client.with_options(background=True).request("GET", "/v1/vendors/me")
            await client.request("GET", "/v1/vendors/me")
            assert client.statistics().requests == 3
        assert len([request for _, request in transport.sent if request.url.path == "/oauth/token"]) == 1

    async def test_can_let_other_calls_go_first(self) -> None:
        order: list[str] = []
        client, _ = client_over(always({}), round_trip=1, max_concurrency=1)

        async def call(one: BackupifyClient, name: str) -> None:
            await one.request("GET", "/v1/vendors/me")
            order.append(name)

        async with client:
            background = client.with_options(background=True)
            names = {"first": client, "background": background, "second": client, "third": client}
            await asyncio.gather(*(call(one, name) for name, one in names.items()))
        assert order == ["first", "second", "third", "background"]

    async def test_do_not_change_the_longest_retry_after_of_the_client(self) -> None:
        client, transport = client_over(Script((429, after("3"))), retry=RetryPolicy(max_retry_after=5))
        async with client:
            other = client.with_options(retry=RetryPolicy(max_retry_after=1))
            assert (await other.request("GET", "/v1/vendors/me")).status == 200
        assert transport.times == [0, 3]

    async def test_do_not_open_the_client(self) -> None:
        client, _ = client_over(always({}))
        with pytest.raises(ConfigurationError, match="the client is not open"):
            async with client.with_options(background=True):
                pass

    async def test_close_nothing(self) -> None:
        client, _ = client_over(always({"id": 1}))
        async with client:
            async with client.with_options(background=True) as other:
                await other.instances.get(1)
            assert (await client.instances.get(1)).id == 1
        with pytest.raises(ClientClosed):
            await other.instances.get(1)

    async def test_are_drained_with_the_client(self) -> None:
        client, _ = client_over(always({}, 201), round_trip=1)
        async with client:
            other = client.with_options(timeouts=Timeouts(attempt=5))
            assert await client.drain() == 0
            with pytest.raises(ClientClosed, match="no backup of instance 1 was triggered"):
                await other.backups.trigger(1)
            assert now() == 0

    async def test_that_cannot_be_sent_are_refused(self) -> None:
        client, _ = client_over(always({}))
        with pytest.raises(ConfigurationError, match="the client sets Authorization"):
            client.with_options(headers={"Authorization": "Bearer x"})
