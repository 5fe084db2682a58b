"""A page of a list, and where its links (RFC 8288) lead: pure."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from backupify_async._escaping import printable
from backupify_async._paging.links import KNOWN, PAGING, Links, parse_links
from backupify_async._plain import Plain
from backupify_async._transport.request import PreparedRequest, Request, Response
from backupify_async.errors import PaginationError, UnsafeLink

T = TypeVar("T")

_TOO_LONG = 20  # digits of a number of items
_DEFAULT_PORTS = {"http": 80, "https": 443}
# What may stand in a path or a query unquoted, and escapes that are there already: RFC 3986 §3.3, §3.4.
# Brackets may not, but are used all over (`page[number]=2`): a link is sent back as it came.
_KEPT = "/?:@!$&'()*+,;=~-._%[]"


@attrs.frozen
class Page(Plain, Generic[T]):
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
class Answer(Generic[T]):
    """The items of a page, and what is needed to go on from it.

    `read` is how many items have come up to its end; None where they were not counted from the beginning.
    """

    items: list[T]
    number: int
    read: int | None
    request: Request
    message: PreparedRequest
    headers: CIMultiDictProxy[str]
    links: Links

    @property
    def page(self) -> Page[T]:
        """The page as users see it; who only wants the items does not pay for its links."""
        absolute = {relation: _absolute(target, self.url) for relation, target in self.links.targets.items()}
        known = {relation: target for relation, target in absolute.items() if target is not None}
        return Page(self.items, self.number, self.total, known)

    @property
    def total(self) -> int | None:
        """How many items the whole list has, where the server says so."""
        text = self.headers.get("Total", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < _TOO_LONG else None

    @property
    def has_paging_links(self) -> bool:
        """Whether it says where it stands in its list; a list that fits one page has no such links."""
        return not PAGING.isdisjoint(self.links.targets)

    def is_same_as(self, other: "Answer[T]") -> bool:
        """Whether it is the same page, whatever URL it was asked for by."""
        if self.request.target == other.request.target or self.url == other.url:
            return True
        items: list[Any] = self.items
        same_items = [item.id for item in items] == [item.id for item in other.items]  # type: ignore[attr-defined]
        return same_items and (bool(items) or "next" not in self.links.targets)

    @property
    def url(self) -> URL:
        """Where the page is."""
        return self.message.url


def read_page(request: Request, response: Response, number: int, before: int | None) -> Answer[Any]:
    """The page that an answer holds.

    Args:
        request: What it answers.
        response: The answer, decoded.
        number: Which page of this iteration it is, from 1.
        before: How many items the pages before it have; None where that is not known.
    """
    links = parse_links(response.headers.getall("Link", ()))
    items = response.decoded
    read = None if before is None else before + len(items)
    return Answer(items, number, read, request, response.message, response.headers, links)


def _absolute(reference: str, page: URL) -> str | None:
    """A link's target as an absolute URL, read against its page's (RFC 8288 §3.2); None where it is none."""
    try:
        url = urljoin(str(page), reference)
        url.encode()  # aiohttp reads bytes that are not UTF-8 as halves of surrogate pairs
        _ = urlsplit(url).port
    except ValueError:
        return None
    return url


def follow(answer: Answer[Any], relation: str) -> Request | None:
    """The request that a link of a page stands for; None where there is no such link, and none got lost.

    Raises:
        PaginationError: The link, or the header that may have held it, cannot be read; or there is none, and
            the server counts more items than have come.
        UnsafeLink: It leads to another origin.
    """
    links = answer.links
    if relation not in links.targets:
        _require_no_link_lost(answer)
        return None
    named = f"the {relation!r} link of {answer.url}"
    target = _absolute(links.targets[relation], answer.url)
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
        raise UnsafeLink(
            f"{named} leads to another origin, {printable(f'{link.scheme}://{link.hostname}')}: not followed"
        )
    path, query = quote(link.path, _KEPT) or "/", quote(link.query, _KEPT)
    return Request("GET", path, query, from_origin=True, decode=answer.request.decode)


def _require_no_link_lost(answer: Answer[Any]) -> None:
    """Refuse to take a missing link for the end where its header may have held it, or did not come.

    A list that shrinks meanwhile has more behind it than its Total, and one that grows has links.
    """
    links, total = answer.links, answer.total
    if not links.readable:
        raise PaginationError(f"the Link header of {answer.url} cannot be read: a page may be behind it")
    if answer.has_paging_links:
        return
    if total is not None and answer.read is not None:
        if total > answer.read:
            count = f"{answer.read} of {total} items"
            raise PaginationError(f"{answer.url} names no further page, and the list has shown {count}")
        return
    given = any(header.strip(" \t,") for header in answer.headers.getall("Link", ()))
    if given and KNOWN.isdisjoint(links.targets):
        raise PaginationError(
            f"the Link header of {answer.url} has no known relation: a page may be behind it"
        )
