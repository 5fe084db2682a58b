"""A list from its end: by `rel="last"`, and then back."""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from backupify_async._paging.chain import Chain
from backupify_async._paging.page import Answer, follow
from backupify_async._transport.request import Request, Response
from backupify_async.errors import APIError, PaginationError

T = TypeVar("T")

_MOST_KEPT = 8  # pages of a list's end
_MOST_EMPTY = 3  # pages before an end that is empty; then the list is read from its beginning
_GONE = frozenset({404, 410})

EndCheck = Callable[[Sequence[T], Sequence[T]], None]
"""Compares a list's beginning with its end, each a page that is not empty; raises `PaginationError`."""


class End(Generic[T]):
    """The end of a list, as links lead to it.

    Args:
        send: Sends a request, and has its answer decoded.
        request: Asks for the first page.
        check_end: Raises where what is at the end cannot be the newest; None for no check.
    """

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Response]],
        request: Request,
        check_end: EndCheck[T] | None = None,
    ) -> None:
        self._send = send
        self._request = request
        self._check_end = check_end

    async def newest_page(self) -> Answer[T] | None:
        """The last page that has items; None where the list has none."""
        first, end = await self._find()
        newest = next((answer for answer in reversed(end or [first]) if answer.items), None)
        if newest is None and end:
            newest = await self._last_before(end[0])
        if newest is not None:
            self._require_order(first, newest)
        return newest

    async def pages(self) -> AsyncGenerator[Answer[T]]:
        """All pages, the last one first.

        Raises:
            PaginationError: A page names none before it, and is not seen to be the first.
        """
        first, end = await self._find()
        checked = False
        async with contextlib.aclosing(self._backwards(first, end)) as answers:
            async for answer in answers:
                if answer.items and not checked:
                    self._require_order(first, answer)
                    checked = True
                yield answer

    async def _backwards(self, first: Answer[T], end: Sequence[Answer[T]]) -> AsyncGenerator[Answer[T]]:
        for answer in reversed(end or [first]):
            yield answer
        if not end:
            return
        back = follow(end[0], "prev")
        if back is not None:
            async for answer in self._chain(back, "prev"):
                yield answer
            whole = answer.has_paging_links or answer.is_same_as(first)
        else:
            before, whole = await self._read_up_to(end[0])
            for answer in reversed(before):
                yield answer
        if not whole:
            raise PaginationError(f"{answer.url} names no page before it, and is not seen to be the first")

    async def _find(self) -> tuple[Answer[T], Sequence[Answer[T]]]:
        """The first page, and the last ones, as links lead to them; none where the first is all.

        They are more than one only where the list grows meanwhile, or names no last page. A last page that
        went away meanwhile is looked for anew, and then from page to page.

        Raises:
            PaginationError: Pages go away time and again.
        """
        for by_last in (True, True, False):
            chain = self._from_beginning()
            first = await anext(chain)
            last = follow(first, "last") if by_last else None
            end: deque[Answer[T]] = deque(maxlen=_MOST_KEPT)
            try:
                async for answer in chain if last is None else self._chain(last, "next"):
                    end.append(answer)
            except APIError as error:
                if error.status not in _GONE:
                    raise
                gone = error
            else:
                return first, end
        raise PaginationError(f"pages of the list went away while it was read: {gone}") from gone

    async def _last_before(self, end: Answer[T]) -> Answer[T] | None:
        """The last page before an empty end that has items; None where the whole list has none."""
        back, empty = follow(end, "prev"), 0
        if back is not None:
            async for answer in self._chain(back, "prev"):
                if answer.items:
                    return answer
                empty += 1
                if empty == _MOST_EMPTY:
                    break
        newest: Answer[T] | None = None
        async for answer in self._from_beginning():  # what the first page holds may be old
            newest = answer if answer.items else newest
        return newest

    async def _read_up_to(self, end: Answer[T]) -> tuple[Sequence[Answer[T]], bool]:
        """The pages from the list's beginning up to one that names none before it, and whether these are all.

        Of many only the last are kept.
        """
        before: deque[Answer[T]] = deque(maxlen=_MOST_KEPT)
        count = 0
        async for answer in self._from_beginning():
            if answer.is_same_as(end):
                return before, count == len(before)
            before.append(answer)
            count += 1
        return before, False

    def _require_order(self, first: Answer[T], newest: Answer[T]) -> None:
        if self._check_end is not None and first.items:
            self._check_end(first.items, newest.items)

    def _from_beginning(self) -> Chain[T]:
        return Chain(self._request, "next", self._send, from_beginning=True)

    def _chain(self, request: Request, relation: str) -> Chain[T]:
        return Chain(request, relation, self._send, from_beginning=False)
