"""Content codings: a whole body is decoded, and an incomplete one is an error."""

import contextlib
import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import DecodeError, TransportError
from backupify_async._transport.content_coding import (
    BadCoding,
    UnknownCoding,
    codings_of,
    most_packed,
    unpack,
)
from tests.support.aiohttp_transports import get, open_transport_to
from tests.support.raw_servers import http, serving

BODY = b'{"id": 1, "status": "running"}'


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
}


def unpacked(body: bytes, coding: str, limit: int = 10**6) -> bytes:
    return b"".join(unpack(body, coding, limit))


class TestCodingsOfAHeader:
    @pytest.mark.parametrize(
        ("header", "codings"),
        [
            ("", []),
            ("identity", []),
            ("utf-8", []),
            ("aws-chunked", []),
            ("GZIP", ["gzip"]),
            (" x-gzip , identity", ["x-gzip"]),
            ("gzip, deflate", ["deflate", "gzip"]),
            ("\udcff\x1b", []),
        ],
    )
    def test_codings_are_decoded_from_the_last_to_the_first(self, header: str, codings: list[str]) -> None:
        assert codings_of(header) == codings

    @pytest.mark.parametrize("header", ["br", "zstd", "gzip, BR", "gzip, gzip, gzip", "compress"])
    def test_codings_that_cannot_be_decoded_are_named(self, header: str) -> None:
        with pytest.raises(UnknownCoding, match="the body is encoded"):
            codings_of(header)


class TestDecompression:
    @pytest.mark.parametrize("coding", PACKERS)
    @given(body=st.binary(max_size=5000))
    def test_a_body_is_decompressed(self, coding: str, body: bytes) -> None:
        packed = PACKERS[coding](body)
        assert len(packed) <= most_packed(len(body))
        assert unpacked(packed, coding) == body

    @given(st.binary(max_size=5000))
    def test_a_deflate_body_can_lack_its_zlib_header(self, body: bytes) -> None:
        assert unpacked(raw_deflate(body), "deflate") == body

    @pytest.mark.parametrize("coding", PACKERS)
    @given(body=st.binary(max_size=500), data=st.data())
    def test_a_body_that_was_cut_anywhere_is_an_error(
        self, coding: str, body: bytes, data: st.DataObject
    ) -> None:
        packed = PACKERS[coding](body)
        with pytest.raises(BadCoding):
            unpacked(packed[: data.draw(st.integers(0, len(packed) - 1))], coding)

    @pytest.mark.parametrize("coding", PACKERS)
    @given(body=st.binary(max_size=200))
    def test_any_bytes_are_decompressed_or_an_error(self, coding: str, body: bytes) -> None:
        with contextlib.suppress(BadCoding):
            assert len(unpacked(body, coding, limit=1000)) <= 1001

    def test_a_gzip_can_have_several_members(self) -> None:
        assert unpacked(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip") == b"one two"

    def test_a_later_member_that_was_cut_is_an_error(self) -> None:
        with pytest.raises(BadCoding, match="gzip data is cut off"):
            unpacked(gzip.compress(b"one ") + gzip.compress(b"two")[:-1], "gzip")

    @pytest.mark.parametrize("trailing", [b"\0" * 20, b"\r\n", b"x"])
    def test_other_bytes_after_the_end_are_ignored(self, trailing: bytes) -> None:
        assert unpacked(gzip.compress(BODY) + trailing, "gzip") == BODY

    def test_a_flipped_bit_is_an_error(self) -> None:
        packed = bytearray(gzip.compress(BODY))
        packed[-5] ^= 1
        with pytest.raises(BadCoding, match="not gzip, as its Content-Encoding says"):
            unpacked(bytes(packed), "gzip")

    def test_a_bomb_yields_little_more_than_the_limit(self) -> None:
        bomb = gzip.compress(b"\0" * 50_000_000)
        assert len(unpacked(bomb, "gzip", limit=1000)) == 1001

    def test_a_bomb_of_many_members_is_an_error(self) -> None:
        with pytest.raises(BadCoding, match="more than 1000 members"):
            unpacked(gzip.compress(b"") * 2000, "gzip")


class TestOverASocket:
    @pytest.mark.parametrize("coding", PACKERS)
    async def test_a_whole_body_is_read(self, coding: str) -> None:
        raw = http(200, PACKERS[coding](BODY), f"Content-Encoding: {coding}")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            assert (await transport(get(server.base_url))).body == BODY

    async def test_a_body_that_was_compressed_twice_is_read(self) -> None:
        raw = http(200, zlib.compress(gzip.compress(BODY)), "Content-Encoding: gzip, deflate")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            assert (await transport(get(server.base_url))).body == BODY

    async def test_a_large_body_is_decompressed_in_pieces(self) -> None:
        body = b"x" * 5_000_000
        raw = http(200, gzip.compress(body), "Content-Encoding: gzip")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            assert (await transport(get(server.base_url))).body == body

    @pytest.mark.parametrize("coding", PACKERS)
    @pytest.mark.parametrize("cut", [0, 3, -1])
    async def test_an_incomplete_compressed_body_is_an_incomplete_response(
        self, coding: str, cut: int
    ) -> None:
        raw = http(201, PACKERS[coding](BODY)[:cut], f"Content-Encoding: {coding}")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError, match="data is cut off") as caught:
                await transport(get(server.base_url))
        assert (caught.value.sent, caught.value.status) == (True, 201)

    async def test_a_body_that_is_not_compressed_at_all_is_an_error(self) -> None:
        raw = http(200, BODY, "Content-Encoding: gzip")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(TransportError, match="the body is not gzip, as its Content-Encoding says"):
                await transport(get(server.base_url))

    async def test_a_coding_that_was_not_accepted_is_named(self) -> None:
        raw = http(200, BODY, "Content-Encoding: br", "Content-Type: application/json")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            with pytest.raises(
                DecodeError, match="the body is encoded as br, which the request did not accept"
            ):
                await transport(get(server.base_url))

    async def test_a_response_without_content_needs_no_coding(self) -> None:
        async with (
            serving(b"HTTP/1.1 204 X\r\nContent-Encoding: gzip\r\n\r\n") as server,
            open_transport_to(server.base_url) as transport,
        ):
            assert (await transport(get(server.base_url))).status == 204

    @pytest.mark.parametrize(
        ("body", "coding", "kept"),
        [
            (gzip.compress(BODY)[:-1], "gzip", BODY),
            (BODY, "gzip", b""),
            (BODY, "br", b""),
            (b"", "gzip", b""),
            (gzip.compress(b"x" * 100_000), "gzip", b"x" * 65_536),
        ],
        ids=["cut", "not compressed", "not accepted", "empty", "long"],
    )
    async def test_the_readable_part_of_an_error_response_is_kept(
        self, body: bytes, coding: str, kept: bytes
    ) -> None:
        raw = http(503, body, f"Content-Encoding: {coding}")
        async with serving(raw) as server, open_transport_to(server.base_url) as transport:
            response = await transport(get(server.base_url))
        assert (response.status, response.body, response.whole) == (503, kept, False)
