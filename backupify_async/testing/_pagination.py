"""Pagination and Link headers as the api-pagination gem makes them: pure."""

from collections.abc import Mapping
from urllib.parse import urlencode

from attrs import frozen

from backupify_async.testing._messages import number


@frozen
class PageSlice:
    """The position of one page in a list.

    Attributes:
        page: The page number, from 1; it can be past the end.
        per_page: The number of items on a full page.
        total: The number of items in the whole list.
    """

    page: int
    per_page: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page, at least 1."""
        return max(1, -(-self.total // self.per_page))

    @property
    def items(self) -> slice:
        """The items of the page, as a slice of the list."""
        return slice((self.page - 1) * self.per_page, self.page * self.per_page)


def paginate(query: Mapping[str, str], total: int, *, per_page: int, max_per_page: int) -> PageSlice | None:
    """The page that a query requests.

    Args:
        query: The query parameters; `page` and `per_page` are read.
        total: The number of items in the whole list.
        per_page: The items per page without `per_page` in the query.
        max_per_page: The maximum for `per_page`.

    Returns:
        The page; None where a parameter is not a number. 0 is read as 1.
    """
    page, size = number(query.get("page", "1")), number(query.get("per_page", str(per_page)))
    if page is None or size is None:
        return None
    return PageSlice(max(1, page), min(max(1, size), max_per_page), total)


def link_header(url: str, query: Mapping[str, str], here: PageSlice) -> str | None:
    """The Link header of a page, in the order of the gem: first, prev, last, next.

    Args:
        url: The URL of the list, without a query.
        query: The query parameters, which the links repeat.
        here: The page.

    Returns:
        The value of the header; None for a list of a single page.
    """
    if here.last == 1:
        return None
    targets: dict[str, int] = {}
    if here.page > 1:
        targets |= {"first": 1, "prev": here.page - 1}
    if here.page < here.last:
        targets |= {"last": here.last, "next": here.page + 1}
    return ", ".join(f'<{_with_page(url, query, page)}>; rel="{rel}"' for rel, page in targets.items())


def _with_page(url: str, query: Mapping[str, str], page: int) -> str:
    # ActiveSupport's Hash#to_query sorts the parameters by name.
    return f"{url}?{urlencode(sorted({**query, 'page': str(page)}.items()))}"
