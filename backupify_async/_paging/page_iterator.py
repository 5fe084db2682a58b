"""The pages of a list in one direction, by one link relation."""

from collections.abc import Awaitable, Callable
from typing import Generic, Self, TypeVar

from backupify_async._paging.page import FetchedPage, item_key, linked_request, read_page
from backupify_async._transport.request import Request
from backupify_async._transport.transport import Response
from backupify_async.errors import PaginationError

T = TypeVar("T")

_MAX_EMPTY = 5  # pages in a row; a server that filters after it paginates has one or two


class PageIterator(Generic[T]):
    """Iterates over the page of a request and all that follow it by one relation.

    A list that would never end raises an error: a page repeats, by its URL or by its items, or too many pages
    in a row are empty. There is nothing to close. It is not a generator: one costs as much as reading some
    backups.

    Args:
        request: Gets the first page.
        relation: The relation from each page to the following one: "next" or "prev".
        send: Sends a request, and returns its decoded response.
        from_beginning: Whether the first page is the list's first. Only then can the items be counted.
    """

    def __init__(
        self,
        request: Request,
        relation: str,
        send: Callable[[Request], Awaitable[Response]],
        *,
        from_beginning: bool,
    ) -> None:
        self._request: Request | None = request
        self._relation = relation
        self._send = send
        self._page: FetchedPage[T] | None = None
        self._item_count = 0 if from_beginning else None
        self._seen_targets: set[str] = set()
        self._seen_items: set[tuple[object, object]] = set()
        self._empty_pages = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FetchedPage[T]:
        if self._page is not None:  # not before: a page is returned even if its link is bad
            self._request = self._following(self._page)
        request = self._request
        if request is None:
            raise StopAsyncIteration
        number = len(self._seen_targets) + 1
        page: FetchedPage[T] = read_page(request, await self._send(request), number, self._item_count)
        self._page, self._item_count = page, page.items_so_far
        self._refuse_repeated_items(page)
        return page

    def _following(self, page: FetchedPage[T]) -> Request | None:
        request = linked_request(page, self._relation)
        if request is not None:
            self._seen_targets.add(page.url.raw_path_qs)
            if request.target in self._seen_targets:
                raise PaginationError(
                    f"the pages form a loop: {page.url.origin()}{request.target} comes again"
                )
            if self._empty_pages >= _MAX_EMPTY:
                raise PaginationError(
                    f"{self._empty_pages} pages in a row are empty, and the last links to another: {page.url}"
                )
        return request

    def _refuse_repeated_items(self, page: FetchedPage[T]) -> None:
        if not page.items:
            self._empty_pages += 1
            return
        self._empty_pages = 0
        ends = (item_key(page.items[0]), item_key(page.items[-1]))
        if ends in self._seen_items:
            raise PaginationError(f"the list does not go on: the items of {page.url} were on an earlier page")
        self._seen_items.add(ends)
