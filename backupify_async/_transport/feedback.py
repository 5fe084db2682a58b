"""Feeds the outcome of each request back to the limiter, the outage, the retries, the report and its call."""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from multidict import istr

from backupify_async._transport.call_state import CallState
from backupify_async._transport.gate import Gate
from backupify_async._transport.outage import Outage, fails_as_down, failure_key, shows_down, shows_up
from backupify_async._transport.rate import Limiter, Ticket
from backupify_async._transport.report import Reporter
from backupify_async._transport.retry_loop import Retrying
from backupify_async._transport.throttling import RateSignals, RecentResponses, Refusal, RefusalScope, Sending
from backupify_async._transport.transport import Response
from backupify_async.config import RetryPolicy
from backupify_async.errors import BackupifyError

_DATE = istr("Date")  # a str would be case-folded each time
_LOGGER = logging.getLogger("backupify_async.session")
_MAY_ASK = frozenset({400, 403, 420, 429, 503})


class DateSeen(NamedTuple):
    """A Date header. All times are the loop's, in seconds."""

    date: str
    sent_time: float
    """When its request was sent."""
    received: float
    """When its response came."""
    our_offset: float
    """How far this machine's clock was ahead of the loop's then."""


class Feedback:
    """Feeds back all outcomes of one client.

    Args:
        gate: Gets each response to a request that passed it.
        limiter: The gate's limiter.
        outage: Gets each success, and each failure that can belong to an outage.
        retrying: Learns from successes and outages which earlier failures do not count.
        report: Gets each response, and each refusal.
        policy: Says how long a refusal can last.
        utc: Converts a time of the loop to wall-clock time.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        limiter: Limiter,
        outage: Outage,
        retrying: Retrying,
        report: Reporter,
        policy: RetryPolicy,
        utc: Callable[[float], datetime],
    ) -> None:
        self._gate = gate
        self._limiter = limiter
        self._outage = outage
        self._retrying = retrying
        self._report = report
        self._utc = utc
        self._recent = RecentResponses(policy.max_retry_after)
        self.last_date: DateSeen | None = None
        """The last Date header."""

    def on_response(self, call: CallState, response: Response, now: float, ticket: Ticket | None) -> None:
        """Handle a response.

        Args:
            call: Its call; whether that is refused for now is recorded in it.
            response: The response.
            now: The loop's time, in seconds.
            ticket: The ticket of the gate; None for a token request.
        """
        status, headers = response.status, response.headers
        try:
            date = headers.get(_DATE)
            if date is not None:
                self.last_date = DateSeen(date, call.sent_time, now, time.time() - now)
            self._report.received(call, response, now - call.sent_time)
            if status < 400:
                self._passed(call, now, of_api=ticket is not None)
            elif self._refuses(call, response, now, ticket):
                return
            if ticket is not None:
                if status < 500:
                    self._recent.accepted(call.sent_time)
                self._gate.on_response(now, ticket, status, headers)
        except Exception:  # of the limiter: the response is lost, but a 2xx accepted the request
            call.status = status
            raise

    def _passed(self, call: CallState, now: float, *, of_api: bool) -> None:
        down = self._outage.on_success(call.sent_time, now, of_api=of_api)
        self._retrying.on_success(call.sent_time)
        if down:
            _LOGGER.info("the server responds again, after %.1f s", down)

    def _refuses(self, call: CallState, response: Response, now: float, ticket: Ticket | None) -> bool:
        """Handle a response of 400 and above; return whether it refuses the call for now."""
        status, passed_gate = response.status, ticket is not None
        others_pass = status == 503 and passed_gate and self._recent.others_pass(call.sent_time)
        if shows_up(status):
            self._passed(call, now, of_api=passed_gate)
        elif shows_down(status) and not others_pass:
            self._failed_as_down(call, now)
        if status not in _MAY_ASK:
            return False
        repeatable = call.request.repeatable
        body = response.body if repeatable else b""
        signals = RateSignals(status, response.retry_after, response.headers, body)
        sending = Sending(call, call.sent_time, call.refused_since, repeatable, passed_gate)
        refusal = self._recent.classify(signals, sending, time.time())
        if refusal is not None:
            self._refused(call, refusal, response, now, ticket)
        return refusal is not None

    def on_failure(self, call: CallState, error: BackupifyError, now: float) -> None:
        """Handle a request that got no whole response.

        Args:
            call: Its call; whether the failure belongs to an outage, or can, is recorded in it.
            error: The failure.
            now: The loop's time, in seconds.
        """
        if fails_as_down(error):
            self._failed_as_down(call, now)

    def _failed_as_down(self, call: CallState, now: float) -> None:
        if self._outage.on_failure(call.sent_time, now, failure_key(call.request, call.sendings)):
            _LOGGER.info("the server is down: all calls wait")
            self._retrying.refund_outage()
        down = self._outage.down_since is not None
        call.down = down and not self._outage.is_closed(now)
        call.suspect = not down

    def _refused(
        self, call: CallState, refusal: Refusal, response: Response, now: float, ticket: Ticket | None
    ) -> None:
        call.refusal = None if refusal.counts else refusal
        call.refused_since = now if call.refused_since is None else call.refused_since
        status, headers, asked = response.status, response.headers, refusal.retry_after
        match refusal.scope:
            case RefusalScope.OWN:
                if not refusal.counts:
                    self._report.throttled(call, asked, self._utc(now), self._limiter.estimate(now))
            case RefusalScope.UNCLEAR:
                if ticket is not None:
                    self._gate.on_response(now, ticket, status, headers, refusal)
            case RefusalScope.ALL_CALLS:
                if ticket is None:  # a token request waits at no gate, but the calls that need its token do
                    ticket = self._limiter.on_send(call.sent_time)
                self._gate.on_response(now, ticket, status, headers, refusal)
                until = self._utc(max(now, self._limiter.paused_until))
                self._report.throttled(call, asked, until, self._limiter.estimate(now))
