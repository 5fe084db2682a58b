"""One trigger's walk: send it; where its answer was lost look for its backup, wait, perhaps send it again.

`reconciling` decides, this carries it out. Sending again is one more attempt of the same call: rounds of
looking and of trying again do not multiply, and `total` holds over all of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import assert_never

import attrs

from backupify_async.errors import AmbiguousTrigger, APIError, BackupifyError, DecodeError, TransportError
from backupify_async.models import Backup, TriggerKind, TriggerResult
from backupify_async.resources.draining import Drain, UnderWay
from backupify_async.resources.judging import Baseline, Fate, NotTold
from backupify_async.resources.looking import BACKUPS, active_request, look, read_active
from backupify_async.resources.reconciling import (
    Adopt,
    AlreadyActive,
    FailedLook,
    Look,
    LookAgain,
    SendAgain,
    Undecided,
    candidates,
    common_lead,
    decide,
)
from backupify_async.resources.server_clock import our_lead, was_there_before
from backupify_async.transport.refusals import refusal
from backupify_async.transport.request import FateUnknown, Request, Response
from backupify_async.transport.retry import GiveUp
from backupify_async.transport.retrying import Call
from backupify_async.transport.session import Session
from backupify_async.transport.wire import decode_one

_LOGGER = logging.getLogger("backupify_async.backups")
_UNTIMED_ATTEMPT = 60.0  # seconds that an earlier process may have waited, where attempts have no time-out


@attrs.frozen
class Unsettled:
    """A trigger that an earlier process sent, and whose answer it did not note.

    Attributes:
        first_sent_at: When it left first, UTC.
        last_sent_at: When it left last, UTC; all sendings between are as open.
    """

    first_sent_at: datetime
    last_sent_at: datetime


@attrs.frozen
class _Lost:
    """A sending without a clear answer."""

    sent_at: datetime
    cause: BackupifyError
    fate: Fate
    by_us: bool = True


@attrs.frozen
class _Answer:
    """A clear answer; `backup` is what a 2xx holds."""

    response: Response
    backup: Backup | None
    received: float


class Triggering:
    """Triggers backups through one session.

    Args:
        session: Sends the requests.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.drain = Drain()
        """Whether any more may leave."""

    async def run(
        self,
        backup_instance_id: int | str,
        baseline: Baseline = NotTold.NOT_TOLD,
        *,
        unsettled: Unsettled | None = None,
        leaving: Callable[[datetime], Awaitable[None]] | None = None,
    ) -> TriggerResult:
        """Start a backup, and never two.

        Args:
            backup_instance_id: The instance.
            baseline: The highest id from before.
            unsettled: A sending of an earlier process, whose fate is found out before anything is sent.
            leaving: Told of each sending before it leaves: when, UTC. By then nothing else is open. It may
                take its time, as to write that down; what it raises keeps the request from leaving.

        Raises:
            TypeError, ValueError: The id cannot be one.
            AmbiguousTrigger: A backup may have been started, and it could not be found out.
            ClientDraining: It was not sent, or did surely nothing, and the client begins nothing any more.
            BackupifyError: It was surely not started.
        """
        request = Request.post(BACKUPS, answers=frozenset({409, 422}), backup_instance_id=backup_instance_id)

        async def may_leave(sent_at: datetime) -> None:
            self.drain.require_not_begun(backup_instance_id)
            if leaving is not None:
                await leaving(sent_at)

        call = Call(request, leaving=may_leave)

        def is_open() -> bool:
            return call.sent_at is not None or (unsettled is not None and not call.sendings)

        with UnderWay(self.drain, backup_instance_id, is_open):
            return await self._run(call, backup_instance_id, baseline, unsettled)

    async def _run(
        self, call: Call, backup_instance_id: int | str, baseline: Baseline, unsettled: Unsettled | None
    ) -> TriggerResult:
        began = asyncio.get_running_loop().time()
        sending = _Sending(self._session, call, baseline)
        sent = await sending.send() if unsettled is None else sending.take_over(unsettled)
        if isinstance(sent, _Answer):
            return await self._result(backup_instance_id, call, sent)
        total = self._session.settings.timeouts.total
        end = None if total is None else began + total
        told = await _Walk(self._session, backup_instance_id, sending).run_until(sent, end)
        return told if isinstance(told, TriggerResult) else await self._result(backup_instance_id, call, told)

    async def _result(self, backup_instance_id: int | str, call: Call, answer: _Answer) -> TriggerResult:
        response, backup = answer.response, answer.backup
        if backup is not None:
            before = was_there_before(backup, response, answer.received)
            return TriggerResult(TriggerKind.ALREADY_ACTIVE if before else TriggerKind.STARTED, backup)
        backup, blind = await self._running(backup_instance_id)
        if response.status == 422 and backup is None:
            raise refusal(call.request, response, blind)
        kind = TriggerKind.STARTED if response.status < 300 else TriggerKind.ALREADY_ACTIVE
        return TriggerResult(kind, backup)

    async def _running(self, backup_instance_id: int | str) -> tuple[Backup | None, str | None]:
        """The active backup after a trigger, whose outcome stands anyway; and why the look failed, if so."""
        try:
            return read_active(await self._session.send(active_request(backup_instance_id))), None
        except BackupifyError as error:
            _LOGGER.warning("instance %s: the look after its trigger failed: %s", backup_instance_id, error)
            return None, f"the look whether a backup is active failed: {error}"


class _Sending:
    """Sends one trigger, and says what is open after it."""

    def __init__(self, session: Session, call: Call, baseline: Baseline) -> None:
        self._session = session
        self.call = call
        self.baseline = baseline

    async def send(self) -> _Answer | _Lost:
        """Send it once more.

        Raises:
            BackupifyError: It was surely not started.
        """
        call = self.call
        try:
            response = await self._session.carry(call)
        except FateUnknown as unknown:
            return _Lost(unknown.sent_at, unknown.cause, self._fate(unknown.cause))
        now = asyncio.get_running_loop().time()
        try:
            backup = decode_one(response, Backup) if response.status < 300 else None
        except DecodeError as error:
            return _Lost(response.message.sent_at, error, self._fate(error))
        return _Answer(response, backup, now)

    def _fate(self, cause: BackupifyError) -> Fate:
        now = asyncio.get_running_loop().time()
        latest = now + self._session.settings.reconciliation.settling
        accepted = isinstance(cause, DecodeError)  # of no other answer than a 2xx is the body read
        return Fate(self.call.left, latest, latest, our_lead(now), self.baseline, accepted)

    def take_over(self, unsettled: Unsettled) -> _Lost:
        """What is open of an earlier process, by its notes: when it lost the answer is not known."""
        settings = self._session.settings
        now = asyncio.get_running_loop().time()
        lead = our_lead(now)
        first, last = (
            min(when.timestamp() - lead, now) for when in (unsettled.first_sent_at, unsettled.last_sent_at)
        )
        latest = min(last + (settings.timeouts.attempt or _UNTIMED_ATTEMPT), now)
        settling = settings.reconciliation.settling
        fate = Fate(first, latest + settling, now + settling, lead, self.baseline)
        cause = TransportError("the process that sent it ended before the answer came")
        return _Lost(unsettled.first_sent_at, cause, fate, by_us=False)


class _Walk:
    """Finds out what became of a trigger, and sends it again where it surely did nothing."""

    def __init__(self, session: Session, backup_instance_id: int | str, sending: _Sending) -> None:
        self._session = session
        self._settings = session.settings.reconciliation
        self._id = backup_instance_id
        self._sending = sending
        self._lost: _Lost | None = None
        self._looks: list[Look | FailedLook] = []

    async def run_until(self, lost: _Lost, end: float | None) -> _Answer | TriggerResult:
        """Go on from a lost answer until it is settled, until `end`, or until the client is closed.

        Args:
            lost: The sending without a clear answer.
            end: By the loop's clock, in seconds; None for no end.

        Raises:
            AmbiguousTrigger: It could not be found out, or not in time.
            BackupifyError: No backup was started.
        """
        self._lost = lost
        left = None if end is None else max(0.0, end - asyncio.get_running_loop().time())
        try:
            return await self._session.scopes.run(left, partial(self._run, lost))
        except TimeoutError:
            why, call = self._session.why_cut_short(self._sending.call), self._sending.call
        if self._lost is not None:
            raise self._ambiguous(self._lost, "" if str(why) == str(self._lost.cause) else str(why))
        if call.sent_at is not None:
            raise AmbiguousTrigger(self._id, call.sent_at, why) from why
        raise why

    async def _run(self, lost: _Lost) -> _Answer | TriggerResult:
        while True:
            verdict = await self._find_out(lost.fate)
            match verdict:
                case Adopt(backup):
                    return TriggerResult(TriggerKind.ADOPTED, backup)
                case AlreadyActive(backup):
                    return TriggerResult(TriggerKind.ALREADY_ACTIVE, backup)
                case Undecided(reason):
                    raise self._ambiguous(lost, reason)
                case SendAgain():
                    told = await self._send_again(lost)
                    if isinstance(told, _Answer):
                        return told
                    self._lost = lost = told
                case _:
                    assert_never(verdict)

    async def _find_out(self, fate: Fate) -> Adopt | AlreadyActive | SendAgain | Undecided:
        loop = asyncio.get_running_loop()
        self._looks = []
        while True:
            verdict = decide(fate, self._looks, loop.time(), self._settings)
            if not isinstance(verdict, LookAgain):
                _LOGGER.info("instance %s: after its trigger's answer was lost: %s", self._id, verdict)
                return verdict
            await asyncio.sleep(verdict.at - loop.time())
            self._looks.append(await self._look(fate, verdict.at))

    async def _look(self, fate: Fate, planned: float) -> Look | FailedLook:
        began = max(planned, asyncio.get_running_loop().time())  # a timer may ring a tick too early
        lead, tolerance = common_lead(self._looks), self._settings.clock_tolerance
        try:
            seen = await look(self._session.send, self._id, fate, lead, tolerance)
        except BackupifyError as error:
            return FailedLook(began, f"the last look failed: {error}")
        return attrs.evolve(seen, began=began)

    async def _send_again(self, lost: _Lost) -> _Answer | _Lost:
        """Send it again, for it surely did nothing: all that is there now was there before."""
        self._lost = None
        seen = self._looks[-1]
        if isinstance(seen, Look):
            self._sending.baseline = seen.tail[-1].id if seen.tail else None
        if lost.by_us:
            verdict = self._session.retrying.again(self._sending.call, lost.cause)
            if isinstance(verdict, GiveUp):
                raise _not_started(lost.cause, verdict.reason)
            await asyncio.sleep(verdict.delay)
        return await self._sending.send()

    def _ambiguous(self, lost: _Lost, reason: str) -> AmbiguousTrigger:
        seen = tuple(candidates(lost.fate, self._looks, self._settings))
        error = AmbiguousTrigger(self._id, lost.sent_at, lost.cause, reason, seen)
        error.__cause__ = lost.cause
        return error


def _not_started(cause: BackupifyError, reason: str | None) -> BackupifyError:
    """The error of a sending that surely started nothing, and is not repeated."""
    if isinstance(cause, APIError | TransportError):
        cause.gave_up = f"{reason}, and no backup was started" if reason else "no backup was started"
    return cause
