"""Responses that are unreadable, or about another object: they are requested again on another connection."""

import asyncio
import gzip
import json
from collections.abc import Callable

import pytest

from backupify_async import BackupifyError, DecodeError, RateLimit, RetryPolicy, TriggerKind
from backupify_async._resources.backups import Backups
from backupify_async._resources.instances import Instances
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.clients import client_of
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.raw_servers import ScriptedServer, http, raw_server
from tests.support.transport_values import upper_bound

WHOLE = json.dumps([{"id": number, "status": "completed"} for number in range(40)]).encode()
CUT = {
    "by a matching length": http(200, WHOLE[:700]),
    "by the end of the connection": b"HTTP/1.0 200 X\r\n\r\n" + WHOLE[:700],
    "by a proxy that ends the chunks": (
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2bc\r\n" + WHOLE[:700] + b"\r\n0\r\n\r\n"
    ),
    "within gzip": http(200, gzip.compress(WHOLE)[:-60], "Content-Encoding: gzip"),
    "to nothing": http(200),
    "by a page of a proxy": http(200, b"<html>back soon</html>", "Content-Type: text/html"),
}


class Connections:
    """Sends raw responses in turn, the last one repeatedly; records the connection of each request."""

    def __init__(self, *responses: bytes) -> None:
        self.responses = responses
        self.used: list[asyncio.StreamWriter] = []

    async def __call__(self, request: bytes, writer: asyncio.StreamWriter) -> None:
        response = self.responses[min(len(self.used), len(self.responses) - 1)]
        self.used.append(writer)
        writer.write(response)
        if response.startswith(b"HTTP/1.0"):
            writer.close()


@pytest.mark.parametrize("cut", CUT.values(), ids=CUT)
async def test_a_list_that_was_cut_is_requested_again(cut: bytes) -> None:
    server = Connections(cut, http(200, WHOLE))
    async with raw_server(server) as url, client_of(url) as client:
        assert len(await client.backups.list(42).collect()) == 40
        assert client.statistics().retried == 1
    assert len(server.used) == 2


async def test_the_connection_of_an_unreadable_response_is_closed() -> None:
    server = Connections(http(200, b"[]"), http(200, b'{"id":'), http(200, b"[]"))
    async with raw_server(server) as url, client_of(url) as client:
        for _ in range(3):
            await client.backups.list(42).collect()
        first, second, retried, last = server.used
        assert first is second
        assert len({second, retried, last}) == 3
        await asyncio.wait_for(second.wait_closed(), 5)


async def test_a_response_that_is_too_large_is_not_requested_again() -> None:
    server = ScriptedServer(http(200, WHOLE))
    async with raw_server(server) as url, client_of(url, max_body_bytes=100) as client:
        with pytest.raises(DecodeError, match="it would be the same again"):
            await client.backups.list(42).collect()
    assert len(server.requests) == 1


async def test_a_trigger_with_an_unreadable_response_is_not_sent_again() -> None:
    begun = http(200, b'{"id":1,"status":"running"}')

    async def respond_to(request: bytes, writer: asyncio.StreamWriter) -> None:
        sent.append(request.split(b" ", 1)[0])
        writer.write(http(201) if sent[-1] == b"POST" else begun)

    sent: list[bytes] = []
    async with raw_server(respond_to) as url, client_of(url) as client:
        assert (await client.backups.trigger(42)).kind is TriggerKind.STARTED
    assert sent.count(b"POST") == 1


WRONG_OBJECTS: dict[str, tuple[bytes, bytes, Callable[[Backups], object]]] = {
    "get_active": (
        b'{"id":1000,"backup_instance_id":1}',
        b'{"id":2000,"backup_instance_id":2}',
        lambda backups: backups.get_active(2),
    ),
    "get, of another instance": (
        b'{"id":2000,"backup_instance_id":"1"}',
        b'{"id":2000,"backup_instance_id":"2"}',
        lambda backups: backups.get(2, 2000),
    ),
    "get, another backup": (b'{"id":1000}', b'{"id":2000}', lambda backups: backups.get("2", "2000")),
    "list": (
        b'[{"id":2000},{"id":1000,"backup_instance_id":1}]',
        b'[{"id":2000,"backup_instance_id":2}]',
        lambda backups: backups.latest(2),
    ),
}


@pytest.mark.parametrize(("wrong", "right", "call"), WRONG_OBJECTS.values(), ids=WRONG_OBJECTS)
class TestAResponseAboutAnotherObject:
    async def test_is_requested_again_over_a_new_connection(
        self, wrong: bytes, right: bytes, call: Callable[[Backups], object]
    ) -> None:
        server = Connections(http(200, wrong), http(200, right))
        async with raw_server(server) as url, client_of(url) as client:
            found = await call(client.backups)  # type: ignore[misc]  # a coroutine of some model
        assert found.id == 2000
        assert len(set(server.used)) == 2

    async def test_is_an_error_if_it_is_the_same_again(
        self, wrong: bytes, right: bytes, call: Callable[[Backups], object]
    ) -> None:
        async with raw_server(ScriptedServer(http(200, wrong))) as url, client_of(url) as client:
            with pytest.raises(DecodeError, match=r"about (instance 1|backup 1000), but .* was requested"):
                await call(client.backups)  # type: ignore[misc]  # as above


async def test_another_instance_than_requested_is_an_error() -> None:
    async with raw_server(ScriptedServer(http(200, b'{"id":8}'))) as url, client_of(url) as client:
        with pytest.raises(DecodeError, match="about instance 8, but instance 7 was requested"):
            await client.instances.get(7)


async def test_a_prefetched_page_is_requested_again_too() -> None:
    link = "Link: <?page=2>; rel=next, <?page=3>; rel=last"
    pages = [http(200, b'[{"id":1}]', link), http(200), http(200), http(200, b'[{"id":2}]')]
    async with raw_server(ScriptedServer(*pages)) as url, client_of(url) as client:
        assert [one.id for one in await client.backups.list(42, prefetch=1).collect()] == [1, 2]


@pytest.mark.looptime
class TestInVirtualTime:
    @staticmethod
    def unreadable(message: PreparedRequest) -> Response:
        return respond(message, 200, b"<html>")

    async def test_an_unreadable_response_takes_attempts_and_budget_like_a_lost_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("random.uniform", upper_bound)
        transport = FakeTransport(self.unreadable)
        policy = RetryPolicy(attempts=3, base=1, budget=100)
        async with session_over(
            transport, retry=policy, rate_limit=RateLimit(None, adaptive=False)
        ) as session:
            with pytest.raises(DecodeError, match="gave up: sent 3 times"):
                await Instances(session).get(7)
            assert session.statistics().budget_left == 90
        assert transport.times == [0, 1, 3]

    async def test_only_the_retry_of_an_unreadable_response_uses_a_new_connection(self) -> None:
        transport = FakeTransport(self.unreadable)
        policy = RetryPolicy(attempts=2, base=0)
        async with session_over(transport, retry=policy) as session:
            for _ in range(2):
                with pytest.raises(BackupifyError):
                    await Instances(session).get(7)
        assert [message.new_connection for _, message in transport.sent] == [False, True, False, True]
