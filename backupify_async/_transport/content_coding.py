"""Content codings (RFC 9110 §8.4.1): takes off a body what its Content-Encoding says.

aiohttp would do that too, but takes half a gzip for a whole one, so that half an answer reads like no answer.
"""

import zlib
from collections.abc import Iterator

# RFC 9110 §8.4.1.3: x-gzip is gzip. zlib's own numbers for the two forms.
_GZIP = zlib.MAX_WBITS | 16
_ZLIB, _RAW = zlib.MAX_WBITS, -zlib.MAX_WBITS
_GZIP_BEGINS = b"\x1f\x8b"  # RFC 1952 §2.3.1
_UNDERSTOOD = ("gzip", "x-gzip", "deflate")
_NOT_ASKED_FOR = ("br", "zstd", "compress", "x-compress", "dcb", "dcz")  # of IANA's registry
_MOST_CODINGS = 2  # one on another has been seen where a proxy packs what is packed
_MOST_MEMBERS = 1000  # of one gzip: each costs a copy of what stands behind it
_STEP = 2**20  # bytes that are unpacked at once: between two steps others may run


class BadCoding(ValueError):
    """A body is not packed as its Content-Encoding says, or not to its end."""


class UnknownCoding(ValueError):
    """A body is packed in a way that was not asked for."""


def codings_of(header: str) -> list[str]:
    """The codings to take off, in that order; what is no coding, such as "utf-8", is passed over.

    Raises:
        UnknownCoding: There is one that cannot be taken off, or too many.
    """
    names = [name.strip().lower() for name in header.split(",")]
    for name in names:
        if name in _NOT_ASKED_FOR:
            raise UnknownCoding(f"the body is packed as {name}, which was not asked for")
    understood = [name for name in reversed(names) if name in _UNDERSTOOD]
    if len(understood) > _MOST_CODINGS:
        raise UnknownCoding(f"the body is packed {len(understood)} times over")
    return understood


def most_packed(limit: int) -> int:
    """How large a body may be that is no more than `limit` bytes unpacked."""
    # RFC 1951 §3.2.4: five bytes for every 65,535 that do not get smaller; RFC 1952 §2.3: a head, and a name.
    return limit + limit // 1000 + 2**10


def unpack(body: bytes, coding: str, limit: int) -> Iterator[bytes]:
    """The pieces of an unpacked body, up to a piece beyond `limit` bytes.

    Raises:
        BadCoding: It is not packed so, or its end is missing. What could be read came before.
    """
    form = _GZIP if "gzip" in coding else _ZLIB if _is_zlib(body) else _RAW
    left, given = body, 0
    for _ in range(_MOST_MEMBERS):
        unpacker = zlib.decompressobj(form)
        while not unpacker.eof:
            try:
                piece = unpacker.decompress(left, min(_STEP, limit + 1))
            except zlib.error:
                raise BadCoding(f"the body is not {coding}, as its Content-Encoding says") from None
            left = unpacker.unconsumed_tail
            if not piece and not left and not unpacker.eof:
                raise BadCoding(f"the body's {coding} ends in the midst of it")
            yield piece
            given += len(piece)
            if given > limit:
                return
        left = unpacker.unused_data
        # RFC 1952 §2.2: one member may follow another. Anything else has been seen, and means nothing.
        if form != _GZIP or not left.startswith(_GZIP_BEGINS):
            return
    raise BadCoding(f"the body's {coding} has more than {_MOST_MEMBERS} parts")


def _is_zlib(body: bytes) -> bool:
    """Whether "deflate" is in its zlib form, as RFC 9110 §8.4.1.2 has it, or bare, as has been seen."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0  # RFC 1950 §2.2
