"""Pages as the api-pagination gem cuts and links them: pure."""

from collections.abc import Mapping
from urllib.parse import urlencode

from attrs import frozen

from backupify_async.testing._answers import number


@frozen
class Cut:
    """One page of a list.

    Attributes:
        page: its number, from 1; it may lie past the end.
        per_page: how many items a full page holds.
        total: how many items the whole list has.
    """

    page: int
    per_page: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page that holds something, at least 1."""
        return max(1, -(-self.total // self.per_page))

    @property
    def items(self) -> slice:
        """Where the page lies in the list."""
        return slice((self.page - 1) * self.per_page, self.page * self.per_page)


def cut(query: Mapping[str, str], total: int, *, per_page: int, max_per_page: int) -> Cut | None:
    """The page that a query asks for.

    Args:
        query: the request's parameters, of which `page` and `per_page` count.
        total: how many items the whole list has.
        per_page: how many a page holds unless the query says it.
        max_per_page: more than these are not given, whatever the query says.

    Returns:
        The page, or None where a parameter is no number. Zero is read as one.
    """
    page, size = number(query.get("page", "1")), number(query.get("per_page", str(per_page)))
    if page is None or size is None:
        return None
    return Cut(max(1, page), min(max(1, size), max_per_page), total)


def link_header(url: str, query: Mapping[str, str], here: Cut) -> str | None:
    """The Link header of a page, in the order in which the gem writes it: first, prev, last, next.

    Args:
        url: the list's own URL without a query.
        query: the request's parameters, which the links repeat.
        here: the page.

    Returns:
        The header's value, or None for a list that fits one page.
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
