"""Lists, page by page, over Link headers (RFC 8288)."""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, Self, TypeVar
from weakref import WeakSet

from backupify_async.checks import check_count
from backupify_async.errors import PaginationError
from backupify_async.escaping import printable
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
    check: Callable[[Response, list[ModelT]], None] | None = None,
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
    return Paginator(send, request, prefetch=prefetch)


class Paginator(Generic[T]):
    """A list that is fetched while it is read: `async for item in paginator`.

    Nothing is asked before the first item is wanted, and each iteration begins anew. Items that have come
    are handed out before an error is raised.

    Args:
        send: Sends a request, and has its answer decoded.
        request: Asks for the first page, and decodes the items of each.
        prefetch: How many pages to ask for ahead of the one in hand.

    Iterating, `pages`, `collect` and `last` raise:
        PaginationError: A page comes a second time, or a Link header cannot be read.
        UnsafeLink: A Link leads to another origin; it is not followed.
        BackupifyError: A page cannot be had.
    """

    def __init__(
        self, send: Callable[[Request], Awaitable[Response]], request: Request, *, prefetch: int = 0
    ) -> None:
        self._send = send
        self._request = request
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
        async with self._answers(limit) as answers:
            async for answer in answers:
                items += answer.items
                if limit is not None and len(items) >= limit:
                    break
        return items[:limit]

    async def last(self) -> T | None:
        """The last item, in two calls however long the list is: by `rel="last"`. One, where it fits a page.

        Where the list grew meanwhile, the pages behind are read too; from an empty last page it goes back.
        """
        answer = await anext(self._chain(self._request, "next"))
        ahead = follow(answer, "last") or follow(answer, "next")
        if ahead is None:
            return answer.items[-1] if answer.items else None
        answer, newest = await self._read_on(ahead)
        back = None if newest else follow(answer, "prev")
        if back is not None:
            async for answer in self._chain(back, "prev"):
                if answer.items:
                    return answer.items[-1]
        if not newest:  # the end is empty and names nothing before it: what the first page holds may be old
            _, newest = await self._read_on(self._request)
        return newest[0] if newest else None

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
        first = await anext(self._chain(self._request, "next"))
        ahead = follow(first, "last") or follow(first, "next")
        if ahead is None:
            yield first.page
            return
        end: deque[Answer[T]] = deque(maxlen=_MOST_KEPT)  # more than one only where the list grows meanwhile
        async for answer in self._chain(ahead, "next"):
            end.append(answer)
        for answer in reversed(end):
            yield answer.page
        back = follow(end[0], "prev")
        if back is None:
            raise PaginationError(f"the end of the list, {end[0].url}, names no page before it")
        async for answer in self._chain(back, "prev"):
            yield answer.page

    def _answers(self, limit: int | None = None) -> AbstractAsyncContextManager[AsyncIterator[Answer[T]]]:
        """All pages from the first one on, as many as that many items take."""
        if self._prefetch:
            return contextlib.aclosing(self._ahead(limit))
        return contextlib.nullcontext(self._chain(self._request, "next"))

    async def _ahead(self, limit: int | None) -> AsyncGenerator[Answer[T]]:
        async with Prefetcher(self._send, self._prefetch, limit) as prefetcher:
            chain: _Chain[T] = _Chain(self._request, "next", prefetcher.send)
            async for answer in chain:
                room = prefetcher.room(len(answer.items))
                await prefetcher.expect(_numbered(answer, room))
                yield answer

    def _chain(self, request: Request, relation: str) -> "_Chain[T]":
        return _Chain(request, relation, self._send)

    async def _read_on(self, request: Request) -> tuple[Answer[T], list[T]]:
        """Follow `next` to the end: the last answer, and the last item of all in a list, if there was one."""
        newest: list[T] = []
        async for answer in self._chain(request, "next"):
            newest = answer.items[-1:] or newest
        return answer, newest


class _Chain(Generic[T]):
    """The page that a request asks for, and all that follow it by one relation.

    It holds nothing that were to be closed, and is no generator, which costs as much as reading some backups.
    """

    def __init__(
        self, request: Request, relation: str, send: Callable[[Request], Awaitable[Response]]
    ) -> None:
        self._ahead: Request | None = request
        self._relation = relation
        self._send = send
        self._answer: Answer[T] | None = None
        self._seen: set[str] = set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer[T]:
        if self._answer is not None:  # its link is looked at only now: the page itself was to be handed out
            self._ahead = self._following(self._answer)
        if self._ahead is None:
            raise StopAsyncIteration
        request = self._ahead
        self._answer = read_page(request, await self._send(request), len(self._seen) + 1)
        return self._answer

    def _following(self, answer: Answer[T]) -> Request | None:
        ahead = follow(answer, self._relation)
        if ahead is not None:
            self._seen.add(answer.url.raw_path_qs)
            if ahead.target in self._seen:
                again = answer.page.links[self._relation]
                raise PaginationError(f"the list goes in a circle: {printable(again)} comes again")
        return ahead


def _numbered(answer: Answer[Any], count: int) -> list[Request]:
    """What the following pages will be asked for with, as far as this one's links tell: so many at most."""
    if count == 0:
        return []
    try:
        following, last = follow(answer, "next"), follow(answer, "last")
    except PaginationError:
        return []  # it is raised when its turn comes
    return [] if following is None or last is None else numbered(following, last, count)
