"""A list of numbered pages, in virtual time, that may lie about its end, or fail in the midst."""

from collections.abc import Sequence

import attrs

from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond

_PATH = "/v1/backup_instances/42/backups"


@attrs.frozen
class Site:
    """What the server has.

    Attributes:
        pages: How many items each page holds.
        says_last: Which page it calls the last one; None: it names none.
        query: How a link says which page it means.
        broken: Which page cannot be had.
        how: What that page does instead: "missing", "unreadable", or a Link header's value.
    """

    pages: Sequence[int]
    says_last: int | None = None
    query: str = "page={}"
    broken: int | None = None
    how: str = "missing"

    def __call__(self, message: PreparedRequest) -> Response:
        """Answer a request for a page."""
        queries = {self.query.format(page): page for page in range(1, len(self.pages) + 1)}
        page = queries.get(message.url.raw_query_string, 1 if not message.url.raw_query_string else 0)
        if page == 0:
            return respond(message, body=[])  # as the gem does, past the end
        if page == self.broken and self.how == "missing":
            return respond(message, 404)
        if page == self.broken and self.how == "unreadable":
            return respond(message, body=b"<html>")
        first = sum(self.pages[: page - 1])
        items = [{"id": first + at} for at in range(1, self.pages[page - 1] + 1)]
        link = self.how if page == self.broken else self._link(page)
        return respond(message, body=items, headers={"Link": link})

    def _link(self, page: int) -> str:
        targets = {} if page == len(self.pages) else {"next": page + 1}
        if self.says_last is not None and page < self.says_last:
            targets["last"] = self.says_last
        return ", ".join(f"<{_PATH}?{self.query.format(at)}>; rel={rel}" for rel, at in targets.items())


def pages_asked(transport: FakeTransport) -> list[str]:
    """The query of each request that left, in the order in which they did."""
    return [message.url.raw_query_string for _, message in transport.sent]
