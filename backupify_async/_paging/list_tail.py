"""A list from its end: by `rel="last"`, then back."""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from backupify_async._paging.page import FetchedPage, linked_request
from backupify_async._paging.page_iterator import PageIterator
from backupify_async._transport.request import Request
from backupify_async._transport.transport import Response
from backupify_async.errors import APIError, PaginationError

T = TypeVar("T")

_MAX_KEPT = 8  # pages at the end of a list
_MAX_EMPTY = 3  # pages before an empty end; after that the list is read from its beginning
_GONE = frozenset({404, 410})

OrderCheck = Callable[[Sequence[T], Sequence[T]], None]
"""Compares the items of a list's first and last non-empty page. Raises `PaginationError` where the last item
cannot be the newest."""


class ListTail(Generic[T]):
    """The last pages of a list.

    Args:
        send: Sends a request, and returns its decoded response.
        request: Gets the first page.
        check_order: Raises where the last item cannot be the newest; None for no check.
    """

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Response]],
        request: Request,
        check_order: OrderCheck[T] | None = None,
    ) -> None:
        self._send = send
        self._request = request
        self._check_order = check_order

    async def newest_page(self) -> FetchedPage[T] | None:
        """The last page that has items; None for an empty list."""
        first, tail = await self._find()
        newest = next((page for page in reversed(tail or [first]) if page.items), None)
        if newest is None and tail:
            newest = await self._last_before(tail[0])
        if newest is not None:
            self._require_order(first, newest)
        return newest

    async def pages(self) -> AsyncGenerator[FetchedPage[T]]:
        """All pages, the last one first.

        Raises:
            PaginationError: A page links to none before it, but is not known to be the first.
        """
        first, tail = await self._find()
        checked = False
        async with contextlib.aclosing(self._backwards(first, tail)) as pages:
            async for page in pages:
                if page.items and not checked:
                    self._require_order(first, page)
                    checked = True
                yield page

    async def _backwards(
        self, first: FetchedPage[T], tail: Sequence[FetchedPage[T]]
    ) -> AsyncGenerator[FetchedPage[T]]:
        for page in reversed(tail or [first]):
            yield page
        if not tail:
            return
        previous = linked_request(tail[0], "prev")
        if previous is not None:
            async for page in self._iterate(previous, "prev"):
                yield page
            complete = page.has_paging_links or page.is_same_as(first)
        else:
            before, complete = await self._read_up_to(tail[0])
            for page in reversed(before):
                yield page
        if not complete:
            raise PaginationError(
                f"{page.url} links to no page before it, and is not known to be the first one"
            )

    async def _find(self) -> tuple[FetchedPage[T], Sequence[FetchedPage[T]]]:
        """The first page, and the last ones as links lead to them; none where the first page is the only one.

        They are more than one only where the list grows during the read, or has no `last` link. If the last
        page disappears during the read, it is looked up again, and after that page by page.

        Raises:
            PaginationError: Pages keep disappearing.
        """
        for by_last in (True, True, False):
            pages = self._from_beginning()
            first = await anext(pages)
            last = linked_request(first, "last") if by_last else None
            tail: deque[FetchedPage[T]] = deque(maxlen=_MAX_KEPT)
            try:
                async for page in pages if last is None else self._iterate(last, "next"):
                    tail.append(page)
            except APIError as error:
                if error.status not in _GONE:
                    raise
                gone = error
            else:
                return first, tail
        raise PaginationError(f"pages of the list disappeared while it was read: {gone}") from gone

    async def _last_before(self, end: FetchedPage[T]) -> FetchedPage[T] | None:
        """The last page with items before an empty end; None where the whole list is empty."""
        previous, empty = linked_request(end, "prev"), 0
        if previous is not None:
            async for page in self._iterate(previous, "prev"):
                if page.items:
                    return page
                empty += 1
                if empty == _MAX_EMPTY:
                    break
        newest: FetchedPage[T] | None = None
        async for page in self._from_beginning():  # the first page that is in hand can be outdated
            newest = page if page.items else newest
        return newest

    async def _read_up_to(self, end: FetchedPage[T]) -> tuple[Sequence[FetchedPage[T]], bool]:
        """The pages from the beginning up to one without a `prev` link, and whether these are all.

        Of a long list only the last ones are kept.
        """
        before: deque[FetchedPage[T]] = deque(maxlen=_MAX_KEPT)
        count = 0
        async for page in self._from_beginning():
            if page.is_same_as(end):
                return before, count == len(before)
            before.append(page)
            count += 1
        return before, False

    def _require_order(self, first: FetchedPage[T], newest: FetchedPage[T]) -> None:
        if self._check_order is not None and first.items:
            self._check_order(first.items, newest.items)

    def _from_beginning(self) -> PageIterator[T]:
        return PageIterator(self._request, "next", self._send, from_beginning=True)

    def _iterate(self, request: Request, relation: str) -> PageIterator[T]:
        return PageIterator(request, relation, self._send, from_beginning=False)
