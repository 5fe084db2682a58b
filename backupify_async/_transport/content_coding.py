"""Decodes bodies by their Content-Encoding (RFC 9110 §8.4.1).

aiohttp can decode too, but takes half a gzip for a whole one: half a response would read like an empty one.
"""

import zlib
from collections.abc import Iterator

# The `wbits` of zlib. RFC 9110 §8.4.1.3: x-gzip is gzip.
_GZIP = zlib.MAX_WBITS | 16
_ZLIB, _RAW = zlib.MAX_WBITS, -zlib.MAX_WBITS
_GZIP_BEGINS = b"\x1f\x8b"  # RFC 1952 §2.3.1
_UNDERSTOOD = ("gzip", "x-gzip", "deflate")
_NOT_ACCEPTED = ("br", "zstd", "compress", "x-compress", "dcb", "dcz")  # from IANA's registry
_MOST_CODINGS = 2  # two have been seen where a proxy compresses a compressed body
_MOST_MEMBERS = 1000  # of one gzip: each costs a copy of what follows it
_STEP = 2**20  # bytes that are decompressed at once: other tasks can run between two steps


class BadCoding(ValueError):
    """A body is not compressed as its Content-Encoding says, or its end is missing."""


class UnknownCoding(ValueError):
    """A body has a coding that the request did not accept."""


def codings_of(header: str) -> list[str]:
    """The codings to decode, in that order. A value that is not a coding, such as "utf-8", is ignored.

    Raises:
        UnknownCoding: One of them cannot be decoded, or there are too many.
    """
    names = [name.strip().lower() for name in header.split(",")]
    for name in names:
        if name in _NOT_ACCEPTED:
            raise UnknownCoding(f"the body is encoded as {name}, which the request did not accept")
    understood = [name for name in reversed(names) if name in _UNDERSTOOD]
    if len(understood) > _MOST_CODINGS:
        raise UnknownCoding(f"the body is encoded {len(understood)} times")
    return understood


def most_packed(limit: int) -> int:
    """The largest compressed size of a body of at most `limit` bytes."""
    # RFC 1951 §3.2.4: five bytes for each 65,535 incompressible ones; RFC 1952 §2.3: a header with a name.
    return limit + limit // 1000 + 2**10


def unpack(body: bytes, coding: str, limit: int) -> Iterator[bytes]:
    """Yield the pieces of the decompressed body, up to the first piece beyond `limit` bytes.

    Raises:
        BadCoding: The body is not compressed in this way, or its end is missing. All readable pieces were
            yielded before.
    """
    form = _GZIP if "gzip" in coding else _ZLIB if _is_zlib(body) else _RAW
    remaining, yielded = body, 0
    for _ in range(_MOST_MEMBERS):
        decompressor = zlib.decompressobj(form)
        while not decompressor.eof:
            try:
                piece = decompressor.decompress(remaining, min(_STEP, limit + 1))
            except zlib.error:
                raise BadCoding(f"the body is not {coding}, as its Content-Encoding says") from None
            remaining = decompressor.unconsumed_tail
            if not piece and not remaining and not decompressor.eof:
                raise BadCoding(f"the body's {coding} data is cut off")
            yield piece
            yielded += len(piece)
            if yielded > limit:
                return
        remaining = decompressor.unused_data
        # RFC 1952 §2.2: another member can follow. Anything else has been seen, and is ignored.
        if form != _GZIP or not remaining.startswith(_GZIP_BEGINS):
            return
    raise BadCoding(f"the body's {coding} data has more than {_MOST_MEMBERS} members")


def _is_zlib(body: bytes) -> bool:
    """Whether "deflate" has the zlib header of RFC 9110 §8.4.1.2. Bare deflate data has been seen, too."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0  # RFC 1950 §2.2
