"""Holds the current token: refreshed ahead of its end, by one refresh at a time for all calls.

`token_rejections` decides what a 401 means, and this module carries it out. A call that waits, for a refresh
or for the end of trouble with a token, waits by a future in a queue. One refresh and one timer serve all.
"""

import asyncio
import copy
import logging
import math
import random
from collections.abc import Awaitable, Callable
from functools import partial

from backupify_async._transport.foreign_errors import foreign_exception
from backupify_async._transport.held_token import HeldToken, hold
from backupify_async._transport.scopes import CLOSING_PATIENCE
from backupify_async._transport.token_rejections import (
    REFRESH_JITTER,
    Action,
    Rejections,
    TokenHistory,
    Wait,
    next_action,
)
from backupify_async._transport.token_request import TokenSourceFailed, request_token
from backupify_async._transport.transport import Response
from backupify_async._transport.waiters import Waiters, wait_among
from backupify_async.config import Settings
from backupify_async.credentials import ClientCredentials, StaticToken, Token
from backupify_async.errors import AuthenticationError, BackupifyError, ConfigurationError, RateLimited

_LOGGER = logging.getLogger("backupify_async.auth")
_REMEMBER_REFUSAL = 60.0  # seconds: 100,000 calls with a wrong secret are not 100,000 failed logins
_HOLD_OFF = 1.0  # seconds from a failed refresh to the next; doubled with each failure in a row
_LONGEST_HOLD_OFF = 30.0
_TICK = 0.001  # seconds: timers can fire that early, and what is due then is due
_REASONS = {
    Action.RAISE: "other calls are accepted with the same token",
    Action.GIVE_UP: "no call is accepted, and a refreshed token was rejected too",
}
_NO_OTHER = "there is no other token"

Fetch = Callable[[], Awaitable[Token]]
"""Fetches a token that is not due yet; raises what `request_token` does."""


class TokenKeeper:
    """Holds the current token.

    Args:
        fetch: Fetches a new token.
        now: The loop's clock, seconds.
        on_refresh: Called with the life of each new token in seconds, None where its end is not known.
        static: Whether there is never another token.
    """

    def __init__(
        self,
        fetch: Fetch,
        now: Callable[[], float],
        on_refresh: Callable[[float | None], None],
        *,
        static: bool = False,
    ) -> None:
        self._fetch = fetch
        self._now = now
        self._on_refresh = on_refresh
        self._history = TokenHistory(static=static)
        self._held: HeldToken | None = None
        self._doubted: HeldToken | None = None  # no call uses it while it is refreshed after a rejection
        self._refresh: asyncio.Task[BackupifyError | None] | None = None
        self._waiting_for_refresh: Waiters = {}
        self._not_before = -math.inf
        self._failures = 0
        self._refusal: BackupifyError | None = None
        self._rejected: Waiters = {}
        self._wake_after = math.inf  # rejected calls wake once a call is accepted that was sent later
        self._timer: asyncio.TimerHandle | None = None

    def current(self) -> str | None:
        """The token, unless there is none or it has ended. Where it ends soon, a refresh begins meanwhile."""
        held = self._held
        if held is None:
            return None
        now = self._now()
        if now < held.refresh_at:
            return held.value
        if now >= self._not_before:
            self._begin_refresh()
        return held.value if now < held.ends_at else None

    async def get(self) -> str:
        """The token, after a refresh if there is none. Cancelling one call does not affect the others.

        Raises:
            AuthenticationError: No token can be obtained, or the API rejected all; remembered for a minute.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        while True:
            value = self.current()
            if value is not None:
                return value
            await self._refreshed()

    def on_accepted(self, token: str, sent_time: float) -> None:
        """Record that the server accepted a token, in a request that was sent then by the loop's clock."""
        history = self._history
        if sent_time > history.accepted and token == history.token:
            history.accepted = sent_time
            if sent_time > self._wake_after:
                self._wake_rejected()

    async def on_rejected(self, token: str, rejections: Rejections) -> str | None:
        """Wait, after the server rejected a token, until the call can be sent again.

        Args:
            token: The token.
            rejections: What the call has met before; the same object for all its rejections.

        Returns:
            None, or why the 401 is to be raised.

        Raises:
            AuthenticationError: No new token can be obtained.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        history = self._history
        rejections.add(token, self._now())
        history.on_rejection(rejections)
        while True:
            now = self._now() + _TICK
            match next_action(history, rejections, now):
                case Action.RESEND:
                    return None
                case Action.PROBE:
                    history.probed = now
                    return None
                case Action.REFRESH:
                    await self._refreshed_after_rejection()
                case Wait(until, accepted_after):
                    await self._wait_for_news(until, accepted_after)
                case Action.RAISE as action:
                    history.raised = now
                    return _REASONS[action]
                case Action.GIVE_UP as action:
                    self._give_up(now)
                    return _NO_OTHER if history.static or history.unchanged else _REASONS[action]

    async def close(self) -> None:
        """End a refresh in flight, and forget the token."""
        self._held = self._doubted = None
        if self._timer is not None:
            self._timer.cancel()
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait([self._refresh], timeout=CLOSING_PATIENCE)

    async def _wait_for_news(self, until: float, accepted_after: float) -> None:
        """Wait until a time, or until the token's state has changed; all rejected calls wake together."""
        loop = asyncio.get_running_loop()
        when = loop.time() + until - self._now()
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_at(when, self._wake_rejected)
        self._wake_after = min(self._wake_after, accepted_after)
        await wait_among(self._rejected)

    def _wake_rejected(self, error: BackupifyError | None = None) -> None:
        """Let all rejected calls decide again, or end with an error."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._wake_after = None, math.inf
        for waiter in self._rejected:
            if not waiter.done():
                waiter.set_result(error)

    async def _refreshed_after_rejection(self) -> None:
        """Wait for a refresh, during which no call is sent with the token.

        If it fails, it fails for all rejected calls; other calls keep using the token.
        """
        if self._held is not None and self._now() >= self._not_before:
            self._doubted, self._held = self._held, None
        try:
            await self._refreshed()
        except BackupifyError as error:
            self._wake_rejected(error)
            raise

    def _give_up(self, now: float) -> None:
        """No call is accepted: wake all rejected calls, and remember it."""
        if self._history.give_up(now):
            _LOGGER.warning("the API rejects every token: no call is accepted")
            self._wake_rejected()
        until = self._history.hopeless_until(now)
        if until is not None:
            self._held = None
            self._not_before = until
            self._refusal = AuthenticationError("the API rejected every token recently; not sent")

    async def _refreshed(self) -> None:
        """Wait for the refresh that all calls share, and before it for as long as it is held off.

        Raises:
            BackupifyError: There is no new token. It is remembered where waiting does not help.
        """
        if self._refusal is not None and self._now() < self._not_before:
            raise copy.copy(self._refusal)
        self._begin_refresh()
        await wait_among(self._waiting_for_refresh)

    def _begin_refresh(self) -> None:
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self._fetch_in_time(), name="backupify_async token refresh")
            self._refresh.add_done_callback(self._on_refresh_done)

    def _on_refresh_done(self, refresh: asyncio.Task[BackupifyError | None]) -> None:
        for waiter in self._waiting_for_refresh:
            if waiter.done():
                continue
            if refresh.cancelled():
                waiter.cancel()
            elif (fault := refresh.exception()) is not None:
                waiter.set_exception(fault)
            else:
                waiter.set_result(refresh.result())

    async def _fetch_in_time(self) -> BackupifyError | None:
        """Fetch a token and hold it. An error is returned, since no call may be waiting for it."""
        delay = self._not_before - self._now()
        if delay > 0:
            await asyncio.sleep(delay)
        error: BackupifyError
        try:
            began = self._now()
            self._hold(await self._fetch(), began)
        except TokenSourceFailed as failure:
            error = AuthenticationError(str(failure))
            self._hold_off(error, remember=False)
        except BackupifyError as failure:
            error = failure
            lasts = isinstance(error, AuthenticationError | ConfigurationError | RateLimited)
            self._hold_off(error, remember=lasts)
        except Exception as failure:  # noqa: BLE001 - of a user's transport: without hold-off it would storm
            error = foreign_exception(failure)
            self._hold_off(error, remember=False)
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
        self._history.on_token(token.value, now, random.uniform(0.0, REFRESH_JITTER), now - began)
        self._wake_rejected()
        self._held = hold(token, now)
        _LOGGER.info("new token, valid for %s s", token.expires_in)
        self._on_refresh(token.expires_in)


def make_token_keeper(
    settings: Settings,
    send: Callable[[bytes, tuple[str, ...]], Awaitable[Response]],
    now: Callable[[], float],
    on_refresh: Callable[[float | None], None],
    *,
    share: Callable[[Fetch], Fetch] | None = None,
) -> TokenKeeper:
    """The keeper for the credentials of these settings.

    Args:
        settings: The settings.
        send: As for `request_token`.
        now: The loop's clock, seconds.
        on_refresh: As for `TokenKeeper`.
        share: Given what requests a token, returns what fetches one that is shared with other processes.
            It is not called for a token or a source of the user's own.
    """
    fetch: Fetch = partial(request_token, settings.credentials, send, settings.timeouts.attempt)
    if share is not None and isinstance(settings.credentials, ClientCredentials):
        fetch = share(fetch)
    return TokenKeeper(fetch, now, on_refresh, static=isinstance(settings.credentials, StaticToken))
