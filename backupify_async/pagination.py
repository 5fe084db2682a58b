"""Lists, page by page, over Link headers (RFC 8288)."""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urljoin, urlsplit
from weakref import WeakSet

import attrs
from yarl import URL

from backupify_async.checks import check_count
from backupify_async.errors import PaginationError, UnsafeLink
from backupify_async.prefetching import Prefetcher, numbered
from backupify_async.transport.links import Links, parse_links
from backupify_async.transport.request import Message, Request, Response, identifier
from backupify_async.transport.wire import ModelT, decode_list

T = TypeVar("T")

_MOST_KEPT = 8  # pages of a list's end
_TOO_LONG = 20  # digits of a number of items
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What may stand in a path or a query unquoted, and escapes that are there already: RFC 3986 §3.3, §3.4.
# Brackets may not, but are used all over (`page[number]=2`): a link is sent back as it came.
_KEPT = "/?:@!$&'()*+,;=~-._%[]"


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


@attrs.frozen
class Page(Generic[T]):
    """One page of a list.

    Attributes:
        items: What is on it, in the server's order.
        number: Which page of this iteration it is, from 1.
        total: How many items the whole list has, where the server says so.
        links: Absolute URLs by relation: first, prev, next, last.
    """

    items: list[T]
    number: int
    total: int | None
    links: Mapping[str, str]


@attrs.frozen
class _Answer(Generic[T]):
    """A page, and what is needed to go on from it."""

    page: Page[T]
    message: Message
    links: Links

    @property
    def url(self) -> URL:
        """Where the page is."""
        return self.message.url


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
        ahead = _follow(answer, "last") or _follow(answer, "next")
        if ahead is None:
            return answer.page.items[-1] if answer.page.items else None
        answer, newest = await self._read_on(ahead)
        back = None if newest else _follow(answer, "prev")
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
        ahead = _follow(first, "last") or _follow(first, "next")
        if ahead is None:
            yield first.page
            return
        end: deque[_Answer[T]] = deque(maxlen=_MOST_KEPT)  # more than one only where the list grows meanwhile
        async with contextlib.aclosing(self._chain(ahead, "next", self._send)) as answers:
            async for answer in answers:
                end.append(answer)
        for answer in reversed(end):
            yield answer.page
        back = _follow(end[0], "prev")
        if back is None:
            raise PaginationError(f"the end of the list, {end[0].url}, names no page before it")
        async with contextlib.aclosing(self._chain(back, "prev", self._send)) as answers:
            async for answer in answers:
                yield answer.page

    async def _chain(
        self, request: Request, relation: str, send: Callable[[Request], Awaitable[Response]]
    ) -> AsyncGenerator[_Answer[T]]:
        """The page that a request asks for, and all that follow it by one relation."""
        seen: set[str] = set()
        ahead: Request | None = request
        while ahead is not None:
            answer = self._answer(await send(ahead), len(seen) + 1)
            seen.add(answer.url.raw_path_qs)
            yield answer
            ahead = _follow(answer, relation)
            if ahead is not None and ahead.target in seen:
                raise PaginationError(f"the list goes in a circle: {answer.page.links[relation]} comes again")

    async def _read_on(self, request: Request) -> tuple[_Answer[T], list[T]]:
        """Follow `next` to the end: the last answer, and the last item of all in a list, if there was one."""
        newest: list[T] = []
        async with contextlib.aclosing(self._chain(request, "next", self._send)) as answers:
            async for answer in answers:
                newest = answer.page.items[-1:] or newest
        return answer, newest

    def _answer(self, response: Response, number: int) -> _Answer[T]:
        links = parse_links(response.headers.getall("Link", []))
        url = response.message.url
        absolute = {relation: _absolute(target, url) for relation, target in links.targets.items()}
        known = {relation: target for relation, target in absolute.items() if target is not None}
        return _Answer(Page(self._read(response), number, _total(response), known), response.message, links)


def _total(response: Response) -> int | None:
    text = response.headers.get("Total", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < _TOO_LONG else None


def _absolute(reference: str, page: URL) -> str | None:
    """A link's target as an absolute URL, read against its page's (RFC 8288 §3.2); None where it is none."""
    try:
        url = urljoin(str(page), reference)
        url.encode()  # aiohttp reads bytes that are not UTF-8 as halves of surrogate pairs
        _ = urlsplit(url).port
    except ValueError:
        return None
    return url


def _follow(answer: _Answer[Any], relation: str) -> Request | None:
    """The request that a link of a page stands for; None where there is no such link.

    Raises:
        PaginationError: The link, or the header that may have held it, cannot be read.
        UnsafeLink: It leads to another origin.
    """
    links = answer.links
    if relation not in links.targets:
        if links.readable:
            return None
        raise PaginationError(f"the Link header of {answer.url} cannot be read: a page may be behind it")
    named = f"the {relation!r} link of {answer.url}"
    target = answer.page.links.get(relation)
    if answer.message.gives_away(links.targets[relation]):
        raise UnsafeLink(f"{named} holds the token, which belongs in no URL: not followed")
    if target is None:
        raise PaginationError(f"{named} is no URL: {links.targets[relation]!r}")
    link, page = urlsplit(target), answer.url
    hosts = {page.host, page.raw_host}
    same_origin = (link.scheme, link.port or _DEFAULT_PORTS.get(link.scheme)) == (page.scheme, page.port)
    # Behind a proxy that ends TLS, a server takes itself for http://: the way there stays https, and ours.
    downgraded = (link.scheme, page.scheme) == ("http", "https")
    if link.hostname not in hosts or not (same_origin or downgraded):
        raise UnsafeLink(f"{named} leads to another origin, {link.scheme}://{link.hostname}: not followed")
    return Request("GET", quote(link.path, _KEPT) or "/", quote(link.query, _KEPT), from_origin=True)


def _numbered(answer: _Answer[Any], count: int) -> list[Request]:
    """What the following pages will be asked for with, as far as this one's links tell: so many at most."""
    if count == 0:
        return []
    try:
        following, last = _follow(answer, "next"), _follow(answer, "last")
    except PaginationError:
        return []  # it is raised when its turn comes
    return [] if following is None or last is None else numbered(following, last, count)
