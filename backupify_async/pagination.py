"""Lists, page by page, over Link headers (RFC 8288)."""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from backupify_async.checks import check_count
from backupify_async.errors import PaginationError
from backupify_async.pages import Answer, Page, follow, read_page
from backupify_async.prefetching import Prefetcher, numbered
from backupify_async.transport.request import Request, Response, identifier
from backupify_async.transport.wire import ModelT, decode_list

T = TypeVar("T")

_MOST_KEPT = 8  # pages of a list's end


def paginate(
    send: Callable[[Request], Awaitable[Response]],
    model: type[ModelT],
    template: str,
    *,
    query: Mapping[str, int | str | None] | None = None,
    per_page: int | None = None,
    prefetch: int = 0,
    **ids: int | str,
) -> "Paginator[ModelT]":
    """A list of the API.

    Args:
        send: Sends a request.
        model: What the list holds.
        template: The path, with its `{names}`.
        query: Query items; one that is None is left out.
        per_page: How many items to ask for at once; None leaves it to the server, which may cap or ignore it.
        prefetch: How many pages to ask for ahead of the one in hand, where their numbers are known.
        **ids: What the names stand for.

    Raises:
        TypeError, ValueError: An id, a query item or a number makes no sense; the message names it.
    """
    if per_page is not None:
        check_count("per_page", per_page)
    check_count("prefetch", prefetch, minimum=0)
    for name, value in (query or {}).items():
        if value is not None:
            identifier(value, name)
    items = {**(query or {}), "per_page": per_page}
    request = Request.get(template, query=items, answers=frozenset(), **ids)
    return Paginator(send, request, partial(decode_list, model=model), prefetch=prefetch)


class Paginator(Generic[T]):
    """A list that is fetched while it is read: `async for item in paginator`.

    Nothing is asked before the first item is wanted, and each iteration begins anew. Items that have come
    are handed out before an error is raised.

    Args:
        send: Sends a request.
        request: Asks for the first page.
        read: Reads the items of an answer.
        prefetch: How many pages to ask for ahead of the one in hand.

    Iterating, `pages`, `collect` and `last` raise:
        PaginationError: A page comes a second time, or a Link header cannot be read.
        UnsafeLink: A Link leads to another origin; it is not followed.
        BackupifyError: A page cannot be had.
    """

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Response]],
        request: Request,
        read: Callable[[Response], list[T]],
        *,
        prefetch: int = 0,
    ) -> None:
        self._send = send
        self._request = request
        self._read = read
        self._prefetch = prefetch
        self._begun: WeakSet[AsyncGenerator[object]] = WeakSet()

    def __aiter__(self) -> AsyncGenerator[T]:
        return self._begin(self._iterate_items())

    def pages(self) -> AsyncGenerator[Page[T]]:
        """The list page by page."""
        return self._begin(self._iterate_pages())

    def pages_backwards(self) -> AsyncGenerator[Page[T]]:
        """The list page by page from its end, by `rel="last"` and then `prev`.

        Each page has its items in the server's order. Where the last page names none before it although the
        list has more, that raises `PaginationError`.
        """
        return self._begin(self._iterate_backwards())

    async def collect(self, limit: int | None = None) -> list[T]:
        """The items in a list, fetching no more pages than that takes.

        Args:
            limit: How many items at most; None for all.

        Raises:
            ValueError: `limit` is no whole number from 0 up.
        """
        if limit is not None:
            check_count("limit", limit, minimum=0)
        items: list[T] = []
        if limit == 0:
            return items
        async with contextlib.aclosing(self._iterate_pages(limit)) as pages:
            async for page in pages:
                items += page.items
                if limit is not None and len(items) >= limit:
                    break
        return items[:limit]

    async def last(self) -> T | None:
        """The last item, in two calls however long the list is: by `rel="last"`. One, where it fits a page.

        Where the list grew meanwhile, the pages behind are read too; from an empty last page it goes back.
        """
        answer = self._answer(await self._send(self._request), 1)
        ahead = follow(answer, "last") or follow(answer, "next")
        if ahead is None:
            return answer.page.items[-1] if answer.page.items else None
        answer, newest = await self._read_on(ahead)
        back = None if newest else follow(answer, "prev")
        if back is not None:
            async with contextlib.aclosing(self._chain(back, "prev", self._send)) as answers:
                async for answer in answers:
                    if answer.page.items:
                        return answer.page.items[-1]
        if not newest:  # the end is empty and names nothing before it: what the first page holds may be old
            _, newest = await self._read_on(self._request)
        return newest[0] if newest else None

    async def aclose(self) -> None:
        """End all iterations of this list that were begun and not finished.

        One that another task is just waiting on ends with that task.
        """
        for iteration in list(self._begun):
            if not getattr(iteration, "ag_running", False):
                await iteration.aclose()

    def _begin(self, iteration: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
        self._begun.add(iteration)
        return iteration

    async def _iterate_items(self) -> AsyncGenerator[T]:
        async with contextlib.aclosing(self._iterate_pages()) as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def _iterate_pages(self, limit: int | None = None) -> AsyncGenerator[Page[T]]:
        async with (
            Prefetcher(self._send, self._prefetch, limit) as prefetcher,
            contextlib.aclosing(self._chain(self._request, "next", prefetcher.send)) as answers,
        ):
            async for answer in answers:
                room = prefetcher.room(len(answer.page.items))
                await prefetcher.expect(_numbered(answer, room))
                yield answer.page

    async def _iterate_backwards(self) -> AsyncGenerator[Page[T]]:
        first = self._answer(await self._send(self._request), 1)
        ahead = follow(first, "last") or follow(first, "next")
        if ahead is None:
            yield first.page
            return
        end: deque[Answer[T]] = deque(maxlen=_MOST_KEPT)  # more than one only where the list grows meanwhile
        async with contextlib.aclosing(self._chain(ahead, "next", self._send)) as answers:
            async for answer in answers:
                end.append(answer)
        for answer in reversed(end):
            yield answer.page
        back = follow(end[0], "prev")
        if back is None:
            raise PaginationError(f"the end of the list, {end[0].url}, names no page before it")
        async with contextlib.aclosing(self._chain(back, "prev", self._send)) as answers:
            async for answer in answers:
                yield answer.page

    async def _chain(
        self, request: Request, relation: str, send: Callable[[Request], Awaitable[Response]]
    ) -> AsyncGenerator[Answer[T]]:
        """The page that a request asks for, and all that follow it by one relation."""
        seen: set[str] = set()
        ahead: Request | None = request
        while ahead is not None:
            answer = self._answer(await send(ahead), len(seen) + 1)
            seen.add(answer.url.raw_path_qs)
            yield answer
            ahead = follow(answer, relation)
            if ahead is not None and ahead.target in seen:
                raise PaginationError(f"the list goes in a circle: {answer.page.links[relation]} comes again")

    async def _read_on(self, request: Request) -> tuple[Answer[T], list[T]]:
        """Follow `next` to the end: the last answer, and the last item of all in a list, if there was one."""
        newest: list[T] = []
        async with contextlib.aclosing(self._chain(request, "next", self._send)) as answers:
            async for answer in answers:
                newest = answer.page.items[-1:] or newest
        return answer, newest

    def _answer(self, response: Response, number: int) -> Answer[T]:
        return read_page(response, self._read(response), number)


def _numbered(answer: Answer[Any], count: int) -> list[Request]:
    """What the following pages will be asked for with, as far as this one's links tell: so many at most."""
    if count == 0:
        return []
    try:
        following, last = follow(answer, "next"), follow(answer, "last")
    except PaginationError:
        return []  # it is raised when its turn comes
    return [] if following is None or last is None else numbered(following, last, count)
