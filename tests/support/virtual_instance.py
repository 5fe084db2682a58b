"""One instance of a Backupify server in virtual time, which treats each request as a test decides."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any
from unittest import mock

import attrs

from backupify_async import RateLimit, RetryPolicy, TransportError
from backupify_async._endpoints import server_clock
from backupify_async._transport import feedback
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async._triggers.triggering import Triggers
from tests.support.action_windows import NOON
from tests.support.fake_transport import FakeTransport, respond, session_over

OLD_ONES = (-400_000.0, -300_000.0, -200_000.0, -100_000.0)
FOREVER = 1e9


@attrs.frozen
class Post:
    """What happens to a POST.

    Attributes:
        acts: How many seconds after its arrival the server starts the backup; None for never.
        response: A status; "lost" for no response; "garbage" for a 201 that is not JSON; "broken" for one
            whose body breaks off; "queued" for a 202 that names no backup; "another" for a 201 about another
            instance.
        again: How many seconds after its arrival a proxy repeats it; None for never.
        retry_after: The Retry-After of the response, in seconds; None sends none.
    """

    acts: float | None = 0.0
    response: int | str = 201
    again: float | None = None
    retry_after: int | None = None


LOST_BEFORE = Post(None, "lost")
LOST_AFTER = Post(0.0, "lost")


@attrs.frozen
class VirtualBackup:
    """A backup; `by` is the number of the POST that started it, None where it was none of these."""

    id: int | str
    begun: float
    ends: float
    by: int | None = None


def running_time() -> float:
    return asyncio.get_running_loop().time()


class VirtualInstance:
    """Responds to requests; its clock can be ahead of ours, and its Date ahead of its clock.

    Args:
        offset: How far its clock is ahead of ours, in seconds.
        date: How far its Date is ahead of its clock, in seconds; None sends none.
        has_created_at: Whether backups have a `created_at`.
        duration: How long a backup runs, in seconds.
        lag: How long the list hides a backup that has begun, in seconds.
        old: When the backups began that existed before, in seconds of the loop.
        name: Turns a number into an id.
        zone: Dates are local times this far ahead of UTC, without an offset; None for dates in UTC with one.
    """

    def __init__(
        self,
        *,
        offset: float = 0.0,
        date: float | None = 0.0,
        has_created_at: bool = True,
        duration: float = FOREVER,
        lag: float = 0.0,
        old: tuple[float, ...] = OLD_ONES,
        per_page: int = 3,
        name: Callable[[int], int | str] = int,
        zone: timedelta | None = None,
    ) -> None:
        self.zone = zone
        self.offset, self.date, self.has_created_at = offset, date, has_created_at
        self.duration, self.lag, self.per_page, self.name = duration, lag, per_page, name
        self.backups = [
            VirtualBackup(name(number), begun, begun + 600) for number, begun in enumerate(old, 1)
        ]
        self.posts: deque[Post] = deque()
        self.gets: deque[Callable[[PreparedRequest], Response | None]] = deque()
        """Responders for the next GETs, one each; None is the usual response."""
        self.triggers_received = 0
        self.sleeps: list[tuple[float, float]] = []
        """When the client's machine was suspended, by its loop's clock, and for how many seconds."""
        self._late: list[tuple[float, int]] = []

    @property
    def started(self) -> Counter[int]:
        """How many backups each POST started, by its number."""
        return self.started_until(running_time())

    def started_until(self, now: float) -> Counter[int]:
        """How many backups each POST has started by this time."""
        self._catch_up(now)
        return Counter({one.by for one in self.backups if one.by is not None})

    @property
    def newest(self) -> VirtualBackup:
        return self.backups[-1]

    def start(self, at: float, by: int | None = None) -> None:
        """Start a backup unless one runs."""
        if self._active(at) is None:
            backup_id = self.name(len(self.backups) + 1)
            self.backups.append(VirtualBackup(backup_id, at, at + self.duration, by))

    def __call__(self, request: PreparedRequest) -> Response:
        """Respond to a request."""
        now = running_time()
        self._catch_up(now)
        if request.method == "POST":
            return self._post(request, now)
        response = self.gets.popleft()(request) if self.gets else None
        return response or self._get(request, now)

    def _post(self, request: PreparedRequest, now: float) -> Response:
        post = self.posts.popleft() if self.posts else Post()
        self.triggers_received += 1
        was_active = self._active(now)
        for delay in (post.acts, post.again):
            if delay is not None:
                self._late.append((now + delay, self.triggers_received))
        self._catch_up(now)
        match post.response:
            case "lost":
                raise TransportError("the response was lost")
            case "queued":
                return self.respond(request, 202, {"status": "queued"})
            case "another":
                return self.respond(request, 201, {"id": 99, "backup_instance_id": 999})
            case "broken":
                raise TransportError("the connection closed in the middle of the response", status=201)
            case "garbage":
                return self.respond(request, 201, b"<html>")
            case 201 if was_active is not None:
                return self.respond(request, 409)
            case 201:
                return self.respond(request, 201, self.shown(self.newest, now))
            case int(status):
                asked = {} if post.retry_after is None else {"Retry-After": str(post.retry_after)}
                return self.respond(request, status, headers=asked)
        raise AssertionError(post)

    def _get(self, request: PreparedRequest, now: float) -> Response:
        if request.url.path.endswith("/active"):
            active = self._active(now)
            if active is None:
                return self.respond(request, 404, {"error": "none"})
            return self.respond(request, 200, self.shown(active, now))
        listed = [one for one in self.backups if one.begun <= now - self.lag or one.begun <= 0]
        return self.page(request, [self.shown(one, now) for one in listed])

    def page(self, request: PreparedRequest, items: list[dict[str, Any]]) -> Response:
        """The page of a list that a request asks for."""
        number = int(request.url.query.get("page", "1"))
        last = max(1, -(-len(items) // self.per_page))
        targets = {"first": 1, "prev": number - 1} if number > 1 else {}
        targets |= {"last": last, "next": number + 1} if number < last else {}
        link = ", ".join(f'<{request.url.path}?page={page}>; rel="{rel}"' for rel, page in targets.items())
        here = items[(number - 1) * self.per_page : number * self.per_page]
        return self.respond(request, 200, here, {"Link": link} if link else {})

    def respond(
        self, request: PreparedRequest, status: int, body: Any = b"", headers: dict[str, str] | None = None
    ) -> Response:
        """A response, with a Date if this server sends one."""
        headers = dict(headers or {})
        if self.date is not None:
            headers["Date"] = formatdate(self._wall(running_time()) + self.date, usegmt=True)
        return respond(request, status, body, headers)

    def shown(self, backup: VirtualBackup, now: float) -> dict[str, Any]:
        """A backup as JSON."""
        if not self.has_created_at:
            return {"id": backup.id}
        completed = self._stamp(backup.ends) if backup.ends <= now else None
        return {"id": backup.id, "created_at": self._stamp(backup.begun), "completed_at": completed}

    def slept_until(self, when: float) -> float:
        """For how many seconds the client's machine was suspended before a time of its loop."""
        return sum(seconds for began, seconds in self.sleeps if began < when)

    def _wall(self, when: float) -> float:
        return NOON + self.offset + when + self.slept_until(when)

    def _stamp(self, when: float) -> str:
        date = datetime.fromtimestamp(self._wall(when), UTC)
        return date.isoformat() if self.zone is None else (date + self.zone).replace(tzinfo=None).isoformat()

    def _active(self, now: float) -> VirtualBackup | None:
        return next((one for one in reversed(self.backups) if one.begun <= now < one.ends), None)

    def _catch_up(self, now: float) -> None:
        for when, sending in sorted(one for one in self._late if one[0] <= now):
            self.start(when, sending)
        self._late = [one for one in self._late if one[0] > now]


@contextlib.contextmanager
def our_clock(jumps: Callable[[], float] = lambda: 0.0) -> Iterator[None]:
    """Our own wall clock in virtual time, which can jump."""
    shown = SimpleNamespace(time=lambda: NOON + running_time() + jumps())
    with mock.patch.object(server_clock, "time", shown), mock.patch.object(feedback, "time", shown):
        yield


@contextlib.asynccontextmanager
async def triggering(
    server: VirtualInstance, round_trip: float = 0.1, clock_moved: float = 0.0, **options: Any
) -> AsyncIterator[tuple[Triggers, FakeTransport, Session]]:
    """`Triggers` over this server, without a rate limit and without back-off."""
    transport = FakeTransport(server, round_trip)
    options = {"rate_limit": RateLimit(None, adaptive=False), "retry": RetryPolicy(base=0), **options}
    with our_clock(lambda: clock_moved):
        async with session_over(transport, **options) as session:
            yield Triggers(session), transport, session
