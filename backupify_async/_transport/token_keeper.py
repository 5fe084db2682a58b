"""Holds the current token: renewed ahead of its end, one renewal at a time for any number of calls.

What a 401 means is decided in `trust`; here it is carried out. Whoever waits, for a renewal or for the end of
a trouble, waits with a future in a queue of all; there is one renewal and one timer for them.
"""

import asyncio
import copy
import logging
import math
import random
from collections.abc import Awaitable, Callable
from functools import partial

import attrs

from backupify_async._transport.token_request import CredentialsObjectFailed, ask_for_token
from backupify_async._transport.token_trust import SPREAD, Complaint, Step, Trust, Wait, judge
from backupify_async._transport.transport import Response
from backupify_async.config import Settings
from backupify_async.credentials import StaticToken, Token
from backupify_async.errors import AuthenticationError, BackupifyError, ConfigurationError, RateLimited

_LOGGER = logging.getLogger("backupify_async.auth")
_MARGIN = 60.0
_REMEMBER_REFUSAL = 60.0  # seconds: 100,000 calls with a wrong secret are not 100,000 wrong logins
_SHORTEST_LIFE = 1.0  # seconds: a token that is over when it comes must not make us ask in a loop
_HOLD_OFF = 1.0  # seconds after a renewal that failed until the next; doubled with each in a row
_LONGEST_HOLD_OFF = 30.0
_TICK = 0.001  # seconds: timers may ring that early, and what is due then is due
_WHY = {
    Step.OWN: "others pass with the same token",
    Step.GIVE_UP: "no call passes, and a renewed token was refused too",
}
_NO_OTHER = "there is no other token"

_Queue = dict[asyncio.Future[BackupifyError | None], None]  # a set in order


@attrs.frozen
class _Held:
    value: str = attrs.field(repr=False)
    renew_at: float
    ends_at: float


class TokenKeeper:
    """Holds the current token.

    Args:
        ask: Asks for a new token.
        now: The loop's clock, seconds.
        on_renewed: Told of each new token's life in seconds, None where it has no known end.
        fixed: Whether there is never another token.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Token]],
        now: Callable[[], float],
        on_renewed: Callable[[float | None], None],
        *,
        fixed: bool = False,
    ) -> None:
        self._ask = ask
        self._now = now
        self._on_renewed = on_renewed
        self._trust = Trust(fixed=fixed)
        self._held: _Held | None = None
        self._doubted: _Held | None = None
        self._renewal: asyncio.Task[BackupifyError | None] | None = None
        self._waiters: _Queue = {}
        self._not_before = -math.inf
        self._failures = 0
        self._refusal: BackupifyError | None = None
        self._refused: _Queue = {}
        self._wanted = math.inf  # these want to hear of a call that left later, and has passed
        self._timer: asyncio.TimerHandle | None = None

    def current(self) -> str | None:
        """The token, if there is one that holds; where it ends soon, a renewal begins beside it."""
        held = self._held
        if held is None:
            return None
        now = self._now()
        if now < held.renew_at:
            return held.value
        if now >= self._not_before:
            self._renew()
        return held.value if now < held.ends_at else None

    async def get(self) -> str:
        """A token that holds, waiting for a new one if need be. Being cancelled stops nobody else's wait.

        Raises:
            AuthenticationError: There is none to be had, or the API refused all; remembered for a minute.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        while True:
            value = self.current()
            if value is not None:
                return value
            await self._renewed()

    def passed(self, token: str, sent_time: float) -> None:
        """A call passed with a token, which had left at a time of the loop's clock."""
        trust = self._trust
        if sent_time > trust.passed and token == trust.token:
            trust.passed = sent_time
            if sent_time > self._wanted:
                self._wake_refused()

    async def refused(self, token: str, complaint: Complaint) -> str | None:
        """Wait, after the server refused a token, until the call may be sent again.

        Args:
            token: The token.
            complaint: What the call has met before; the same object for all its refusals.

        Returns:
            None, or why the refusal is to be raised.

        Raises:
            AuthenticationError: There is no new token to be had.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        complaint.refused(token, self._now())
        self._trust.complained(complaint)
        while True:
            now = self._now() + _TICK
            match judge(self._trust, complaint, now):
                case Step.REPLAY:
                    return None
                case Step.TRY:
                    self._trust.tried = now
                    return None
                case Step.RENEW:
                    await self._renewed_for_all()
                case Wait(until, passed):
                    await self._news(until, passed)
                case Step.OWN as step:
                    self._trust.owned = now
                    return _WHY[step]
                case Step.GIVE_UP as step:
                    self._give_up(now)
                    return _NO_OTHER if self._trust.fixed or self._trust.same_again else _WHY[step]

    async def close(self) -> None:
        """End a renewal under way, and forget the token."""
        self._held = self._doubted = None
        if self._timer is not None:
            self._timer.cancel()
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    async def _news(self, until: float, passed: float) -> None:
        """Wait until a time, or until something has changed before; all wake together."""
        loop = asyncio.get_running_loop()
        when = loop.time() + until - self._now()
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(when, self._wake_refused)
        self._wanted = min(self._wanted, passed)
        await _wait_in(self._refused)

    def _wake_refused(self, error: BackupifyError | None = None) -> None:
        """Let all whose token was refused look again, or end with an error."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wanted = None, math.inf
        for waiter in self._refused:
            if not waiter.done():
                waiter.set_result(error)

    async def _renewed_for_all(self) -> None:
        """Wait for a renewal, and let nobody else leave with the token meanwhile.

        Where it fails, it fails for all whose token was refused; others go on with the token.
        """
        if self._held is not None and self._now() >= self._not_before:
            self._doubted, self._held = self._held, None
        try:
            await self._renewed()
        except BackupifyError as error:
            self._wake_refused(error)
            raise

    def _give_up(self, now: float) -> None:
        """Nobody passes: tell all who wait, and remember it."""
        trust = self._trust
        if trust.remember(now):
            _LOGGER.warning("no call passes any more, for the API refuses every token")
            self._wake_refused()
        hopeless = trust.hopeless(now)
        if hopeless is not None:
            self._held = None
            self._not_before = hopeless
            self._refusal = AuthenticationError("the API refused every token a moment ago; not sent")

    async def _renewed(self) -> None:
        """Wait for a renewal, which all share; before its time, for as long as it has to be held off.

        Raises:
            BackupifyError: There is no new token. Where that will not pass by itself, it is remembered.
        """
        if self._refusal is not None and self._now() < self._not_before:
            raise copy.copy(self._refusal)
        self._renew()
        await _wait_in(self._waiters)

    def _renew(self) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._ask_in_time(), name="backupify_async token renewal")
            self._renewal.add_done_callback(self._tell_waiters)

    def _tell_waiters(self, renewal: asyncio.Task[BackupifyError | None]) -> None:
        for waiter in self._waiters:
            if waiter.done():
                continue
            if renewal.cancelled():
                waiter.cancel()
            elif (fault := renewal.exception()) is not None:
                waiter.set_exception(fault)
            else:
                waiter.set_result(renewal.result())

    async def _ask_in_time(self) -> BackupifyError | None:
        """Ask for a token, and keep it. An error is returned, since there may be nobody to raise it to."""
        delay = self._not_before - self._now()
        if delay > 0:
            await asyncio.sleep(delay)
        error: BackupifyError
        try:
            began = self._now()
            self._hold(await self._ask(), began)
        except CredentialsObjectFailed as failure:
            error = AuthenticationError(str(failure))
            self._hold_off(error, remember=False)
        except BackupifyError as failure:
            error = failure
            passing = not isinstance(error, AuthenticationError | ConfigurationError | RateLimited)
            self._hold_off(error, remember=not passing)
        else:
            return None
        _LOGGER.warning("no new token: %s", error)
        return error

    def _hold_off(self, error: BackupifyError, *, remember: bool) -> None:
        self._failures += 1
        seconds = min(_HOLD_OFF * 2.0 ** min(self._failures - 1, 60), _LONGEST_HOLD_OFF)
        if remember and isinstance(error, AuthenticationError):
            seconds = _REMEMBER_REFUSAL
        elif isinstance(error, RateLimited) and error.retry_after is not None:
            seconds = min(seconds, error.retry_after)  # the limiter waits for the rest of it
        self._held, self._doubted = self._held or self._doubted, None
        self._refusal = error if remember else None
        self._not_before = self._now() + seconds

    def _hold(self, token: Token, began: float) -> None:
        now = self._now()
        self._refusal, self._doubted, self._failures = None, None, 0
        self._trust.came(token.value, now, random.uniform(0.0, SPREAD), now - began)
        self._wake_refused()
        if token.expires_in is None:
            self._held = _Held(token.value, math.inf, math.inf)
        else:
            life = max(token.expires_in, _SHORTEST_LIFE)
            margin = min(_MARGIN, life / 5)
            ends_at = now + life
            self._held = _Held(token.value, ends_at - margin, ends_at)
        _LOGGER.info("new token, good for %s s", token.expires_in)
        self._on_renewed(token.expires_in)


def make_keeper(
    settings: Settings,
    post: Callable[[bytes, tuple[str, ...]], Awaitable[Response]],
    now: Callable[[], float],
    on_renewed: Callable[[float | None], None],
) -> TokenKeeper:
    """The keeper for the credentials of these settings; the other arguments as those of `ask_for_token`."""
    ask = partial(ask_for_token, settings.credentials, post, settings.timeouts.attempt)
    return TokenKeeper(ask, now, on_renewed, fixed=isinstance(settings.credentials, StaticToken))


async def _wait_in(queue: _Queue) -> None:
    """Wait in a queue until it is told of something; raise the error that it is told."""
    waiter: asyncio.Future[BackupifyError | None] = asyncio.get_running_loop().create_future()
    queue[waiter] = None
    try:
        error = await waiter
    finally:
        del queue[waiter]
    if error is not None:  # a copy each: one exception raised in a thousand tasks is no help
        raise copy.copy(error) from error.__cause__
