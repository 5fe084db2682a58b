"""`SharedLimiter`: what the gate of one client sees of a limit that many clients share.

It is in one of three modes. *Free*: no member has met a limit. Each sends as its own limiter says, which
starts with a share of the group's calls in flight, and only shows that it is there. *Shared*: calls are sent
on slots, which are granted in turns. *Alone*: the store is away, and each member sends at its share of the
last rate (`fallback`).
"""

import asyncio
import contextlib
import logging
import math
import uuid
from collections.abc import Callable
from functools import partial
from random import uniform

import attrs

from backupify_async._shared.alarm import Alarm
from backupify_async._shared.exchange import Exchange
from backupify_async._shared.fallback import fallback
from backupify_async._shared.free_limiter import FreeLimiter
from backupify_async._shared.messages import CallEnd, News, Turn
from backupify_async._shared.own_calls import Batch, OwnCalls
from backupify_async._shared.record import Rules
from backupify_async._shared.store import StateStore, StoreMisused, StoreUnavailable
from backupify_async._tasks import cancel_and_wait
from backupify_async._transport.rate.limiter import UNKNOWN, Estimate, Limiter, Observation
from backupify_async._transport.rate.ticket import Ticket
from backupify_async.config import RateLimit, RetryPolicy
from backupify_async.errors import ConfigurationError

_LOGGER = logging.getLogger("backupify_async.shared")
_SHOWN_EVERY = 1.0  # seconds between two turns, at most
_SHORTEST_REST = 0.0005  # seconds between two turns, at least
_REPORT_DELAY = 0.004  # seconds in which reports are collected
_RETRY = (0.4, 0.6)  # seconds between two attempts to reach a store that is away
_DEFAULTS = Rules(RateLimit(), RetryPolicy())


class SharedLimiter:
    """Finds the server's limit together with other clients, and shares it fairly with them.

    Args:
        store: Where what is shared is kept.
        limit: The ceiling, of all clients together. `adaptive` is ignored.
        retry: Says how long refusals are waited out.
        max_concurrency: How many requests this client can have in flight at once.
        on_late: Called with the reason when a turn is given up, of which the store knows nothing.
    """

    def __init__(
        self,
        store: StateStore,
        limit: RateLimit = _DEFAULTS.limit,
        retry: RetryPolicy = _DEFAULTS.retry,
        max_concurrency: int = 64,
        on_late: Callable[[str], None] | None = None,
    ) -> None:
        self._id = ""
        self._store = store
        self._rules = Rules(limit, retry)
        self._capacity = max_concurrency
        self._exchange = Exchange(store, self._rules, on_late)
        self._free = FreeLimiter(self._rules, max_concurrency)
        self._local: Limiter | None = self._free  # None while slots are needed
        self._felt = limit.per_second is not None
        self._sent_before = 0  # calls that have ended, and that no turn told of
        self._calls = OwnCalls(max_concurrency)
        self._news: News | None = None
        self._arrival: asyncio.Future[None] | None = None
        self._report_at = self._grant_at = math.inf
        self._woken = False
        self._turned_at = self._retry_at = -math.inf
        self._store_open = False
        self._alarm = Alarm()
        self._task: asyncio.Task[None] | None = None
        self.store_away = False
        """Whether the store cannot be reached: calls are sent at this client's share of the last rate."""
        self._paused_until = self._blocked_until = -math.inf

    async def open(self) -> None:
        """Join the group, in the running loop.

        Raises:
            ConfigurationError: The store cannot be used; the message says why.
        """
        self._id = uuid.uuid4().hex[:12]  # not before: a client can be made before a fork
        try:
            await self._turn()
        except StoreMisused as error:
            raise ConfigurationError(str(error)) from error
        self._task = asyncio.create_task(self._run(), name="backupify_async shared limit")

    async def close(self) -> None:
        """Leave the group. What was learned stays."""
        try:
            await cancel_and_wait([] if self._task is None else [self._task])
            if self._store_open and not self.store_away:
                await self._leave()
        finally:
            self._task, self._store_open = None, False
            await self._store.close()

    async def _leave(self) -> None:
        self._calls.give_back(math.inf)
        try:
            await self._take_turn(leaves=True)
            await self._store.announce()
        except Exception as error:
            if not isinstance(error, StoreUnavailable):  # else the others will notice
                _LOGGER.exception("the store of the shared limit raised")

    @property
    def paused_until(self) -> float:
        """As `Limiter.paused_until`."""
        return self._paused_until if self._local is None else self._local.paused_until

    @property
    def blocked_until(self) -> float:
        """As `Limiter.blocked_until`."""
        return self._blocked_until if self._local is None else self._local.blocked_until

    def earliest(self, now: float, in_flight: int) -> float:
        """As `Limiter.earliest`: when the first slot can be used."""
        if self._local is not None:
            return self._local.earliest(now, in_flight)
        self._calls.give_back(now)
        return self._calls.first_slot

    async def acquire(self, waiting: int) -> None:
        """As `AsyncLimiter.acquire`."""
        self._calls.waiting = waiting
        if self._local is not None or not self._calls.held:
            self._arrival = asyncio.get_running_loop().create_future()
            self._schedule()
            await self._arrival

    def on_send(self, now: float) -> Ticket:
        """As `Limiter.on_send`."""
        if self._local is not None:
            ticket = self._local.on_send(now)
            self._calls.add(ticket)
            return ticket
        return self._calls.send(now)

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_cancel`: another call can have the slot."""
        call = self._calls.get(ticket)
        if call is None:
            return
        if call.slot is not None:
            self._calls.keep_slot(call)
            self._schedule()
            return
        self._calls.drop(call)
        if self._local is not None:  # else the record never heard of it
            self._local.on_cancel(now, ticket)

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """As `Limiter.on_no_response`."""
        self._on_end(now, ticket, None)

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        """As `Limiter.on_response`."""
        limited = observation.status == 429 or observation.quota is not None
        self._felt = self._felt or limited
        if limited and self._local is self._free and not self.store_away:
            self._local = None
        self._on_end(observation.received_time, ticket, observation)

    def estimate(self, now: float) -> Estimate:
        """As `Limiter.estimate`: by what was last read."""
        if self._local is not None:
            return self._local.estimate(now)
        limiter = self._exchange.limiter()
        return UNKNOWN if limiter is None else limiter.estimate(now + self._exchange.ahead)

    def _on_end(self, now: float, ticket: Ticket, observation: Observation | None) -> None:
        call, local = self._calls.get(ticket), self._local
        if call is None or call.end is not None:
            return
        if local is None:
            end = CallEnd.NO_RESPONSE if observation is None else CallEnd.RESPONSE
            self._calls.end(call, now, end, observation)
            refused = observation is not None and observation.status == 429
            eager = self._news is None or self._news.eager
            delay = 0.0 if refused else self._exchange.latency + (0.0 if eager else _REPORT_DELAY)
            self._report_at = min(self._report_at, now + delay)
            self._schedule()
            return
        self._calls.drop(call)
        if call.slot is not None:
            return  # the store is away, and will find it lost
        self._sent_before += 1
        if observation is None:
            local.on_no_response(now, ticket)
        else:
            local.on_response(ticket, observation)

    # Turns

    async def _run(self) -> None:
        while True:
            self._schedule()
            await self._alarm.wait()
            self._calls.give_back(asyncio.get_running_loop().time())
            try:
                await self._turn()
            except StoreMisused:
                return
            except Exception as error:
                if not self.store_away:
                    _LOGGER.exception("the store of the shared limit raised")
                self._go_alone(error)

    def _schedule(self) -> None:
        """Set the time of the next turn."""
        when = min(self._turned_at + _SHOWN_EVERY, self._report_at)
        if self.store_away:
            when = self._retry_at
        elif self._local is None:
            unasked = self._calls.wanted and (self._news is None or not self._news.waiting)
            when = min(when, self._grant_at, self._calls.show_at, self._turned_at if unasked else math.inf)
        if self._woken and not self.store_away and (self._calls.waiting or self._local is not None):
            when = self._turned_at
        self._alarm.set(max(when, self._turned_at + max(_SHORTEST_REST, self._exchange.latency / 2)))

    async def _turn(self) -> None:
        try:
            if not self._store_open:
                await self._store.open(self._on_change)
                self._store_open = True
            was_away, news = self.store_away, await self._take_turn()
            if news.changed or was_away:
                with contextlib.suppress(StoreUnavailable):  # which costs only time
                    await self._store.announce()
        except StoreUnavailable as away:
            self._go_alone(away)
            if isinstance(away, StoreMisused):
                raise

    async def _take_turn(self, *, leaves: bool = False) -> News:
        loop = asyncio.get_running_loop()
        self._woken, self._report_at = False, math.inf
        batch = self._calls.batch(loop.time())
        sent_before, wanted = self._sent_before, 0 if leaves else self._calls.wanted
        turn = Turn(self._id, self._capacity, wanted, self._exchange.latency, leaves=leaves)
        turn = attrs.evolve(turn, felt=self._felt, cap=self._free.cap, sent_before=sent_before)
        news = await self._exchange.turn(partial(self._calls.complete, turn, batch))
        self._turned_at = loop.time()
        self._learn(batch, news)
        if news.felt:
            self._sent_before -= sent_before
        return news

    def _learn(self, batch: Batch, news: News) -> None:
        """Take in what a turn brought."""
        ahead, was_local, self._news = self._exchange.ahead, self._local, news
        self._felt = self._felt or news.felt
        self._local = None if news.felt else self._free
        if self.store_away:
            self.store_away = False
            _LOGGER.info("the store of the shared limit is back")
        self._calls.learn(batch, news, ahead, self._turned_at)
        if not news.felt:
            self._free.share(self._turned_at, news.members)
        self._grant_at = news.next_turn - ahead
        self._paused_until, self._blocked_until = news.paused_until - ahead, news.blocked_until - ahead
        if self._calls.held or was_local is not self._local or self._blocked_until > self._turned_at:
            self._wake_gate()

    def _wake_gate(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _on_change(self) -> None:
        self._woken = True
        self._schedule()

    # While the store is away

    def _go_alone(self, why: Exception) -> None:
        now = asyncio.get_running_loop().time()
        self._turned_at = now
        self._retry_at = math.inf if isinstance(why, StoreMisused) else now + uniform(*_RETRY)
        was_away, self.store_away = self.store_away, True
        if was_away:
            return
        _LOGGER.warning("the store of the shared limit is away: %s", why)
        reports = self._calls.forget_reports()
        self._local, limiter, news = self._free, self._exchange.limiter(), self._news
        if limiter is not None and news is not None:
            clocks = now, self._exchange.ahead
            self._local = fallback(limiter, clocks, self._rules, news.members, self._capacity)
        for call in reports:
            if self._local is self._free and call.slot is None and call.observation is not None:
                self._free.on_response(call.ticket, call.observation)
        self._wake_gate()
