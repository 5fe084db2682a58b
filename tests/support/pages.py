"""Pages of a list without a network, also those that the simulated server never sends."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import UTC, datetime

from yarl import URL

from backupify_async import Backup, NotFound, Paginator
from backupify_async._paging.paginator import paginate
from backupify_async._transport.request import Request
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import respond

Page = tuple[object, str | Mapping[str, str] | None]
"""A JSON body, and its Link header, all its headers, or None."""


class Pages:
    """Takes requests as a session does, and responds with the page of their path and query.

    Args:
        pages: By path and query. All others are empty pages.
        base_url: Origin, optionally with a path prefix.
    """

    def __init__(self, pages: Mapping[str, Page], base_url: str = "https://api.example") -> None:
        self.pages = dict(pages)
        self.base_url = URL(base_url)
        self.asked: list[str] = []
        self.arrived = asyncio.Event()
        self.held_back: asyncio.Event | None = None
        self.missing_once: list[str] = []
        """Paths and queries whose next request gets a 404; one entry for each request."""

    async def __call__(self, request: Request) -> Response:
        base = str(self.base_url.origin() if request.from_origin else self.base_url).rstrip("/")
        url = URL(base + request.target, encoded=True)
        self.asked.append(url.raw_path_qs)
        self.arrived.set()
        if self.held_back is not None:
            await self.held_back.wait()
        if url.raw_path_qs in self.missing_once:
            self.missing_once.remove(url.raw_path_qs)
            raise NotFound(404, "GET", url.raw_path)
        body, headers = self.pages.get(url.raw_path_qs, ([], None))
        if isinstance(headers, str):
            headers = {"Link": headers}
        prepared = PreparedRequest(request.method, url, {}, None, datetime.now(UTC), ("the-token",))
        response = respond(prepared, 200, body, headers)
        if request.decode is not None:
            response.decode(request.decode)
        return response

    def paginator(self, per_page: int | None = None) -> Paginator[Backup]:
        """The list at `/list`."""
        return paginate(self, Backup, "/list", per_page=per_page)


def backups(*ids: int) -> list[dict[str, int]]:
    """Backups as JSON objects."""
    return [{"id": number} for number in ids]


def numbers(found: list[Backup]) -> list[int | str]:
    """The ids of backups."""
    return [backup.id for backup in found]


def three_pages(base_url: str = "https://api.example", prefix: str = "") -> Pages:
    """Two full pages, and a last one that is not."""
    link = f"<{base_url}{prefix}/list?page={{}}>; rel=next".format
    pages: dict[str, Page] = {
        f"{prefix}/list": (backups(1, 2), link(2)),
        f"{prefix}/list?page=2": (backups(3, 4), link(3)),
        f"{prefix}/list?page=3": (backups(5), None),
    }
    return Pages(pages, base_url + prefix)


@contextlib.contextmanager
def collected() -> Iterator[list[AsyncGenerator[object]]]:
    """Async generators that only the garbage collector closed."""
    hooks = sys.get_asyncgen_hooks()
    found: list[AsyncGenerator[object]] = []

    def finalizer(generator: AsyncGenerator[object]) -> None:
        found.append(generator)
        hooks.finalizer(generator) if hooks.finalizer is not None else None

    sys.set_asyncgen_hooks(hooks.firstiter, finalizer)
    try:
        yield found
    finally:
        sys.set_asyncgen_hooks(*hooks)
