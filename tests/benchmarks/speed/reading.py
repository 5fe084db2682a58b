"""The cost of reading a page into typed backups, and of the parts that cannot be saved."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from functools import partial

import orjson
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from backupify_async._codec.decode import decode_list
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.models import Backup
from tests.benchmarks.speed.measuring import Batch, Way, costs, ratio
from tests.benchmarks.speed.server import PER_PAGE, Server, response_to
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_PLAIN = "json.loads"
_HEAD = b"GET /0ms/1pages/v1/backup_instances/42/backups HTTP/1.1"


def rows(_server: Server, size: Size) -> Iterator[Row]:
    """Our reader and its parts, over the plain dicts of `json.loads`, which `response.json()` calls."""
    body = response_to(_HEAD)[1].partition(b"\r\n\r\n")[2]
    request = PreparedRequest("GET", URL("http://127.0.0.1/"), {}, None, datetime.now(UTC), ())
    response = Response(request, 200, CIMultiDictProxy(CIMultiDict()), body)
    date = datetime.now(UTC)
    dates: list[str] = [text for item in orjson.loads(body) for text in item.values() if _is_date(text)]

    def objects() -> None:
        for number in range(PER_PAGE):
            Backup(number, 42, "running", None, date, None, date, {})

    parts: dict[str, Callable[[], object]] = {
        "reading a page of 20 into typed backups": lambda: decode_list(response, Backup),
        "of that, the JSON, by orjson": lambda: orjson.loads(body),
        "of that, 20 frozen objects": objects,
        "of that, 40 dates": lambda: [datetime.fromisoformat(text) for text in dates],
    }
    works = {_PLAIN: lambda: json.loads(body), **parts}
    found = costs([Way(name, partial(_again, work), size.calls) for name, work in works.items()], size.pairs)
    for name in parts:
        yield Row(f"{name}, over {_PLAIN}", ratio(found, name, _PLAIN))


def _is_date(text: object) -> bool:
    return isinstance(text, str) and text.endswith("Z")


@contextlib.asynccontextmanager
async def _again(work: Callable[[], object]) -> AsyncIterator[Batch]:
    """The same work repeatedly, without a network."""

    async def batch(times: int) -> None:
        for _ in range(times):
            work()

    yield batch
