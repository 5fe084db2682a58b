"""`Session.send`: the walk of one call.

    send -> carry -> _attempt:  token -> gate -> _send:  transport -> feedback -> response
                        ^                                                |
                        '----------- retry, after a back-off <-----------'

The token comes before the gate: calls that waited for a refresh with a slot in hand would then be sent in one
burst. The gate comes before any time-out of the attempt starts. While a call backs off, it holds neither a
place in flight nor a slot.
"""

import contextlib
import copy
from collections.abc import Callable, Coroutine
from functools import partial

import attrs

from backupify_async._call_context import ATTEMPTS, begin_call
from backupify_async._transport.call_state import CallOptions, CallState
from backupify_async._transport.error_responses import api_error, call_cut_short, gate_closed
from backupify_async._transport.feedback import DateSeen, Feedback
from backupify_async._transport.foreign_errors import foreign_exception, transport_failure
from backupify_async._transport.gate import Gate, GateBlocked
from backupify_async._transport.lifecycle import Lifecycle, close_parts, open_parts
from backupify_async._transport.outage import Outage, ServerDown
from backupify_async._transport.rate import Limiter, Ticket, make_limiter
from backupify_async._transport.report import Reporter
from backupify_async._transport.request import FORM, DeliveryUnknown, Request
from backupify_async._transport.request_builder import RequestBuilder
from backupify_async._transport.retry_loop import Retrying
from backupify_async._transport.scopes import CallScope, ScopeEnded
from backupify_async._transport.token_keeper import Fetch, make_token_keeper
from backupify_async._transport.token_rejections import ACCEPTED, Rejections
from backupify_async._transport.transport import Response, Transport
from backupify_async._transport.user_parts import max_in_flight
from backupify_async.config import Settings
from backupify_async.errors import AuthenticationError, BackupifyError, DecodeError
from backupify_async.events import EventHook
from backupify_async.statistics import Statistics

_OAUTH_PATH = "/oauth/token"


class Session:
    """Sends requests within the settings: one token, one gate, one budget for all calls of a client."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        on_event: EventHook | None = None,
        limiter: Limiter | None = None,
        share: Callable[[Fetch], Fetch] | None = None,
    ) -> None:
        self.settings = settings
        self.options = CallOptions.of_client(settings, on_event)
        """The options of calls that have none of their own."""
        self._transport = transport
        max_concurrency = max_in_flight(settings, transport)
        if limiter is None:
            limiter = make_limiter(settings.rate_limit, settings.retry, max_concurrency)
        self._limiter = limiter
        self._lifecycle = Lifecycle(partial(open_parts, transport, limiter, settings), self._release)
        self._now, self._utc = self._lifecycle.now, self._lifecycle.utc
        self.require_open = self._lifecycle.require_open
        self.scopes = self._lifecycle.scopes
        """The calls, and the work of several calls, that end with the client at the latest."""
        self.outage = Outage(settings.retry.max_outage)
        """Whether the server is down for all calls."""
        self._gate = Gate(limiter, max_concurrency, self.outage)
        self._report = Reporter(on_event, self.statistics)
        self.retrying = Retrying(settings.retry.budget, self._now, self._report.retry_scheduled)
        on_renewed = self._report.token_renewed
        self._keeper = make_token_keeper(settings, self._post_for_token, self._now, on_renewed, share=share)
        self._builder = RequestBuilder(settings)
        self._feedback = Feedback(
            gate=self._gate,
            limiter=limiter,
            outage=self.outage,
            retrying=self.retrying,
            report=self._report,
            policy=settings.retry,
            utc=self._utc,
        )

    def with_options(self, options: CallOptions) -> "Session":
        """The same session, whose calls have these options: one token, one gate and one budget for both."""
        view = copy.copy(self)
        view.options = options
        view.settings = attrs.evolve(self.settings, timeouts=options.timeouts, retry=options.retry)
        return view

    async def open(self) -> None:
        """Open the transport, in the running loop.

        Raises:
            ClientClosed: The session was closed.
            ConfigurationError: It is open in another loop, or the transport cannot be opened.
        """
        await self._lifecycle.open()

    async def close(self) -> None:
        """End the calls in flight with `ClientClosed`, wait for their end, and close all connections.

        Raises:
            ConfigurationError: The session is open in another loop.
        """
        await self._lifecycle.close()

    async def _release(self) -> None:
        try:
            await self._keeper.close()
            self._builder.forget_token()
        finally:
            self._report.close()
            await self._gate.close()
            await close_parts(self._transport, self._limiter)

    def send(self, request: Request) -> Coroutine[None, None, Response]:
        """Send a request, and retry it where that is safe and may help; return a 2xx, or one of `answers`.

        Raises:
            APIError: The server refused the request; its class says how.
            TransportError: No whole response came; `RequestTimeout` also where `total` ran out.
            AuthenticationError: No token could be obtained.
            DecodeError: The response cannot be decoded, or its body is larger than `max_body_bytes`.
            DeliveryUnknown: The request is not repeatable, was sent, and got no clear response.
            ClientClosed: The client was closed before the call, or during it.
            ConfigurationError: The client is not open in this loop.
        """
        return self.carry(CallState(request, self.options))

    async def carry(self, call: CallState) -> Response:
        """Send a call as `send` does, and record in it what it meets. A call can be carried again."""
        self.require_open()
        call.began = call.began or begin_call()
        try:
            with CallScope(self.scopes, call.options.timeouts.total) as scope:
                call.cancellations_before = scope.cancellations_before
                try:
                    response = await self._attempt(call)
                except BackupifyError as error:
                    response = await self.retrying.go_on(call, partial(self._attempt, call), error)
                self.retrying.budget.succeeded(call.last_cost)
                return response
        except ScopeEnded:
            failure = self.why_cut_short(call)
        except (BackupifyError, DeliveryUnknown):
            raise
        except Exception as error:  # of a limiter, say, after the request was sent
            if call.sent_at is None or call.request.repeatable:
                raise
            failure = foreign_exception(error)
        if call.sent_at is not None and not call.request.repeatable:
            raise DeliveryUnknown(call.sent_at, failure)
        raise failure

    async def _attempt(self, call: CallState, rejections: Rejections | None = None) -> Response:
        """One attempt of an API call, sent again with another token where the token is refused."""
        call.sent_at = call.status = None
        token = self._keeper.current() if call.request.token_header else ""
        ticket = None if token is None else self._gate.try_acquire(self._now())
        if token is None or ticket is None:
            token, ticket = await self._wait_for_token_and_gate(call)
        unused = True
        try:
            if call.before_send is not None:
                await call.before_send()
            unused = False
            response = await self._send(call, ticket, token)
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
        if status != 401 or not token:
            raise api_error(call.request, response)
        call.require_not_cancelled()
        call.sent_at, call.answered = None, True
        gave_up = await self._keeper.on_rejected(token, rejections := rejections or Rejections())
        if gave_up is not None:
            raise api_error(call.request, response, gave_up)
        return await self._attempt(call, rejections)

    def _current_token(self, call: CallState) -> str | None:
        """The token for a call: None where there is none yet, "" where the call needs none."""
        return self._keeper.current() if call.request.token_header else ""

    async def _wait_for_token_and_gate(self, call: CallState) -> tuple[str, Ticket]:
        """A token, and a ticket of the gate that was granted while the token was current."""
        while True:
            if self._current_token(call) is None:
                await self._keeper.get()
            try:
                ticket = await self._gate.acquire(
                    call.began,
                    again=call.refusals > 0,
                    repeatable=call.request.repeatable,
                    background=call.options.background,
                )
            except (GateBlocked, ServerDown):
                raise self._closed_gate(call) from None
            token = self._current_token(call)  # it may have been refreshed or dropped during the wait
            if token is not None:
                return token, ticket
            self._gate.release(ticket, unused=True)

    async def _send(
        self, call: CallState, ticket: Ticket | None, token: str | None, secrets: tuple[str, ...] = ()
    ) -> Response:
        """Send a call's request once, and feed its outcome back; one without a ticket is a token request."""
        if ticket is not None and (count := ATTEMPTS.get()) is not None:
            count.sent += 1
        if call.sendings:
            call.refusal, call.down, call.suspect = None, False, False
        call.sendings += 1
        self._report.sent(call)
        request = self._builder.build(call, token, self._now(), secrets)
        try:
            response = await self._transport(request)
        except BaseException as error:  # before a cancellation, too, the head of a response may have come
            call.status = request.response_status
            failure = transport_failure(error, request, was_cancelled=call.was_cancelled)
            if failure is None:
                raise
        else:
            self._feedback.on_response(call, response, self._now(), ticket)
            return response
        self._feedback.on_failure(call, failure, self._now())
        raise failure  # not in the handler: its context could hold the token

    async def _post_for_token(self, form: bytes, secrets: tuple[str, ...]) -> Response:
        """Post to the token endpoint, without the gate: calls that wait for a token could hold all places."""
        request = Request("POST", _OAUTH_PATH, body=form, content_type=FORM)
        call = CallState(request, self.options, retries_any_5xx=True)

        async def attempt() -> Response:
            try:
                probe = await self._gate.pass_by()
            except (GateBlocked, ServerDown):
                raise self._closed_gate(call) from None
            try:
                response = await self._send(call, None, None, secrets)
            finally:
                if probe:
                    self._gate.end_probe(unused=False)
            if call.refusal is not None or response.status == 408 or response.status >= 500:
                raise api_error(call.request, response, show_body=False)  # it may echo the secret
            return response

        with contextlib.suppress(DecodeError):  # that would show the body
            return await self.retrying.run(call, attempt)
        raise AuthenticationError(f"{_OAUTH_PATH} sent a response larger than max_body_bytes")

    async def fetch_token(self) -> None:
        """Get a token now, if there is none, so that a wrong secret shows before a long run begins.

        Raises:
            AuthenticationError: No token could be obtained with these credentials.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        self.require_open()
        try:
            with CallScope(self.scopes, self.options.timeouts.total):
                await self._keeper.get()
        except ScopeEnded:
            raise self.why_cut_short(CallState(Request("POST", _OAUTH_PATH), self.options)) from None

    @property
    def last_date(self) -> DateSeen | None:
        """The last Date header, and when it came."""
        return self._feedback.last_date

    def is_blocked(self) -> bool:
        """Whether all calls fail unsent: the server asks for too long a wait, or is down for too long."""
        now = self._now()
        return now < self._limiter.blocked_until or self.outage.is_closed(now)

    def statistics(self) -> Statistics:
        """The current counts, and the estimate of the limit."""
        now = self._now() if self._lifecycle.was_opened else 0.0
        return self._report.statistics_of(
            self._gate, self._limiter, self.outage, self.retrying, now=now, utc=self._utc
        )

    def why_cut_short(self, call: CallState) -> BackupifyError:
        """The error of a call that was ended by `close()`, or by its total time-out."""
        return call_cut_short(call, closed=self.scopes.closed)

    def _closed_gate(self, call: CallState) -> BackupifyError:
        limit, now = self.settings.retry.max_outage, self._now()
        return gate_closed(call, self.outage, self._limiter, max_outage=limit, now=now, utc=self._utc)
