"""Instances whose backups run until a set time, over a fake transport."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import attrs

from backupify_async import RateLimit, RetryPolicy
from backupify_async._resources.backups import Backups
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.work import now

UNLIMITED = RateLimit(None, adaptive=False)
NO_RETRY = RetryPolicy(attempts=1)


@attrs.define
class Server:
    """Backups by id, each of the instance with the same id: when they end, and how they are shown."""

    ends: dict[int, float] = attrs.field(factory=dict)
    running: str | None = "running"
    ended: str | None = "completed"
    says_when: bool = True
    trouble: Callable[[str], tuple[int, Any] | None] = lambda _path: None
    replaced: bool = False

    def respond(self, request: PreparedRequest) -> Response:
        path = request.url.path
        trouble = self.trouble(path)
        if trouble is not None:
            status, body = trouble
            return respond(request, status, body)
        instance, last = int(path.split("/")[3]), path.rpartition("/")[2]
        if last == "active":
            runs = now() < self.ends.get(instance, 0)
            other = {"id": 999, "status": "running"} if self.replaced else None
            return respond(request, body=self.shown(instance) if runs and not self.replaced else other)
        return respond(request, body=self.shown(instance)) if instance in self.ends else respond(request, 404)

    def shown(self, instance: int) -> dict[str, Any]:
        over = now() >= self.ends[instance]
        completed_at = datetime(2026, 1, 1, tzinfo=UTC) if over and self.says_when else None
        return {"id": instance, "status": self.ended if over else self.running, "completed_at": completed_at}


@contextlib.asynccontextmanager
async def backups_of(
    server: Server, round_trip: float = 0.0, **options: Any
) -> AsyncIterator[tuple[Backups, FakeTransport, Session]]:
    transport = FakeTransport(server.respond, round_trip)
    options.setdefault("rate_limit", UNLIMITED)
    options.setdefault("retry", NO_RETRY)
    async with session_over(transport, **options) as session:
        yield Backups(session), transport, session


def asked(transport: FakeTransport) -> list[tuple[float, str]]:
    """When each request was sent, and the last part of its path."""
    return [(round(when, 6), request.url.path.rpartition("/")[2]) for when, request in transport.sent]
