"""Never two backups for one trigger, whatever the server loses, delays, doubles or contradicts.

Only the assumptions of reconciliation hold: the server acts within the settling time, dates backups by its
Date or within tolerance of our clock, and never hides a backup that is over. All else can go wrong.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any

import looptime
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from backupify_async import BackupifyError, Conflict, RetryPolicy, TriggerKind, TriggerResult
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.errors import AmbiguousTrigger
from backupify_async.models import UNKNOWN_BASELINE
from tests.support.virtual_instance import FOREVER, Post, VirtualInstance, triggering

pytestmark = pytest.mark.slow

SETTLING = 30.0
late = st.none() | st.sampled_from([0.0, 0.0, 0.3, 5.0, 20.0, 29.0])
doubled = st.none() | st.sampled_from([0.1, 3.0, 25.0])
lost = st.sampled_from(["lost", "lost", "garbage", 500, 503, 504, 408])
posts = st.builds(Post, acts=late, response=lost, again=doubled) | st.builds(Post, again=doubled)
clocks = st.sampled_from(
    [
        (0.0, 0.0),
        (0.0, None),
        (100.0, -100.0),
        (-10.0, 10.0),
        (-250.0, 250.0),
        (200.0, None),
        (-200.0, None),
        (600.0, 0.0),
        (-600.0, 0.0),
        (0.0, 600.0),
        (0.0, -600.0),
    ]
)
"""How far the server's clock is ahead of ours, and its Date ahead of its clock; None for no Date."""


def failing(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    return lambda message: server.respond(message, 500)


def passing(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    return lambda message: None


def empty_list(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    return lambda message: None if message.url.path.endswith("/active") else server.page(message, [])


def list_without_the_newest(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    def respond(message: PreparedRequest) -> Response | None:
        if message.url.path.endswith("/active"):
            return None
        return server.page(message, [server.shown(one, 0) for one in server.backups[:-1]])

    return respond


def nothing_active(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    return lambda message: server.respond(message, 404) if message.url.path.endswith("/active") else None


class NeverTwice(RuleBasedStateMachine):
    """One operator triggers one instance repeatedly; each trigger is one call of the client."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = looptime.new_event_loop()
        self.task: asyncio.Task[TriggerResult] | None = None
        self.calls: list[tuple[int, int]] = []
        """The first and the last POST of each call."""
        self.first_post = 1
        self.ended = 0.0
        """When the last task ended."""

    @initialize(
        clock=clocks, short=st.booleans(), has_created_at=st.booleans(), lag=st.sampled_from([0.0, 15.0])
    )
    def open(self, clock: tuple[float, float | None], short: bool, has_created_at: bool, lag: float) -> None:
        offset, date = clock
        self.short = short
        more: dict[str, Any] = {"has_created_at": has_created_at, "lag": 0.0 if short else lag}
        self.server = VirtualInstance(offset=offset, date=date, duration=2.0 if short else FOREVER, **more)
        self.context = triggering(self.server, retry=RetryPolicy(base=0.1, budget=10**6))
        self.trigger, _, self.session = self.loop.run_until_complete(self.context.__aenter__())

    @precondition(lambda self: self.task is None)
    @rule(first=posts, more=st.lists(posts, max_size=3), knows_baseline=st.booleans())
    def begin(self, first: Post, more: list[Post], knows_baseline: bool) -> None:
        self.server.posts.extend([first, *more])
        self.first_post = self.server.triggers_received + 1
        baseline = self.server.newest.id if knows_baseline else UNKNOWN_BASELINE
        self.task = self.loop.create_task(self.trigger.run(7, baseline))
        self.task.add_done_callback(self._note_end)

    @rule(lies=st.lists(st.sampled_from([failing, passing, empty_list, list_without_the_newest]), max_size=6))
    def contradict(self, lies: list[Callable[[VirtualInstance], Any]]) -> None:
        if self.short:  # only the list shows a backup that is over, so that it must not lie
            lies = [lie for lie in lies if lie in (failing, passing)]
        self.server.gets.extend(lie(self.server) for lie in lies)

    @precondition(lambda self: not self.server.gets and self.server.lag == 0)
    @rule(count=st.integers(1, 5))
    def deny_the_active_one(self, count: int) -> None:
        self.server.gets.extend([nothing_active(self.server)] * count)

    @rule()
    def let_another_caller_start_one(self) -> None:
        self.server.start(self.loop.time())

    @rule(seconds=st.sampled_from([0.05, 1.0, 31.0]))
    def wait(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))
        if self.task is not None and self.task.done():
            self._note(self.task)
            self.task = None

    @precondition(lambda self: self.task is not None)
    @rule()
    def wait_for_its_end(self) -> None:
        self.wait(1000.0)
        assert self.task is None

    @precondition(lambda self: self.task is not None and self.server.triggers_received >= self.first_post)
    @rule()
    def give_up(self) -> None:
        assert self.task is not None
        self.task.cancel()
        self.loop.run_until_complete(asyncio.wait([self.task]))
        self._note(self.task)
        self.task = None

    def _note_end(self, _task: "asyncio.Task[TriggerResult]") -> None:
        self.ended = self.loop.time()

    def _note(self, task: "asyncio.Task[TriggerResult]") -> None:
        self.server.posts.clear()
        self.server.gets.clear()
        self.calls.append((self.first_post, self.server.triggers_received))
        if task.cancelled():
            return
        error = task.exception()
        assert error is None or isinstance(error, BackupifyError), error
        # No check can foresee that a proxy repeats a request after a clear refusal.
        until = self.ended if isinstance(error, Conflict) else self.loop.time()
        mine = self._starts(self.first_post, self.server.triggers_received, until)
        if error is not None and not isinstance(error, AmbiguousTrigger):
            assert mine == 0, "an error that is not ambiguous says that nothing was started"
        if error is None and task.result().kind is TriggerKind.STARTED:
            assert mine == 1

    def _starts(self, first: int, last: int, until: float = math.inf) -> int:
        """How many of these POSTs started a backup, each counted once though a proxy repeats it."""
        self.server.started_until(self.loop.time())
        started = {one.by for one in self.server.backups if one.begun <= until}
        return sum(number in started for number in range(first, last + 1))

    @invariant()
    def never_twice(self) -> None:
        for first, last in self.calls if hasattr(self, "server") else ():
            assert self._starts(first, last) <= 1

    def teardown(self) -> None:
        try:
            if hasattr(self, "context"):
                self.wait(400.0)
                self.wait(40.0)
                self.never_twice()
                self.loop.run_until_complete(self.context.__aexit__(None, None, None))
        finally:
            self.loop.close()


NeverTwice.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestNeverTwice = NeverTwice.TestCase
