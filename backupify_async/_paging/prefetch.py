"""Pages of a list that are requested before they are needed.

A list is still read from link to link: the `next` of each page names the one that follows. Prefetching only
sends requests early that those links are expected to name, by their page numbers. A wrong guess costs
requests, and never changes the items.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import attrs

from backupify_async._tasks import cancel_and_wait
from backupify_async._transport.request import Request
from backupify_async._transport.transport import Response

_MAX_DIGITS = 19  # of a page number


def numbered_requests(following: Request, last: Request, count: int) -> list[Request]:
    """The requests from the `next` link to the `last` link, by the page number in which the two differ.

    Args:
        following: The request for the `next` link.
        last: The request for the `last` link.
        count: The maximum number of requests.

    Returns:
        The one request where both links are the same; none where they differ in more than one number in the
        query.
    """
    if following == last:
        return [following][:count]
    here, there = following.query.split("&"), last.query.split("&")
    if attrs.evolve(following, query="") != attrs.evolve(last, query="") or len(here) != len(there):
        return []
    differing = [at for at, items in enumerate(zip(here, there, strict=True)) if items[0] != items[1]]
    if len(differing) != 1:
        return []
    (at,) = differing
    (name, _, first), (same, _, end) = here[at].partition("="), there[at].partition("=")
    if name != same or not (_is_page_number(first) and _is_page_number(end)):
        return []
    pages = range(int(first), int(end) + 1)[:count]
    return [
        attrs.evolve(following, query="&".join([*here[:at], f"{name}={page}", *here[at + 1 :]]))
        for page in pages
    ]


def _is_page_number(text: str) -> bool:
    """Whether it is a page number as the next link would write it: without leading zeros."""
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and text == str(int(text))


class Prefetcher:
    """Sends requests, some of them before they are needed. Leaving its `async with` block cancels the rest.

    Args:
        send: Sends a request.
        pages: The number of requests in flight at once, besides the page in hand.
        limit: The number of items wanted; None for all.
    """

    def __init__(
        self, send: Callable[[Request], Awaitable[Response]], pages: int, limit: int | None = None
    ) -> None:
        self._send = send
        self._pages = pages
        self._missing = limit
        self._largest_page = 0
        self._tasks: dict[Request, asyncio.Task[Response]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._cancel(set(self._tasks))

    def pages_needed(self, received: int) -> int:
        """The number of pages to prefetch after a page with `received` items.

        The missing items set the limit, by the largest page so far: no needless page is fetched.
        """
        if self._missing is None:
            return self._pages
        self._missing -= received
        self._largest_page = max(self._largest_page, received)
        needed = math.ceil(self._missing / self._largest_page) if self._largest_page else 1
        return max(0, min(self._pages, needed))

    async def prefetch(self, requests: Sequence[Request]) -> None:
        """Send those of the requests that are not in flight, and cancel all others that are.

        Args:
            requests: The requests that are expected, the next one first. If that one was not expected before,
                the links do not follow the page numbers, and prefetching stops.
        """
        if requests and self._tasks and requests[0] not in self._tasks:
            requests, self._pages = [], 0
        await self._cancel(self._tasks.keys() - set(requests))
        for request in requests:
            if request not in self._tasks:
                task = asyncio.create_task(self._fetch(request), name="backupify_async prefetch")
                task.add_done_callback(_retrieve_exception)
                self._tasks[request] = task

    async def send(self, request: Request) -> Response:
        """The response to a request, which may have been prefetched.

        Raises:
            BackupifyError: The request failed.
        """
        task = self._tasks.pop(request, None)
        return await (self._send(request) if task is None else task)

    async def _fetch(self, request: Request) -> Response:
        return await self._send(request)

    async def _cancel(self, requests: set[Request]) -> None:
        await cancel_and_wait([self._tasks.pop(request) for request in requests])


def _retrieve_exception(task: asyncio.Task[Response]) -> None:
    """Mark the exception of a task as retrieved, or asyncio would log it for a page that is never read."""
    if not task.cancelled():
        task.exception()
