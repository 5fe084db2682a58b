"""Pages one behind the other, by one relation, to the end that the server tells."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, Self, TypeVar

from backupify_async._paging.page import Answer, follow, read_page
from backupify_async._transport.request import Request, Response
from backupify_async.errors import PaginationError

T = TypeVar("T")

_MOST_EMPTY = 5  # pages in a row; a server that filters what it has counted may well have one or two


class Chain(Generic[T]):
    """The page that a request asks for, and all that follow it by one relation.

    It ends with an error where it would not end: a page comes again, by its URL or by what is on it, or empty
    pages follow each other. It holds nothing that were to be closed, and is no generator, which costs as much
    as reading some backups.

    Args:
        request: Asks for its first page.
        relation: What links one page to the following one: "next" or "prev".
        send: Sends a request.
        from_beginning: Whether its first page is the list's: then its items can be counted.
    """

    def __init__(
        self,
        request: Request,
        relation: str,
        send: Callable[[Request], Awaitable[Response]],
        *,
        from_beginning: bool,
    ) -> None:
        self._ahead: Request | None = request
        self._relation = relation
        self._send = send
        self._answer: Answer[T] | None = None
        self._read = 0 if from_beginning else None
        self._seen: set[str] = set()
        self._held: set[tuple[object, object]] = set()
        self._empty = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Answer[T]:
        if self._answer is not None:  # its link is looked at only now: the page itself was to be handed out
            self._ahead = self._following(self._answer)
        request = self._ahead
        if request is None:
            raise StopAsyncIteration
        answer = read_page(request, await self._send(request), len(self._seen) + 1, self._read)
        self._answer, self._read = answer, answer.read
        self._require_news(answer)
        return answer

    def _following(self, answer: Answer[T]) -> Request | None:
        ahead = follow(answer, self._relation)
        if ahead is not None:
            self._seen.add(answer.url.raw_path_qs)
            if ahead.target in self._seen:
                raise PaginationError(
                    f"the list goes in a circle: {answer.url.origin()}{ahead.target} comes again"
                )
            if self._empty >= _MOST_EMPTY:
                raise PaginationError(
                    f"{self._empty} pages in a row are empty, and the last, {answer.url}, names another one"
                )
        return ahead

    def _require_news(self, answer: Answer[T]) -> None:
        """Refuse a page that came before under another number: its items were handed out."""
        items: list[Any] = answer.items
        if not items:
            self._empty += 1
            return
        self._empty = 0
        ends = (items[0].id, items[-1].id)
        if ends in self._held:
            raise PaginationError(f"the list does not go on: what is on {answer.url} was on a page before it")
        self._held.add(ends)
