"""Reads the body of an aiohttp response: under a cap, and with its content codings undone."""

import asyncio

import aiohttp
from aiohttp import hdrs

from backupify_async._transport.attempt_timeouts import AttemptScope
from backupify_async._transport.content_coding import (
    BadCoding,
    UnknownCoding,
    codings_of,
    most_packed,
    unpack,
)
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.errors import DecodeError

ERROR_BODY_BYTES = 64 * 2**10
"""How much of an error's body is read."""

_CHUNK_BYTES = 64 * 2**10
_NO_CONTENT = (204, 304)  # RFC 9110 §15.3.5, §15.4.5


async def read_response(
    request: PreparedRequest, raw: aiohttp.ClientResponse, attempt: AttemptScope, max_body_bytes: int
) -> Response:
    """The whole response. Only an error's body can be cut: its status stands without it.

    Raises:
        DecodeError: The body is larger than `max_body_bytes`, or its coding is unknown.
        BadCoding, aiohttp.ClientError: The body of a 2xx is broken.
    """
    is_error = not 200 <= raw.status < 300
    limit = ERROR_BODY_BYTES if is_error else max_body_bytes
    body, whole = b"", False
    try:
        header = ", ".join(raw.headers.getall(hdrs.CONTENT_ENCODING, ()))
        codings = codings_of(header) if raw.status not in _NO_CONTENT else []
        body, whole = await _read_up_to(raw, most_packed(limit) if codings else limit)
        for coding in codings:
            body, all_unpacked = await _unpack(body, coding, limit, accept_part=is_error or not whole)
            whole = whole and all_unpacked
    except (BadCoding, aiohttp.ClientError):
        if not is_error:
            raise
    except UnknownCoding as error:
        if not is_error:
            unread = Response(request, raw.status, raw.headers, b"")
            raise _undecodable(unread, str(error)) from None
    except asyncio.CancelledError:
        if not is_error or attempt.ended_by() is None:
            raise
    response = Response(request, raw.status, raw.headers, body, whole, attempt.transport)
    if whole or is_error:
        return response
    raise _undecodable(response, f"the body is larger than max_body_bytes={limit}")


async def _read_up_to(raw: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of the body, counted while they arrive, and whether that is all of it."""
    body = bytearray()
    async for chunk in raw.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > limit:
            return bytes(body[:limit]), False
    return bytes(body), True


async def _unpack(body: bytes, coding: str, limit: int, *, accept_part: bool) -> tuple[bytes, bool]:
    """At most `limit` bytes of a packed body, and whether that is all of it.

    Raises:
        BadCoding: It is not packed with this coding, or is cut short, and a part is not accepted.
    """
    unpacked = bytearray()
    try:
        for piece in unpack(body, coding, limit):
            if unpacked:
                await asyncio.sleep(0)  # the next piece can be another mebibyte
            unpacked += piece
    except BadCoding:
        if not accept_part:
            raise
        return bytes(unpacked[:limit]), False
    return bytes(unpacked[:limit]), len(unpacked) <= limit


def _undecodable(response: Response, problem: str) -> DecodeError:
    path, status = response.request.url.path, response.status
    gave_up = "it would be the same again"
    return DecodeError(problem, path, response.content_type, response.excerpt, status, gave_up)
