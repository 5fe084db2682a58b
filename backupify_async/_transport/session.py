"""`Session.send`: the way of one call through token, gate, carrier and retry.

    token -> gate (a place and a slot) -> carrier -> limiter told -> answer
      ^                                                 |
      '------------------ again? when? -----------------'

The token comes first, for a wait for a renewal must not use up slots that then leave as one burst. The gate
comes before any time-out of the attempt starts. Place and slot are given back while a call backs off.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

from backupify_async._call_context import begin_call
from backupify_async._transport.courier import Courier
from backupify_async._transport.error_responses import api_error, down_for_long, refused_for_long
from backupify_async._transport.gate import Gate, GateBlocked, ServerDown
from backupify_async._transport.hearing import Hearing
from backupify_async._transport.loops import running_loop
from backupify_async._transport.outage import Outage
from backupify_async._transport.rate import Limiter, Ticket, make_limiter
from backupify_async._transport.report import Reporter
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.retry_loop import CallState, Retrying
from backupify_async._transport.scopes import CallScope, CallScopes
from backupify_async._transport.token_keeper import make_token_keeper
from backupify_async._transport.token_rejections import ACCEPTED, Rejections
from backupify_async._transport.token_request import bearer
from backupify_async._transport.transport import Response, Transport
from backupify_async.config import Settings
from backupify_async.errors import (
    AuthenticationError,
    BackupifyError,
    ClientClosed,
    ConfigurationError,
    DecodeError,
    RequestTimeout,
)
from backupify_async.events import EventHook
from backupify_async.statistics import SpeedReason, Statistics

_TOKEN_REQUEST = Request("POST", "/oauth/token")


class Session:
    """Sends requests within the settings: one token, one gate, one budget for all calls of a client."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        on_event: EventHook | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self.settings = settings
        self.on_event = on_event
        self._total = settings.timeouts.total
        self._carrier = transport
        self.outage = Outage(settings.retry.max_outage)
        """Whether the server is down for everybody."""
        self._report = Reporter(on_event, self.statistics)
        max_concurrency = settings.max_concurrency
        if transport.max_concurrency is not None:
            max_concurrency = min(max_concurrency, transport.max_concurrency)
        if limiter is None:
            limiter = make_limiter(settings.rate_limit, settings.retry, max_concurrency)
        self._limiter = limiter
        self._gate = Gate(self._limiter, max_concurrency, self.outage)
        self.retrying = Retrying(settings.retry, self._now, self._report.retry_scheduled)
        self._keeper = make_token_keeper(
            settings, self._post_for_token, self._now, self._report.token_renewed
        )
        self.hearing = Hearing(
            gate=self._gate,
            limiter=self._limiter,
            outage=self.outage,
            retrying=self.retrying,
            report=self._report,
            policy=settings.retry,
            utc=self._utc,
        )
        self._courier = Courier(settings.url, transport, self._report, self.hearing, self._now)
        self._authorized = lru_cache(maxsize=1)(bearer)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing: asyncio.Task[None] | None = None
        self.scopes = CallScopes()
        """Where work runs that takes several calls: it ends with the client at the latest."""

    async def open(self) -> None:
        """Get ready to send, in the running loop.

        Raises:
            ClientClosed: The session was closed.
            ConfigurationError: It is open in another loop.
        """
        if self._loop is None and not self.scopes.closed:
            loop = running_loop()
            await self._carrier.open(self.settings)
            self._loop = loop
        self.require_open()

    async def close(self) -> None:
        """End the calls in flight with `ClientClosed`, wait for their end, and close all connections.

        Cancelling it does not stop it: it goes on, and a second call waits for the same end.

        Raises:
            ConfigurationError: The session is open in another loop.
        """
        if running_loop() is not self._loop and self._loop is not None:
            raise ConfigurationError("the client was opened in another event loop: close it there")
        if self._closing is None:
            self.scopes.close()
            self._closing = asyncio.create_task(self._close(), name="backupify_async close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            await self.scopes.end_all()
            await self._keeper.close()
            self._authorized.cache_clear()
        finally:
            self._report.close()
            self._gate.close()
            await self._carrier.close()

    def require_open(self) -> None:
        """Refuse to work before `open()`, after `close()` and in another loop.

        Raises:
            ClientClosed: It was closed.
            ConfigurationError: It is not open, or in another loop; the message says which.
        """
        if self.scopes.closed:
            raise ClientClosed("the client is closed, and does not reopen: make a new one")
        if self._loop is None:
            raise ConfigurationError("the client is not open: use `async with`, or await open()")
        if running_loop() is not self._loop:
            raise ConfigurationError("the client was opened in another event loop: make one for each loop")

    def send(self, request: Request) -> Coroutine[None, None, Response]:
        """Send a request, again where that is safe and may help; return a 2xx, or one of `answers`.

        Raises:
            APIError: The server refuses the request; its class says how.
            TransportError: No whole answer came; `RequestTimeout` also where `total` ran out.
            AuthenticationError: There is no token.
            DecodeError: The answer cannot be read, or its body is larger than `max_body_bytes`.
            FateUnknown: The request is not repeatable, left, and got no clear answer.
            ClientClosed: The client was closed, before or meanwhile.
            ConfigurationError: The client is not open in this loop.
        """
        return self.carry(CallState(request))

    async def carry(self, call: CallState) -> Response:
        """Send a call as `send` does, and note in it what it meets; also on, after what it has met before."""
        self.require_open()
        call.began = call.began or begin_call()
        try:
            with CallScope(self.scopes, self._total):
                try:
                    response = await self._attempt(call)
                except BackupifyError as error:
                    response = await self.retrying.go_on(call, partial(self._attempt, call), error)
                self.retrying.budget.succeeded(call.last_cost)
                return response
        except TimeoutError:
            cut_short = self.why_cut_short(call)
        if call.sent_at is not None and not call.request.repeatable:
            raise DeliveryUnknown(call.sent_at, cut_short)
        raise cut_short

    async def fetch_token(self) -> None:
        """Get a token now, if there is none: a wrong secret shows here before a long run begins.

        Raises:
            AuthenticationError: There is none to be had with these credentials.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        self.require_open()
        try:
            with CallScope(self.scopes, self._total):
                await self._keeper.get()
        except TimeoutError:
            raise self.why_cut_short(CallState(_TOKEN_REQUEST)) from None

    def is_blocked(self) -> bool:
        """Whether calls fail unsent now: the server asks for too long a wait, or is down for too long."""
        now = self._now()
        return now < self._limiter.blocked_until or self.outage.is_closed(now)

    def statistics(self) -> Statistics:
        """What is going on now."""
        now, down_since = 0.0 if self._loop is None else self._now(), self.outage.down_since
        estimate, paused_until = self._limiter.estimate(now), self._limiter.paused_until
        return Statistics(
            in_flight=self._gate.in_flight,
            waiting=self._gate.waiting,
            paused_until=self._utc(paused_until) if paused_until > now else None,
            requests=self._report.requests,
            refused=self._report.refused,
            retried=self.retrying.retried,
            budget_left=self.retrying.budget.remaining,
            limit_source=estimate.source,
            limit_per_second=estimate.per_second,
            down_since=None if down_since is None else self._utc(down_since),
            speed_reason=estimate.reason if down_since is None else SpeedReason.DOWN,
        )

    def why_cut_short(self, call: CallState) -> BackupifyError:
        """The error of a call that was ended from outside: by `close()`, or by the total time-out."""
        if self.scopes.closed:
            return ClientClosed("the client was closed while the call was under way")
        return RequestTimeout(
            f"the call took longer than total={self._total:g} s",
            sent=call.may_have_arrived,
            status=call.status,
            limit="total",
            seconds=self._total,
        )

    async def _attempt(self, call: CallState, rejections: Rejections | None = None) -> Response:
        """One attempt of an API call; with replays where the token was refused."""
        call.sent_at = call.status = None
        token = self._keeper.current()
        ticket = None if token is None else self._gate.try_acquire(self._now())
        if token is None or ticket is None:
            token, ticket = await self._wait_to_enter(call)
        unused = True
        try:
            if call.before_send is not None:
                await call.before_send()
            unused = False
            response = await self._courier.send(call, ticket, *self._authorized(token))
        finally:
            self._gate.release(ticket, unused=unused)
        status = response.status
        if 200 <= status < 300:
            self._keeper.on_accepted(token, call.sent_time)
            if call.request.decode is not None:
                response.decode(call.request.decode)
            return response
        if status in ACCEPTED:
            self._keeper.on_accepted(token, call.sent_time)
        if status in call.request.answers:
            return response
        if status != 401:
            raise api_error(call.request, response)
        call.sent_at, call.answered = None, True
        rejections = rejections or Rejections()
        gave_up = await self._keeper.on_rejected(token, rejections)
        if gave_up is not None:
            raise api_error(call.request, response, gave_up)
        return await self._attempt(call, rejections)

    async def _wait_to_enter(self, call: CallState) -> tuple[str, Ticket]:
        """Get a token, which is still the current one, then a place and a slot."""
        while True:
            await self._keeper.get()
            try:
                again, repeatable = call.refusals > 0, call.request.repeatable
                ticket = await self._gate.acquire(call.began, again=again, repeatable=repeatable)
            except (GateBlocked, ServerDown):
                raise self._closed_gate(call) from None
            token = self._keeper.current()  # it may have been renewed, or dropped, while this call waited
            if token is not None:
                return token, ticket
            self._gate.release(ticket, unused=True)

    async def _post_for_token(self, form: bytes, secrets: tuple[str, ...]) -> Response:
        """Post to the token endpoint, past the gate: else who waits for a token would hold its place."""
        call = CallState(_TOKEN_REQUEST, retries_any_5xx=True)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}

        async def attempt() -> Response:
            try:
                probe = await self._gate.pass_by()
            except (GateBlocked, ServerDown):
                raise self._closed_gate(call) from None
            try:
                response = await self._courier.send(call, None, headers, secrets, form)
            finally:
                if probe:
                    self._gate.end_probe(unused=False)
            if call.refusal is not None or response.status == 408 or response.status >= 500:
                raise api_error(call.request, response, show_body=False)  # it may echo the secret
            return response

        with contextlib.suppress(DecodeError):  # it would show the body: what is raised here shows nothing
            return await self.retrying.run(call, attempt)
        raise AuthenticationError(f"{call.request.path} answered with more than max_body_bytes")

    def _closed_gate(self, call: CallState) -> BackupifyError:
        down_since, longest = self.outage.down_since, self.settings.retry.max_outage
        if down_since is not None and self.outage.is_closed(self._now()):
            return down_for_long(self._utc(down_since), longest)
        until = self._limiter.blocked_until
        return refused_for_long(call.request, self._utc(until), until - self._now())

    def _now(self) -> float:
        return self._loop.time()  # type: ignore[union-attr] # require_open() came first

    def _utc(self, when: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=when - self._now())
