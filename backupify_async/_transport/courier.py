"""Sends one message of a call, and lets its answer or its failure be heard."""

import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from yarl import URL

from backupify_async._call_context import ATTEMPTS
from backupify_async._transport.hearing import Hearing
from backupify_async._transport.rate import Ticket
from backupify_async._transport.report import Reporter
from backupify_async._transport.request import Request
from backupify_async._transport.retry_loop import CallState
from backupify_async._transport.transport import PreparedRequest, Response, Transport
from backupify_async.errors import BackupifyError, TransportError


class Courier:
    """Makes messages to one API, and carries them.

    Args:
        url: The base URL.
        carrier: Carries the messages.
        report: Told of each that leaves.
        hearing: Told of what came of it.
        now: The loop's clock, in seconds.
    """

    def __init__(
        self, url: URL, transport: Transport, report: Reporter, hearing: Hearing, now: Callable[[], float]
    ) -> None:
        self._origin = url.origin()
        self._prefix = url.raw_path.rstrip("/")
        self._carrier = transport
        self._report = report
        self._hearing = hearing
        self._now = now

    async def send(
        self,
        call: CallState,
        ticket: Ticket | None,
        headers: Mapping[str, str],
        secrets: tuple[str, ...],
        body: bytes | None = None,
    ) -> Response:
        """Send a call's request once; what is met is noted in the call.

        Args:
            call: The call.
            ticket: The gate's, if it passed the gate.
            headers: Those that carry the token, or say what the body is.
            secrets: What no error may show.
            body: The bytes to send.

        Raises:
            TransportError: No whole answer came.
            DecodeError: The body is larger than `max_body_bytes`.
        """
        count = None if ticket is None else ATTEMPTS.get()  # a token request belongs to no key
        if count is not None:
            count.sent += 1
        message = self._message(call, headers, secrets, body)
        try:
            response = await self._carrier(message)
        except BaseException as error:  # before a cancellation too, the head may have come
            call.status = message.response_status
            if isinstance(error, BackupifyError):
                failure: BackupifyError = error
            elif isinstance(error, Exception) and not call.request.repeatable:
                failure = _in_doubt(error)
            else:
                raise
        else:
            self._hearing.answered(call, response, self._now(), ticket)
            return response
        self._hearing.failed(call, failure, self._now())
        raise failure  # not in the handler: the context could hold the token

    def _message(
        self, call: CallState, headers: Mapping[str, str], secrets: tuple[str, ...], body: bytes | None
    ) -> PreparedRequest:
        """What leaves now, counted and told of."""
        request, url = call.request, self._url(call.request)
        if call.sendings:
            call.refusal, call.down, call.suspect = None, False, False
        call.sendings += 1
        self._report.sent(call)
        call.sent_at, call.sent_time = sent_at, sent_time = datetime.now(UTC), self._now()
        fresh = call.distrusts or not request.repeatable
        return PreparedRequest(
            request.method, url, headers, body, sent_at, secrets, request.repeatable, sent_time, fresh
        )

    def _url(self, request: Request) -> URL:
        path = request.path if request.from_origin else self._prefix + request.path
        if not request.query:
            return self._origin.with_path(path, encoded=True)  # half the price of parsing it
        return URL(f"{self._origin}{path}?{request.query}", encoded=True)


def _in_doubt(error: Exception) -> TransportError:
    """The error for an exception that no transport should raise; its text could hold the token."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    file = Path(frame.f_code.co_filename).name
    return TransportError(f"the transport raised {type(error).__name__} in {file}, line {line}")
