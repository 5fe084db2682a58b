"""Pages of a list that are asked for before their turn.

A list goes on from link to link, however many pages are under way: each page's own `next` names the one that
follows. All that happens here is that requests are begun which such links are going to name, as far as page
numbers tell. So a wrong guess costs requests, and never changes what is read.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import attrs

from backupify_async._tasks import cancel_and_wait
from backupify_async._transport.request import Request, Response

_TOO_LONG = 20  # digits of a page's number


def numbered(following: Request, last: Request, count: int) -> list[Request]:
    """The requests from the `next` link's up to the `last` link's, by the page number that tells them apart.

    Args:
        following: What the `next` link stands for.
        last: What the `last` link stands for.
        count: How many at most.

    Returns:
        The one request where both links are the same, and none where more differs than a number of the query.
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
    if name != same or not (_is_number(first) and _is_number(end)):
        return []
    pages = range(int(first), int(end) + 1)[:count]
    return [
        attrs.evolve(following, query="&".join([*here[:at], f"{name}={page}", *here[at + 1 :]]))
        for page in pages
    ]


def _is_number(text: str) -> bool:
    """Whether it counts pages: one with leading zeros would be spelled otherwise by the next link."""
    return text.isascii() and text.isdigit() and len(text) < _TOO_LONG and text == str(int(text))


class Prefetcher:
    """Sends requests, some of them before they are wanted. What it began ends with its `async with` block.

    Args:
        send: Sends a request.
        pages: How many to have under way at once, beside the page in hand.
        limit: How many items are wanted in all; None for any number.
    """

    def __init__(
        self, send: Callable[[Request], Awaitable[Response]], pages: int, limit: int | None = None
    ) -> None:
        self._send = send
        self._pages = pages
        self._missing = limit
        self._fullest = 0
        self._begun: dict[Request, asyncio.Task[Response]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._forget(set(self._begun))

    def room(self, came: int) -> int:
        """How many pages to have under way, now that one with `came` items is there.

        No more than the missing items fill, by the fullest page so far: no page too many is fetched.
        """
        if self._missing is None:
            return self._pages
        self._missing -= came
        self._fullest = max(self._fullest, came)
        needed = math.ceil(self._missing / self._fullest) if self._fullest else 1
        return max(0, min(self._pages, needed))

    async def expect(self, requests: Sequence[Request]) -> None:
        """Begin those of the requests that are not under way, and give up whatever else is.

        Args:
            requests: What will be wanted, the next one first. Where that one was not thought of before, the
                links are not what they seemed to be, and nothing is begun any more.
        """
        if requests and self._begun and requests[0] not in self._begun:
            requests, self._pages = [], 0
        await self._forget(self._begun.keys() - set(requests))
        for request in requests:
            if request not in self._begun:
                task = asyncio.create_task(self._answer(request), name="backupify_async prefetch")
                task.add_done_callback(_take_note)
                self._begun[request] = task

    async def send(self, request: Request) -> Response:
        """The answer to a request, which may have come long ago.

        Raises:
            BackupifyError: What sending it raised.
        """
        task = self._begun.pop(request, None)
        return await (self._send(request) if task is None else task)

    async def _answer(self, request: Request) -> Response:
        return await self._send(request)

    async def _forget(self, requests: set[Request]) -> None:
        await cancel_and_wait([self._begun.pop(request) for request in requests])


def _take_note(task: asyncio.Task[Response]) -> None:
    """Look at how a task ended, or asyncio would complain of an error that nobody was to see."""
    if not task.cancelled():
        task.exception()
