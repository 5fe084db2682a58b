"""Sends one trigger, and keeps what is known about it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import attrs

from backupify_async._codec.decode import decode_one, require_same
from backupify_async._endpoints.backups import BACKUPS
from backupify_async._endpoints.server_clock import ClockOffset, offset_before, our_offset, read_offset
from backupify_async._transport.call_state import CallState
from backupify_async._transport.feedback import DateSeen
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import Response
from backupify_async._triggers.drain import Drain
from backupify_async._triggers.window import ActionWindow, response_timeout, utc, window_of_previous_run
from backupify_async.errors import APIError, BackupifyError, DecodeError, TransportError
from backupify_async.models import Backup, Baseline, SentTrigger

BeforeSend = Callable[[SentTrigger], Awaitable[None]]
OnInDoubt = Callable[[SentTrigger], None]

_HOOK_WITHIN = 1.0  # seconds; a hook that takes longer is called again


@attrs.frozen
class ClearResponse:
    """A response that settles what the trigger did.

    Attributes:
        response: The response.
        backup: The backup in a 2xx; None where it has none.
        window: When the server can have acted.
        offset: How far the server's clock is ahead of the loop's, by this response; None without a Date.
    """

    response: Response
    backup: Backup | None
    window: ActionWindow
    offset: ClockOffset | None


@attrs.frozen
class LostResponse:
    """A request without a clear response.

    Attributes:
        window: When the server can have acted.
        cause: Why there is no clear response.
    """

    window: ActionWindow
    cause: BackupifyError


class TriggerCall:
    """Sends one trigger, as often as that is safe.

    Args:
        session: Sends it.
        backup_instance_id: The instance.
        baseline: The highest backup id from before.
        drain: Whether it may be sent.
        before_send: Awaited before each request is sent; `Triggers.run` describes both hooks.
        on_in_doubt: Called at once when something becomes known about a request in doubt.
        recorded: A request of a previous run that is in doubt; None where there is none.
    """

    def __init__(
        self,
        session: Session,
        backup_instance_id: int | str,
        baseline: Baseline,
        drain: Drain,
        *,
        before_send: BeforeSend | None = None,
        on_in_doubt: OnInDoubt | None = None,
        recorded: SentTrigger | None = None,
    ) -> None:
        self._session = session
        self._settings = session.settings
        self._id = backup_instance_id
        self._drain = drain
        self._hook = before_send
        self._on_in_doubt = on_in_doubt
        self._our_offset = 0.0
        self._date: DateSeen | None = None
        self.baseline = baseline
        """The highest backup id before the next request."""
        self.sent = recorded
        """The last request; None where there is none, or it was clearly refused."""
        request = Request.post(BACKUPS, answers=frozenset({409, 422}), backup_instance_id=backup_instance_id)
        self.call = CallState(request, session.options, before_send=self._before_send)
        """What it has met so far."""

    @property
    def is_open(self) -> bool:
        """Whether something was sent whose end must be waited for."""
        return self.call.sent_at is not None or (self.sent is not None and not self.call.sendings)

    @property
    def in_doubt(self) -> SentTrigger | None:
        """What was sent and can have started a backup; None where surely nothing was started."""
        return self.sent if self.is_open else None

    async def send(self) -> ClearResponse | LostResponse:
        """Send it once more.

        Raises:
            BackupifyError: It surely started nothing.
        """
        call = self.call
        try:
            response = await self._session.carry(call)
        except DeliveryUnknown as unknown:
            return self._lost(unknown.cause)
        except asyncio.CancelledError:
            if _is_success(call.status):
                self.note_response(accepted=True)
            raise
        if response.status >= 300:
            return self._clear(response, None)
        try:
            response.decode(self._read_backup)
        except DecodeError as error:
            return self._lost(error)
        return self._clear(response, response.decoded)

    def lost_by_previous_run(self, trigger: SentTrigger) -> LostResponse:
        """What a previous run sent, and whose response it did not record."""
        cause = TransportError("the process that sent it ended before the response came")
        return LostResponse(window_of_previous_run(trigger, self._settings), cause)

    def note_response(self, *, accepted: bool) -> None:
        """Record that the response came or was given up, and call the hook at once."""
        sent = self._last_sent
        now = asyncio.get_running_loop().time()
        self.sent = attrs.evolve(sent, response_by=utc(now), accepted=sent.accepted or accepted)
        if self._on_in_doubt is not None:
            self._on_in_doubt(self.sent)

    @property
    def _last_sent(self) -> SentTrigger:
        assert self.sent is not None  # noqa: S101 - `_before_send` came first
        return self.sent

    async def _before_send(self) -> None:
        """Check that it may be sent, call the hook, and relate the clocks to each other.

        Raises:
            ClientDraining: It may not be sent any more.
        """
        self._drain.require_not_begun(self._id)
        if self._hook is not None:
            await self._call_hook(self._hook)
            self._drain.require_not_begun(self._id)  # it can have begun meanwhile
        now = asyncio.get_running_loop().time()
        self._our_offset = our_offset(now)
        self._date = self._session.last_date
        self.sent = self._about_to_send(now)

    async def _call_hook(self, before_send: BeforeSend) -> None:
        """Call the hook; again if it took so long that the recorded times are no longer true."""
        loop = asyncio.get_running_loop()
        allowed = _HOOK_WITHIN
        while True:
            began = loop.time()
            ours = our_offset(began)
            await before_send(self._about_to_send(began, allowed))
            ended = loop.time()
            took = ended - began + max(0.0, our_offset(ended) - ours)  # a suspend stops the loop's clock
            if took <= allowed:
                return
            allowed = 2 * took

    def _about_to_send(self, now: float, hook: float = 0.0) -> SentTrigger:
        """What is known about a request that is sent within `hook` seconds."""
        timeouts, ours = self._settings.timeouts, our_offset(now)
        timeout = timeouts.attempt or timeouts.total or response_timeout(self._settings)
        sent_at = utc(now)
        offset = offset_before(self._session.last_date, ours)
        ahead = None if offset is None else (offset.lowest - ours, offset.highest - ours)
        response_by = sent_at + timedelta(seconds=hook + timeout)
        return SentTrigger(self._id, sent_at, self.baseline, response_by, ahead)

    def _read_backup(self, response: Response) -> Backup | None:
        backup = decode_one(response, Backup)
        if backup is not None:
            require_same(response, "instance", self._id, backup.backup_instance_id)
        return backup

    def _clear(self, response: Response, backup: Backup | None) -> ClearResponse:
        now = asyncio.get_running_loop().time()
        offset = read_offset(response.headers.get("Date"), response.request.sent_time, now)
        clear = ClearResponse(response, backup, self._window(now), offset)
        if response.status >= 300:
            self.sent = None
        return clear

    def _lost(self, cause: BackupifyError) -> LostResponse:
        self.note_response(accepted=_shows_acceptance(cause) or _is_success(self.call.status))
        now = asyncio.get_running_loop().time()
        window = self._window(now)
        asked = cause.retry_after if isinstance(cause, APIError) else None
        if asked is not None and asked <= self._settings.retry.max_retry_after:
            window = attrs.evolve(window, settled=max(window.settled, now + asked))
        offset = offset_before(self._date, self._our_offset)
        return LostResponse(attrs.evolve(window, server_offset=offset), cause)

    def _window(self, now: float) -> ActionWindow:
        latest = now + self._settings.reconciliation.settling
        ours = ClockOffset(self._our_offset, self._our_offset)
        window = ActionWindow(self._last_sent, self.call.sent_time, latest, latest, ours)
        return window.widened(our_offset(now))


def _shows_acceptance(cause: BackupifyError) -> bool:
    """Whether the head of a 2xx came, though no clear response."""
    if isinstance(cause, DecodeError):
        return True  # only the body of a 2xx is read
    return isinstance(cause, TransportError) and _is_success(cause.status)


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300
