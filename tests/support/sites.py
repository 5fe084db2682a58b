"""A list of numbered pages in virtual time, which can be wrong about its end, or fail in the middle."""

from collections.abc import Sequence

import attrs

from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond

_PATH = "/v1/backup_instances/42/backups"


@attrs.frozen
class Site:
    """A server with one list.

    Attributes:
        pages: How many items each page holds.
        says_last: The number of the `last` page in its links; None for no such link.
        query: The query of a link, with the page's number as {}.
        broken: The number of the page that cannot be read.
        how: What that page is instead: "missing", "unreadable", or the value of its Link header.
    """

    pages: Sequence[int]
    says_last: int | None = None
    query: str = "page={}"
    broken: int | None = None
    how: str = "missing"

    def __call__(self, request: PreparedRequest) -> Response:
        """Respond to a request for a page."""
        queries = {self.query.format(page): page for page in range(1, len(self.pages) + 1)}
        page = queries.get(request.url.raw_query_string, 1 if not request.url.raw_query_string else 0)
        if page == 0:
            return respond(request, body=[])  # past the end, as the server's gem does
        if page == self.broken and self.how == "missing":
            return respond(request, 404)
        if page == self.broken and self.how == "unreadable":
            return respond(request, body=b"<html>")
        first = sum(self.pages[: page - 1])
        items = [{"id": first + at} for at in range(1, self.pages[page - 1] + 1)]
        link = self.how if page == self.broken else self._link(page)
        return respond(request, body=items, headers={"Link": link})

    def _link(self, page: int) -> str:
        targets = {} if page == len(self.pages) else {"next": page + 1}
        if self.says_last is not None and page < self.says_last:
            targets["last"] = self.says_last
        return ", ".join(f"<{_PATH}?{self.query.format(at)}>; rel={rel}" for rel, at in targets.items())


def pages_asked(transport: FakeTransport) -> list[str]:
    """The query of each request, in the order of sending."""
    return [request.url.raw_query_string for _, request in transport.sent]
