"""Kept connections, and when one can be used again.

HTTP/1.1 ties a response to its request by their order alone. Where a server or a proxy sends one response
too many, the next request gets it. So a kept connection on which bytes arrived is closed unread. Such bytes
show in three places: in the kernel, where the loop has not read them yet; in aiohttp's queue, as a response
that no request fetched; and as a part of a response, which only our protocol class notices.
"""

import select
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, HttpResponseParser

from backupify_async._transport.attempt_timeouts import AttemptScope

ATTEMPT: ContextVar[AttemptScope] = ContextVar("backupify_async_attempt")
"""The attempt that the running task makes."""

HEADER_BYTES = 64 * 2**10
"""The longest field, and the longest line: a policy or a cursor can take more than aiohttp's 8,190."""

_RECEIVED_BYTES = 64 * 2**10  # read from a socket at once
_INNER_PARTS = (  # of aiohttp's protocol
    "_buffer",
    "_parser",
    "_payload",
    "_read_bufsize",
    "_reading_paused",
    "_should_close",
    "_waiter",
)
_END_OF_HEAD = b"\r\n\r\n"

_UnreadCheck = Callable[[], object]
_checks: WeakKeyDictionary[ResponseHandler, _UnreadCheck] = WeakKeyDictionary()
"""The checks of the used connections of users' connectors."""


class UsedUp(Exception):
    """A kept connection cannot be used again: it is closed, and nothing was sent."""


class _Protocol(ResponseHandler):
    """aiohttp's protocol; it notices unsolicited bytes, and keeps a response that bad bytes follow."""

    check: _UnreadCheck | None = None
    """Checks for unread bytes; None before the first request."""
    _unheard = b""

    def begin(self) -> object:
        """Begin a request; return whether bytes came since the last response, or something failed."""
        self._payload, self._unheard = None, b""
        # `should_close` checked the rest when the connection was given back.
        return self._buffer or self._should_close

    def data_received(self, data: bytes) -> None:
        """Receive bytes."""
        payload = self._payload
        if payload is None:
            self._unheard = self._unheard + data if self._unheard else data
        elif data and payload.is_eof() and self._waiter is None and not self._buffer and self.transport:
            self.force_close()  # the response is complete, and no request was sent since
            self.transport.close()
            return
        ResponseHandler.data_received(self, data)  # before Python 3.12, `super()` makes an object each time

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Resume reading, if it was paused. For a body that was not, aiohttp runs its parser on no bytes."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Fail the waiting request. aiohttp calls this for all bytes that its parser got at once."""
        if isinstance(exc, HttpProcessingError):
            if self._payload is None:
                if self._read_head_alone():
                    return
            elif not self._payload.is_eof():
                # aiohttp does not tell the reader of the body.
                self._payload.set_exception(aiohttp.ClientPayloadError("no HTTP"))
        super().set_exception(exc, *cause)

    def _read_head_alone(self) -> bool:
        """Parse the head alone, then the rest; return whether there was a whole head.

        A 204 ends with its head (RFC 9112 §6.3), but some servers send a last chunk after it; others send a
        body that is longer than they declared.
        """
        data, self._unheard = self._unheard, b""
        end = data.find(_END_OF_HEAD) + len(_END_OF_HEAD)
        if not len(_END_OF_HEAD) <= end < len(data):
            return False
        self._parser = HttpResponseParser(
            self,
            self._loop,
            self._read_bufsize,
            payload_exception=aiohttp.ClientPayloadError,
            read_until_eof=True,
            auto_decompress=False,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )
        self.force_close()
        super().data_received(data[:end])
        if self._payload is None:
            return self._exception is not None  # then the request has failed already
        super().data_received(data[end:])
        return True


class Connector(aiohttp.TCPConnector):
    """Our own pool, without a limit on connections.

    Args:
        reuse: Whether connections are kept.
    """

    def __init__(self, *, reuse: bool) -> None:
        super().__init__(limit=0, force_close=not reuse)
        protocol = partial(_Protocol, loop=self._loop)
        # There is no public way to set it. An aiohttp with other internals keeps its own protocol.
        if all(hasattr(protocol(), part) for part in _INNER_PARTS):
            self._factory = protocol  # type: ignore[assignment] # of a subclass


class CheckedRequest(aiohttp.ClientRequest):
    """A request that records in its attempt when it is sent, and refuses a connection that is used up."""

    def send(self, conn: Connection) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        """Send it.

        Raises:
            UsedUp: The connection cannot be used.
        """
        protocol = conn.protocol
        if protocol is None:
            raise UsedUp
        if isinstance(protocol, _Protocol):
            check, used_up = protocol.check, protocol.begin()
        else:
            check, used_up = _checks.get(protocol), protocol.should_close
        if check is None:
            _remember(protocol)
        elif used_up or check():
            raise UsedUp
        attempt = ATTEMPT.get()
        attempt.waits_for()
        attempt.transport = protocol.transport
        return aiohttp.ClientRequest.send(self, conn)


def _remember(protocol: ResponseHandler) -> None:
    """Remember a new connection."""
    check = _unread_check(protocol.transport)
    if not isinstance(protocol, _Protocol):
        _checks[protocol] = check
        return
    protocol.check = check
    transport: Any = protocol.transport
    # asyncio's own loop reads into a new buffer of `max_size` bytes each time. Its 256 KiB are enough for
    # the C library to map and unmap memory: a tenth of a call. TLS has other buffers.
    if getattr(transport, "max_size", 0) > _RECEIVED_BYTES:
        transport.max_size = _RECEIVED_BYTES


def _unread_check(transport: Any) -> _UnreadCheck:
    """A check whether a socket has something that the loop has not read: bytes, or the end."""
    socket = None if transport is None else transport.get_extra_info("socket")
    if socket is None:
        return lambda: True
    if not hasattr(select, "poll"):  # as on Windows
        return lambda: select.select([socket], [], [], 0)[0]
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return partial(poll.poll, 0)
