"""One instance of a Backupify in virtual time, which does to each request what a test tells it to."""

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
    """What becomes of a POST.

    Attributes:
        acts: How many seconds after it came the server does what it asks; None for never.
        answer: A status; "lost" for none; "garbage" for a 201 that nobody can read; "broken" for one whose
            body breaks off; "queued" for a 202 that names no backup; "another" for a 201
            about another instance.
        again: How many seconds after it came a proxy brings it a second time; None for never.
        retry_after: What the Retry-After of the answer says, in seconds; None sends none.
    """

    acts: float | None = 0.0
    answer: int | str = 201
    again: float | None = None
    retry_after: int | None = None


LOST_BEFORE = Post(None, "lost")
LOST_AFTER = Post(0.0, "lost")


@attrs.frozen
class Made:
    """A backup; `by` is the number of the POST that started it, None for somebody else's."""

    id: int | str
    begun: float
    ends: float
    by: int | None = None


def running_time() -> float:
    return asyncio.get_running_loop().time()


class VirtualInstance:
    """Answers messages; its clock is `offset` seconds before ours, its Date `date` seconds before that.

    Args:
        offset: How far its clock is ahead of ours, in seconds.
        date: How far its Date is ahead of its clock, in seconds; None sends none.
        tells_creation: Whether backups have a `created_at`.
        duration: How long a backup runs, in seconds.
        lag: How long the list hides a backup that has begun, in seconds.
        old: When, in seconds of the loop, the backups began that were there before.
        name: Makes an id of a number.
        zone: Dates have no offset, and are local times so far ahead of UTC; None for dates with one.
    """

    def __init__(
        self,
        *,
        offset: float = 0.0,
        date: float | None = 0.0,
        tells_creation: bool = True,
        duration: float = FOREVER,
        lag: float = 0.0,
        old: tuple[float, ...] = OLD_ONES,
        per_page: int = 3,
        name: Callable[[int], int | str] = int,
        zone: timedelta | None = None,
    ) -> None:
        self.zone = zone
        self.offset, self.date, self.tells_creation = offset, date, tells_creation
        self.duration, self.lag, self.per_page, self.name = duration, lag, per_page, name
        self.backups = [Made(name(number), begun, begun + 600) for number, begun in enumerate(old, 1)]
        self.posts: deque[Post] = deque()
        self.gets: deque[Callable[[PreparedRequest], Response | None]] = deque()
        """What is done to the next GETs; what returns None lets one pass."""
        self.sendings = 0
        self.sleeps: list[tuple[float, float]] = []
        """When the client's machine slept, by its loop's clock, and for how many seconds."""
        self._late: list[tuple[float, int]] = []

    @property
    def started(self) -> Counter[int]:
        """How many backups each POST started, by its number."""
        return self.started_until(running_time())

    def started_until(self, now: float) -> Counter[int]:
        """How many backups each POST has started by then."""
        self._catch_up(now)
        return Counter({one.by for one in self.backups if one.by is not None})

    @property
    def newest(self) -> Made:
        return self.backups[-1]

    def start(self, at: float, by: int | None = None) -> None:
        """Start a backup unless one runs."""
        if self._active(at) is None:
            backup_id = self.name(len(self.backups) + 1)
            self.backups.append(Made(backup_id, at, at + self.duration, by))

    def __call__(self, message: PreparedRequest) -> Response:
        """Answer a message."""
        now = running_time()
        self._catch_up(now)
        if message.method == "POST":
            return self._post(message, now)
        told = self.gets.popleft()(message) if self.gets else None
        return told or self._get(message, now)

    def _post(self, message: PreparedRequest, now: float) -> Response:
        post = self.posts.popleft() if self.posts else Post()
        self.sendings += 1
        was_active = self._active(now)
        for delay in (post.acts, post.again):
            if delay is not None:
                self._late.append((now + delay, self.sendings))
        self._catch_up(now)
        match post.answer:
            case "lost":
                raise TransportError("the answer was lost")
            case "queued":
                return self.respond(message, 202, {"status": "queued"})
            case "another":
                return self.respond(message, 201, {"id": 99, "backup_instance_id": 999})
            case "broken":
                raise TransportError("the connection closed in the middle of the response", status=201)
            case "garbage":
                return self.respond(message, 201, b"<html>")
            case 201 if was_active is not None:
                return self.respond(message, 409)
            case 201:
                return self.respond(message, 201, self.shown(self.newest, now))
            case int(status):
                asked = {} if post.retry_after is None else {"Retry-After": str(post.retry_after)}
                return self.respond(message, status, headers=asked)
        raise AssertionError(post)

    def _get(self, message: PreparedRequest, now: float) -> Response:
        if message.url.path.endswith("/active"):
            active = self._active(now)
            if active is None:
                return self.respond(message, 404, {"error": "none"})
            return self.respond(message, 200, self.shown(active, now))
        listed = [one for one in self.backups if one.begun <= now - self.lag or one.begun <= 0]
        return self.page(message, [self.shown(one, now) for one in listed])

    def page(self, message: PreparedRequest, items: list[dict[str, Any]]) -> Response:
        """The page of a list that a message asks for."""
        number = int(message.url.query.get("page", "1"))
        last = max(1, -(-len(items) // self.per_page))
        targets = {"first": 1, "prev": number - 1} if number > 1 else {}
        targets |= {"last": last, "next": number + 1} if number < last else {}
        link = ", ".join(f'<{message.url.path}?page={page}>; rel="{rel}"' for rel, page in targets.items())
        here = items[(number - 1) * self.per_page : number * self.per_page]
        return self.respond(message, 200, here, {"Link": link} if link else {})

    def respond(
        self, message: PreparedRequest, status: int, body: Any = b"", headers: dict[str, str] | None = None
    ) -> Response:
        """An answer with a Date, if this server sends one."""
        headers = dict(headers or {})
        if self.date is not None:
            headers["Date"] = formatdate(self._wall(running_time()) + self.date, usegmt=True)
        return respond(message, status, body, headers)

    def shown(self, backup: Made, now: float) -> dict[str, Any]:
        """A backup as it is shown."""
        if not self.tells_creation:
            return {"id": backup.id}
        completed = self._stamp(backup.ends) if backup.ends <= now else None
        return {"id": backup.id, "created_at": self._stamp(backup.begun), "completed_at": completed}

    def slept_until(self, when: float) -> float:
        """For how many seconds the client's machine slept before a time of its loop."""
        return sum(seconds for began, seconds in self.sleeps if began < when)

    def _wall(self, when: float) -> float:
        return NOON + self.offset + when + self.slept_until(when)

    def _stamp(self, when: float) -> str:
        date = datetime.fromtimestamp(self._wall(when), UTC)
        return date.isoformat() if self.zone is None else (date + self.zone).replace(tzinfo=None).isoformat()

    def _active(self, now: float) -> Made | None:
        return next((one for one in reversed(self.backups) if one.begun <= now < one.ends), None)

    def _catch_up(self, now: float) -> None:
        for when, sending in sorted(one for one in self._late if one[0] <= now):
            self.start(when, sending)
        self._late = [one for one in self._late if one[0] > now]


@contextlib.contextmanager
def our_clock(jumps: Callable[[], float] = lambda: 0.0) -> Iterator[None]:
    """Our own wall clock in virtual time; it may jump."""
    shown = SimpleNamespace(time=lambda: NOON + running_time() + jumps())
    with mock.patch.object(server_clock, "time", shown), mock.patch.object(feedback, "time", shown):
        yield


@contextlib.asynccontextmanager
async def triggering(
    server: VirtualInstance, round_trip: float = 0.1, clock_moved: float = 0.0, **options: Any
) -> AsyncIterator[tuple[Triggers, FakeTransport, Session]]:
    """What triggers over that server, without a rate limit and without back-off."""
    transport = FakeTransport(server, round_trip)
    options = {"rate_limit": RateLimit(None, adaptive=False), "retry": RetryPolicy(base=0), **options}
    with our_clock(lambda: clock_moved):
        async with session_over(transport, **options) as session:
            yield Triggers(session), transport, session
