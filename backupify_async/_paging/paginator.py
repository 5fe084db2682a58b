"""Lists, page by page, over Link headers (RFC 8288)."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from backupify_async._call_context import CallGroup
from backupify_async._checks import check_count
from backupify_async._codec.decode import decode_list
from backupify_async._codec.readers import ModelT
from backupify_async._paging.list_tail import ListTail, OrderCheck
from backupify_async._paging.page import FetchedPage, Page, item_key, linked_request
from backupify_async._paging.page_iterator import PageIterator
from backupify_async._paging.prefetch import Prefetcher, numbered_requests
from backupify_async._transport.request import Request
from backupify_async._transport.transport import Response
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
    check_order: OrderCheck[ModelT] | None = None,
    **ids: int | str,
) -> "Paginator[ModelT]":
    """The paginator of a list of models.

    Args:
        send: Sends a request, and returns its decoded response.
        model: The attrs class of the items.
        template: The path, with `{names}` for ids.
        query: Query parameters; one that is None is left out.
        per_page: Items per page; None for the server's default. The server may cap or ignore it.
        prefetch: The number of pages to request ahead of the one in hand, where page numbers are known.
        check: Raises `DecodeError` where the items of a page are not those that were requested.
        check_order: Raises where the last item cannot be the newest.
        **ids: The ids in the path.

    Raises:
        TypeError, ValueError: An id, a query parameter or a number is invalid; the message names it.
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
        decoded = decode_list(response, model)
        if check is not None:
            check(response, decoded)
        return decoded

    request = Request.get(template, query=items, answers=frozenset(), decode=decode, **ids)
    return Paginator(send, request, prefetch=prefetch, check_order=check_order)


class Paginator(Generic[T]):
    """A list that is fetched page by page while it is read: `async for item in paginator`.

    No request is sent before the first item is needed, and each iteration starts at the beginning. Items that
    were received are returned before an error is raised.

    Args:
        send: Sends a request, and returns its decoded response.
        request: Gets the first page. Its `decode` reads each page as a list of items.
        prefetch: The number of pages to request ahead of the one in hand.
        check_order: Raises where the last item cannot be the newest.

    Iteration, `pages`, `collect`, `newest` and `last` raise:
        PaginationError: The list cannot be followed to its end: a page repeats by its URL or by its items,
            several pages in a row are empty, or a Link header cannot be read, or is missing although the
            server counts more items than were received. `newest` and `last` also raise it where the newest
            item is not at the end.
        UnsafeLink: A Link leads to another origin; it is not followed.
        BackupifyError: A request failed.
    """

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Response]],
        request: Request,
        *,
        prefetch: int = 0,
        check_order: OrderCheck[T] | None = None,
    ) -> None:
        self._send = send
        self._request = request
        self._check_order = check_order
        self._prefetch = prefetch
        self._iterations: WeakSet[AsyncGenerator[object]] | None = None  # `collect` needs none

    def __aiter__(self) -> AsyncGenerator[T]:
        return self._track(self._iterate_items())

    def pages(self) -> AsyncGenerator[Page[T]]:
        """The list page by page."""
        return self._track(self._iterate_pages())

    def pages_backwards(self) -> AsyncGenerator[Page[T]]:
        """The list page by page from its end, by `rel="last"` and then `prev`.

        The items of each page stay in the server's order.

        Raises:
            PaginationError: The last page links to none before it, although the list has more.
        """
        return self._track(self._iterate_backwards())

    async def collect(self, limit: int | None = None) -> list[T]:
        """The items as a list. Only the necessary pages are fetched.

        Args:
            limit: The maximum number of items; None for all.

        Raises:
            ValueError: `limit` is not an integer of at least 0.
        """
        if limit is not None:
            check_count("limit", limit, minimum=0)
        items: list[T] = []
        if limit == 0:
            return items
        with CallGroup():
            async with self._fetched_pages(limit) as pages:
                async for page in pages:
                    items += page.items
                    if limit is not None and len(items) >= limit:
                        break
        return items[:limit]

    async def newest(self, count: int) -> list[T]:
        """The newest items, the newest first. Only the necessary pages are fetched, from the end of the list.

        Args:
            count: The maximum number of items.

        Raises:
            ValueError: `count` is not an integer of at least 0.
        """
        check_count("count", count, minimum=0)
        found: dict[object, T] = {}  # an item is on two pages if the list shrinks during the read
        if count == 0:
            return []
        with CallGroup():
            async with contextlib.aclosing(self._iterate_backwards()) as pages:
                async for page in pages:
                    for item in reversed(page.items):
                        found.setdefault(item_key(item), item)
                    if len(found) >= count:
                        break
        return list(found.values())[:count]

    async def last(self) -> T | None:
        """The last item, or None: by `rel="last"`, in two requests for any length, or one for a single page.

        If the list grows during the read, the additional pages are read too. From an empty last page it goes
        back.
        """
        with CallGroup():
            newest = await self._tail().newest_page()
        return None if newest is None else newest.items[-1]

    async def aclose(self) -> None:
        """Close all unfinished iterations of this list.

        One that another task is waiting on at the moment ends with that task.
        """
        for iteration in list(self._iterations or ()):
            if not getattr(iteration, "ag_running", False):
                await iteration.aclose()

    def _track(self, iteration: AsyncGenerator[Any]) -> AsyncGenerator[Any]:
        if self._iterations is None:
            self._iterations = WeakSet()
        self._iterations.add(iteration)
        return iteration

    async def _iterate_items(self) -> AsyncGenerator[T]:
        async with self._fetched_pages() as pages:
            async for page in pages:
                for item in page.items:
                    yield item

    async def _iterate_pages(self) -> AsyncGenerator[Page[T]]:
        async with self._fetched_pages() as pages:
            async for page in pages:
                yield page.page

    async def _iterate_backwards(self) -> AsyncGenerator[Page[T]]:
        async with contextlib.aclosing(self._tail().pages()) as pages:
            async for page in pages:
                yield page.page

    def _fetched_pages(
        self, limit: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[FetchedPage[T]]]:
        """All pages from the first one on. With prefetch, no more are requested than `limit` items need."""
        if self._prefetch:
            return contextlib.aclosing(self._prefetched(limit))
        return contextlib.nullcontext(PageIterator(self._request, "next", self._send, from_beginning=True))

    async def _prefetched(self, limit: int | None) -> AsyncGenerator[FetchedPage[T]]:
        async with Prefetcher(self._send, self._prefetch, limit) as prefetcher:
            pages: PageIterator[T] = PageIterator(self._request, "next", prefetcher.send, from_beginning=True)
            async for page in pages:
                count = prefetcher.pages_needed(len(page.items))
                await prefetcher.prefetch(_expected_requests(page, count))
                yield page

    def _tail(self) -> ListTail[T]:
        return ListTail(self._send, self._request, self._check_order)


def _expected_requests(page: FetchedPage[Any], count: int) -> list[Request]:
    """The requests for the next pages, at most `count`, as far as the links of this one show them."""
    if count == 0:
        return []
    try:
        following, last = linked_request(page, "next"), linked_request(page, "last")
    except PaginationError:
        return []  # the iteration raises it when it needs the link
    return [] if following is None or last is None else numbered_requests(following, last, count)
