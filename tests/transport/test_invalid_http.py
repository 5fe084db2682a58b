"""Servers that send invalid or unusual HTTP: each request ends with a response or an error of ours."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupify_async import BackupifyError, RequestTimeout, RetryPolicy, StaticToken, Timeouts, TransportError
from backupify_async.client import BackupifyClient
from tests.support.aiohttp_transports import get, open_transport_to, send
from tests.support.raw_servers import ScriptedServer, http, raw_server, serving

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TWO = b"Content-Length: 2\r\n\r\n[]"
SHORT = Timeouts(read=0.05, attempt=0.1)

INVALID = {
    "HTTP/0.9": b"[]" + ScriptedServer.CLOSE,
    "an older HTTP": b"HTTP/0.8 200 OK\r\n" + TWO,
    "a newer HTTP": b"HTTP/2 200 OK\r\n" + TWO,
    "frames of HTTP/2": b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + ScriptedServer.CLOSE,
    "an alert of TLS": b"\x15\x03\x01\x00\x02\x02\x46" + ScriptedServer.CLOSE,
    "no status": b"HTTP/1.1\r\n" + TWO,
    "a status of four digits": b"HTTP/1.1 1000 X\r\n" + TWO,
    "a space in a name": OK + b"A b: 1\r\n" + TWO,
    "no name": OK + b": 1\r\n" + TWO,
    "no colon": OK + b"AAA\r\n" + TWO,
    "NUL in a value": OK + b"A: 1\x002\r\n" + TWO,
    "too many headers": OK + b"A: b\r\n" * 130 + TWO,
    "a header without an end": OK + b"A: " + b"b" * 2**17,
    "a length and chunks": OK
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 3\r\n" + TWO,
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\n[]",
    "a negative length": OK + b"Content-Length: -2\r\n\r\n[]",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\n[]",
    "a length beyond all numbers": OK + b"Content-Length: 99999999999999999999999\r\n\r\n[]",
    "a chunk without a size": CHUNKED + b"zz\r\n[]\r\n0\r\n\r\n",
    "a chunk of a negative size": CHUNKED + b"-2\r\n[]\r\n0\r\n\r\n",
    "a chunk beyond all numbers": CHUNKED + b"fffffffffffffffff\r\n[]",
    "a chunk longer than its size": CHUNKED + b"2\r\n[]xx\r\n0\r\n\r\n",
    "invalid trailers": CHUNKED + b"2\r\n[]\r\n0\r\n\x00\x01: x\r\n\r\n",
    "an old web socket": OK + b"Sec-WebSocket-Key1: x\r\n" + TWO,
    "an incomplete head": OK + b"Content-Len" + ScriptedServer.CLOSE,
    "nothing": ScriptedServer.CLOSE,
}
UNUSUAL = {
    "status 0": (b"HTTP/1.1 000 X\r\n" + TWO, 0),
    "status 99": (b"HTTP/1.1 099 X\r\n" + TWO, 99),
    "status 999": (b"HTTP/1.1 999 X\r\n" + TWO, 999),
    "no reason": (b"HTTP/1.1 200\r\n" + TWO, 200),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n[]" + ScriptedServer.CLOSE, 200),
    "line feeds only": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\n[]", 200),
    "octets above 0x7F": (b"HTTP/1.1 200 \xff\r\nDate: \xff\r\nContent-Type: \xff\r\n" + TWO, 200),
    "another protocol unasked": (b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nxx", 101),
    "an offer of another protocol": (OK + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + TWO, 200),
    "a coding of the transfer": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n", 200),
    "an invalid coding": (OK + b"Content-Encoding: \xff\x1b\r\n" + TWO, 200),
    "interim responses": (b"HTTP/1.1 102 X\r\n\r\n" * 1000 + OK + TWO, 200),
    "304 with a length": (b"HTTP/1.1 304 X\r\nContent-Length: 22\r\n\r\n", 304),
}


@pytest.fixture(params=["ours", "the user's"])
async def connector(request: pytest.FixtureRequest) -> AsyncIterator[aiohttp.BaseConnector | None]:
    if request.param == "ours":
        yield None
        return
    async with aiohttp.TCPConnector() as users:
        yield users


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("raw", INVALID.values(), ids=INVALID.keys())
async def test_invalid_http_is_a_transport_error(
    raw: bytes, method: str, connector: aiohttp.BaseConnector | None
) -> None:
    async with (
        serving(raw) as server,
        open_transport_to(server.base_url, connector, timeouts=Timeouts(read=0.1)) as transport,
    ):
        with pytest.raises(TransportError) as caught:
            await transport(send(method, server.base_url))
    assert caught.value.sent
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize(("raw", "status"), UNUSUAL.values(), ids=UNUSUAL.keys())
async def test_unusual_http_is_a_response(
    raw: bytes, status: int, connector: aiohttp.BaseConnector | None
) -> None:
    async with serving(raw) as server, open_transport_to(server.base_url, connector) as transport:
        assert (await transport(get(server.base_url))).status == status


async def test_a_body_that_becomes_invalid_is_not_waited_for() -> None:
    async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"2\r\n[]\r\n")
        await writer.drain()
        for _ in range(20):
            await asyncio.sleep(0)
        writer.write(b"zz\r\n")

    async with raw_server(serve) as base_url, open_transport_to(base_url) as transport, asyncio.timeout(10):
        with pytest.raises(TransportError, match="in the middle of the response"):
            await transport(get(base_url))


async def test_endless_interim_responses_are_a_time_out() -> None:
    async def flood(_request: bytes, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 102 X\r\n\r\n" * 100)
            await writer.drain()

    async with raw_server(flood) as base_url, open_transport_to(base_url, timeouts=SHORT) as transport:
        with pytest.raises(RequestTimeout):
            await transport(get(base_url))


class FailingConnector(aiohttp.TCPConnector):
    """A connector that makes no connection."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    async def connect(self, *_: object) -> aiohttp.connector.Connection:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        ValueError("static-token"),
        UnicodeEncodeError("latin-1", "static-token", 0, 1, "not in range"),
        TypeError("static-token"),
        RuntimeError("static-token"),
        AssertionError("static-token"),
        KeyError("static-token"),
        ExceptionGroup("static-token", [OSError("static-token")]),
        ImportError("static-token"),
        MemoryError(),
        OSError(24, "Too many open files"),
        aiohttp.InvalidURL("static-token"),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_any_exception_of_aiohttp_before_sending_is_an_error_of_ours(error: BaseException) -> None:
    async with (
        FailingConnector(error) as connector,
        open_transport_to("http://127.0.0.1", connector) as transport,
    ):
        with pytest.raises(TransportError) as caught:
            await transport(send("POST", "http://127.0.0.1"))
    assert not caught.value.sent
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert "static-token" not in str(caught.value)


async def test_a_cancellation_by_the_caller_is_raised() -> None:
    async with serving(None) as server, open_transport_to(server.base_url) as transport:
        task = asyncio.create_task(transport(get(server.base_url)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


HEADS = st.sampled_from(
    [
        OK + TWO,
        CHUNKED,
        CHUNKED + b"2\r\n[]\r\n0\r\n\r\n",
        http(503),
        http(204),
        http(429, b"", "Retry-After: 0"),
        http(200, gzip.compress(b"[]"), "Content-Encoding: gzip"),
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A response with some bytes removed, inserted or doubled."""
    data = bytearray(draw(HEADS))
    for _ in range(draw(st.integers(0, 4))):
        begin = draw(st.integers(0, len(data)))
        end = draw(st.integers(begin, min(len(data), begin + 8)))
        data[begin:end] = draw(st.binary(max_size=8) | st.just(bytes(data[begin:end]) * 2))
    return bytes(data)


class TestDamage:
    @settings(max_examples=60, deadline=None)
    @given(pieces=st.lists(damaged(), min_size=1, max_size=3))
    def test_a_call_ends_with_a_response_or_an_error_of_ours(self, pieces: list[bytes]) -> None:
        async def serve(_request: bytes, writer: asyncio.StreamWriter) -> None:
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0)
            writer.close()

        async def call_twice() -> None:
            async with raw_server(serve) as base_url:
                async with BackupifyClient(
                    StaticToken("static-token"),
                    base_url=base_url,
                    retry=RetryPolicy(attempts=2, base=0, max_throttled=0),
                    timeouts=SHORT,
                ) as client:
                    for call in (client.backups.get_active(42), client.backups.list(42).collect()):
                        try:
                            await call
                        except BackupifyError as error:
                            assert "static-token" not in str(error)  # noqa: PT017 - a response is right too
                for _ in range(5):
                    await asyncio.sleep(0)

        asyncio.run(call_twice())
