"""Connections that are kept, and when one may be used again.

HTTP/1.1 has no number that ties an answer to its request, only their order. A server or a proxy that sends an
answer too many gives it to whoever asks next, so a kept connection on which anything came is closed unread.
What comes shows in three places: in the kernel, where the loop has not read it yet; in aiohttp's queue, as an
answer that nobody fetched; and as a part of one, which only our own protocol class notices.
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
"""The longest field, and the longest line; a policy or a cursor may take more than aiohttp's 8,190."""

_RECEIVED_BYTES = 64 * 2**10  # at once, from a socket
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

_Look = Callable[[], object]
_looks: WeakKeyDictionary[ResponseHandler, _Look] = WeakKeyDictionary()
"""The connections of callers' connectors over which a request went."""


class UsedUp(Exception):
    """A kept connection cannot be used again. Nothing was sent over it, and it is closed."""


class _Protocol(ResponseHandler):
    """aiohttp's, which hears what nobody asked for, and whom a bad end does not cost the answer before it."""

    look: _Look | None = None
    """Looks whether something came that was not read yet; None while no request has left."""
    _unheard = b""

    def begin(self) -> object:
        """A request is about to leave. Has anything come since the last answer, or gone wrong?"""
        self._payload, self._unheard = None, b""
        # The rest of what `should_close` asks was asked when the connection was given back.
        return self._buffer or self._should_close

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        payload = self._payload
        if payload is None:
            self._unheard = self._unheard + data if self._unheard else data
        elif data and payload.is_eof() and self._waiter is None and not self._buffer and self.transport:
            self.force_close()  # the answer is over, and nobody has asked for another
            self.transport.close()
            return
        ResponseHandler.data_received(self, data)  # before Python 3.12, `super()` makes an object each time

    def resume_reading(self, resume_parser: bool = True) -> None:
        """Go on reading, if that was paused. For each body that was not, aiohttp parses nothing once more."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Fail whoever waits; aiohttp calls this for all that its parser was given at once."""
        if isinstance(exc, HttpProcessingError):
            if self._payload is None:
                if self._read_head_alone():
                    return
            elif not self._payload.is_eof():
                # aiohttp tells nobody who waits for more of a body.
                self._payload.set_exception(aiohttp.ClientPayloadError("no HTTP"))
        super().set_exception(exc, *cause)

    def _read_head_alone(self) -> bool:
        """Take the head, and then what stands behind it. Was there a whole one?

        A 204 ends with its head (RFC 9112 §6.3), but some send a last chunk behind it; others send a body
        that is longer than they said.
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
            return self._exception is not None  # then it is told already
        super().data_received(data[end:])
        return True


class Connector(aiohttp.TCPConnector):
    """A pool of our own, of as many connections as are needed.

    Args:
        reuse: Whether connections are kept.
    """

    def __init__(self, *, reuse: bool) -> None:
        super().__init__(limit=0, force_close=not reuse)
        protocol = partial(_Protocol, loop=self._loop)
        # There is no public way to choose it. An aiohttp of another make goes without.
        if all(hasattr(protocol(), part) for part in _INNER_PARTS):
            self._factory = protocol  # type: ignore[assignment] # of a subclass


class Sending(aiohttp.ClientRequest):
    """A request that tells its attempt when it leaves, and leaves over no connection that is used up."""

    def send(self, conn: Connection) -> Coroutine[Any, Any, aiohttp.ClientResponse]:
        """Send it.

        Raises:
            UsedUp: The connection cannot be used.
        """
        protocol = conn.protocol
        if protocol is None:
            raise UsedUp
        if isinstance(protocol, _Protocol):
            look, used_up = protocol.look, protocol.begin()
        else:
            look, used_up = _looks.get(protocol), protocol.should_close
        if look is None:
            _take_up(protocol)
        elif used_up or look():
            raise UsedUp
        attempt = ATTEMPT.get()
        attempt.waits_for()
        attempt.transport = protocol.transport
        return aiohttp.ClientRequest.send(self, conn)


def _take_up(protocol: ResponseHandler) -> None:
    """Remember a new connection."""
    look = _look_at(protocol.transport)
    if not isinstance(protocol, _Protocol):
        _looks[protocol] = look
        return
    protocol.look = look
    transport: Any = protocol.transport
    # asyncio's own loop reads into a new buffer of so many bytes each time, and its 256 KiB are enough for
    # the C library to map and unmap them: a tenth of a call. TLS has buffers of its own.
    if getattr(transport, "max_size", 0) > _RECEIVED_BYTES:
        transport.max_size = _RECEIVED_BYTES


def _look_at(transport: Any) -> _Look:
    """What looks whether a socket has something that the loop has not read: bytes, or the end."""
    socket = None if transport is None else transport.get_extra_info("socket")
    if socket is None:
        return lambda: True
    if not hasattr(select, "poll"):  # as on Windows
        return lambda: select.select([socket], [], [], 0)[0]
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return partial(poll.poll, 0)
