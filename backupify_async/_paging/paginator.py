"""Lists, page by page, over Link headers (RFC 8288)."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from backupify_async._call_context import Operation
from backupify_async._checks import check_count
from backupify_async._codec.decode import decode_list
from backupify_async._codec.readers import ModelT
from backupify_async._paging.chain import Chain
from backupify_async._paging.last_page import End, EndCheck
from backupify_async._paging.page import Answer, Page, follow
from backupify_async._paging.prefetch import Prefetcher, numbered
from backupify_async._transport.request import Request, Response
from backupify_async.errors import PaginationError
from backupify_async.ids import identifier

T = TypeVar("T")


def paginate(
    send: Callable[[Request], Awaitable[Response]],
    model: type[ModelT],
    template: str,
    *,
    query: Mapping[str, int | str | None] | None = None,
    per_page: int | None = None,
    prefetch: int = 0,
    check: Callable[[Response, list[ModelT]], None] | None = None,
    check_end: EndCheck[ModelT] | None = None,
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
        check: Raises `DecodeError` where what was read of a page is not what was asked for.
        check_end: Raises where what is at the list's end cannot be the newest.
        **ids: What the names stand for.

    Raises:
        TypeError, ValueError: An id, a query item or a number makes no sense; the message names it.
    """
    if per_page is not None:
        check_count("per_page", per_page)
    check_count("prefetch", prefetch, minimum=0)
    if query is not None:
        for name, value in query.items():
            if value is not None:
                identifier(value, name)
    items = query if per_page is None else {**(query or {}), "per_page": per_page}

    def decode(response: Response) -> list[ModelT]:
        found = decode_list(response, model)
        if check is not None:
            check(response, found)
        return found

    request = Request.get(template, query=items, answers=frozenset(), decode=decode, **ids)
    return Paginator(send, request, prefetch=prefetch, check_end=check_end)


class Paginator(Generic[T]):
    """A list that is fetched while it is read: `async for item in paginator`.

    Nothing is asked before the first item is wanted, and each iteration begins anew. Items that have come
    are handed out before an error is raised.

    Args:
        send: Sends a request, and has its answer decoded.
        request: Asks for the first page, and decodes the items of each.
        prefetch: How many pages to ask for ahead of the one in hand.
        check_end: Raises where what is at the list's end cannot be the newest.

    Iterating, `pages`, `collect`, `newest` and `last` raise:
        PaginationError: The list has no end that the server tells: a page comes a second time, by its URL or
            by what is on it, a few in a row are empty, a Link header cannot be read, or is missing where more
            items are counted than have come. Of `newest` and `last` also: the newest is not at its end.
        UnsafeLink: A Link leads to another origin; it is not followed.
        BackupifyError: A page cannot be had.
    """

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Response]],
        request: Request,
        *,
        prefetch: int = 0,
        check_end: EndCheck[T] | None = None,
    ) -> None:
        self._send = send
        self._request = request
        self._check_end = check_end
        self._prefetch = prefetch
        self._begun: WeakSet[AsyncGenerator[object]] | None = None  # most lists are collected: none is needed

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
        with Operation():
            async with self._answers(limit) as answers:
                async for answer in answers:
                    items += answer.items
                    if limit is not None and len(items) >= limit:
                        break
        return items[:limit]

    async def newest(self, count: int) -> list[T]:
        """The newest items, the newest first, fetching no more pages from the list's end than that takes.

        Args:
            count: How many at most.

        Raises:
            ValueError: `count` is no whole number from 0 up.
        """
        check_count("count", count, minimum=0)
        found: dict[object, T] = {}  # where the list shrinks meanwhile, one may come on two pages
        if count == 0:
            return []
        with Operation():
            async with contextlib.aclosing(self._iterate_backwards()) as pages:
                async for page in pages:
                    for item in reversed(page.items):
                        found.setdefault(_id_of(item), item)
                    if len(found) >= count:
                        break
        return list(found.values())[:count]

    async def last(self) -> T | None:
        """The last item, in two calls however long the list is: by `rel="last"`. One, where it fits a page.

        Where the list grew meanwhile, the pages behind are read too; from an empty last page it goes back.
        """
        with Operation():
            newest = await self._end().newest_page()
        return None if newest is None else newest.items[-1]

    async def aclose(self) -> None:
        """End all iterations of this list that were begun and not finished.

        One that another task is just waiting on ends with that task.
        """
        for iteration in list(self._begun or ()):
            if not getattr(iteration, "ag_running", False):
                await iteration.aclose()

    def _begin(self, iteration: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
        if self._begun is None:
            self._begun = WeakSet()
        self._begun.add(iteration)
        return iteration

    async def _iterate_items(self) -> AsyncGenerator[T]:
        async with self._answers() as answers:
            async for answer in answers:
                for item in answer.items:
                    yield item

    async def _iterate_pages(self) -> AsyncGenerator[Page[T]]:
        async with self._answers() as answers:
            async for answer in answers:
                yield answer.page

    async def _iterate_backwards(self) -> AsyncGenerator[Page[T]]:
        async with contextlib.aclosing(self._end().pages()) as answers:
            async for answer in answers:
                yield answer.page

    def _answers(self, limit: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[Answer[T]]]:
        """All pages from the first one on, as many as that many items take."""
        if self._prefetch:
            return contextlib.aclosing(self._ahead(limit))
        return contextlib.nullcontext(self._chain())

    async def _ahead(self, limit: int | None) -> AsyncGenerator[Answer[T]]:
        async with Prefetcher(self._send, self._prefetch, limit) as prefetcher:
            chain: Chain[T] = Chain(self._request, "next", prefetcher.send, from_beginning=True)
            async for answer in chain:
                room = prefetcher.room(len(answer.items))
                await prefetcher.expect(_numbered(answer, room))
                yield answer

    def _chain(self) -> Chain[T]:
        return Chain(self._request, "next", self._send, from_beginning=True)

    def _end(self) -> End[T]:
        return End(self._send, self._request, self._check_end)


def _id_of(item: Any) -> object:
    return item.id


def _numbered(answer: Answer[Any], count: int) -> list[Request]:
    """What the following pages will be asked for with, as far as this one's links tell: so many at most."""
    if count == 0:
        return []
    try:
        following, last = follow(answer, "next"), follow(answer, "last")
    except PaginationError:
        return []  # it is raised when its turn comes
    return [] if following is None or last is None else numbered(following, last, count)
