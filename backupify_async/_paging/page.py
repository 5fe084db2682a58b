"""A page of a list, and the requests that its links (RFC 8288) stand for: pure."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from backupify_async._escaping import printable
from backupify_async._json_types import ToDict
from backupify_async._paging.links import KNOWN, PAGING, Links, parse_links
from backupify_async._transport.request import Request
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.errors import PaginationError, UnsafeLink

T = TypeVar("T")

_MAX_DIGITS = 19  # of a Total
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Characters that a path or a query can hold unquoted, and existing escapes: RFC 3986 §3.3, §3.4. Brackets are
# not allowed there, but common (`page[number]=2`): a link is sent back as it was received.
_UNQUOTED = "/?:@!$&'()*+,;=~-._%[]"


@attrs.frozen
class Page(ToDict, Generic[T]):
    """One page of a list.

    Attributes:
        items: Its items, in the server's order.
        number: Its number in this iteration, from 1.
        total: The length of the whole list, where the server sends it.
        links: Absolute URLs by relation: first, prev, next, last.
    """

    items: list[T]
    number: int
    total: int | None
    links: Mapping[str, str]


@attrs.frozen
class FetchedPage(Generic[T]):
    """The items of a page, and what is needed to follow its links.

    `items_so_far` counts the items up to the end of this page; None where the iteration did not start at the
    beginning of the list.
    """

    items: list[T]
    number: int
    items_so_far: int | None
    request: Request
    sent_request: PreparedRequest
    headers: CIMultiDictProxy[str]
    links: Links

    @property
    def page(self) -> Page[T]:
        """The public value. It is made on demand: a caller that wants only items does not pay for links."""
        absolute = {relation: _absolute(target, self.url) for relation, target in self.links.targets.items()}
        valid = {relation: target for relation, target in absolute.items() if target is not None}
        return Page(self.items, self.number, self.total, valid)

    @property
    def total(self) -> int | None:
        """The length of the whole list, where the server sends it."""
        text = self.headers.get("Total", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None

    @property
    def has_paging_links(self) -> bool:
        """Whether it links to other pages of its list. The only page of a list has no such links."""
        return not PAGING.isdisjoint(self.links.targets)

    def is_same_as(self, other: "FetchedPage[T]") -> bool:
        """Whether it is the same page, perhaps under another URL."""
        if self.request.target == other.request.target or self.url == other.url:
            return True
        same_items = [item_key(item) for item in self.items] == [item_key(item) for item in other.items]
        return same_items and (bool(self.items) or "next" not in self.links.targets)

    @property
    def url(self) -> URL:
        """The URL that it was fetched from."""
        return self.sent_request.url


def item_key(item: object) -> object:
    """The value that identifies an item of a list: its id, or its content where it has none."""
    key = item.get("id") if isinstance(item, dict) else getattr(item, "id", None)
    return key if isinstance(key, int | str) else repr(item)


def read_page(
    request: Request, response: Response, number: int, items_before: int | None
) -> FetchedPage[Any]:
    """The page in a response.

    Args:
        request: The request.
        response: Its response, decoded to a list.
        number: The number of the page in this iteration, from 1.
        items_before: The number of items on the pages before it; None where that is unknown.
    """
    links = parse_links(response.headers.getall("Link", ()))
    items = response.decoded
    items_so_far = None if items_before is None else items_before + len(items)
    return FetchedPage(items, number, items_so_far, request, response.request, response.headers, links)


def _absolute(reference: str, page: URL) -> str | None:
    """The absolute URL of a link, resolved against its page (RFC 8288 §3.2); None where it is not a URL."""
    try:
        url = urljoin(str(page), reference)
        url.encode()  # aiohttp decodes bytes that are not UTF-8 to lone surrogates
        _ = urlsplit(url).port
    except ValueError:
        return None
    return url


def linked_request(page: FetchedPage[Any], relation: str) -> Request | None:
    """The request for a link of a page; None where there is no such link, and none can have been lost.

    Raises:
        PaginationError: The link, or the header that may have held it, cannot be read; or there is none, but
            the server counts more items than were received.
        UnsafeLink: It leads to another origin.
    """
    links = page.links
    if relation not in links.targets:
        _require_no_lost_link(page)
        return None
    name = f"the {relation!r} link of {page.url}"
    target = _absolute(links.targets[relation], page.url)
    if page.request.token_header and page.sent_request.gives_away(links.targets[relation]):
        raise UnsafeLink(f"{name} holds the token, which does not belong in a URL: not followed")
    if target is None:
        raise PaginationError(f"{name} is not a URL: {links.targets[relation]!r}")
    link, url = urlsplit(target), page.url
    same_host = link.hostname in {url.host, url.raw_host}
    same_port = (link.scheme, link.port or _DEFAULT_PORTS.get(link.scheme)) == (url.scheme, url.port)
    # A server that sits after a TLS proxy writes http:// links: the request stays on https and our port.
    downgraded = (link.scheme, url.scheme) == ("http", "https")
    if not same_host or not (same_port or downgraded):
        origin = printable(f"{link.scheme}://{link.hostname}")
        raise UnsafeLink(f"{name} leads to another origin, {origin}: not followed")
    path, query = quote(link.path, _UNQUOTED) or "/", quote(link.query, _UNQUOTED)
    request = page.request
    return Request(
        "GET", path, query, from_origin=True, decode=request.decode, token_header=request.token_header
    )


def _require_no_lost_link(page: FetchedPage[Any]) -> None:
    """Refuse to take a missing link for the end of the list where its header can have held it, or was lost.

    Of a list that shrinks during the read, more items than its Total were received; one that grows has links.
    """
    links, total = page.links, page.total
    if not links.readable:
        raise PaginationError(f"the Link header of {page.url} cannot be read: there may be another page")
    if page.has_paging_links:
        return
    if total is not None and page.items_so_far is not None:
        if total > page.items_so_far:
            count = f"{page.items_so_far} of {total} items"
            raise PaginationError(f"{page.url} links to no further page, but only {count} were received")
        return
    given = any(header.strip(" \t,") for header in page.headers.getall("Link", ()))
    if given and KNOWN.isdisjoint(links.targets):
        raise PaginationError(
            f"the Link header of {page.url} has no known relation: there may be another page"
        )
