"""One trigger's walk: send it; where its answer was lost look for its backup, wait, perhaps send it again.

`reconciling` decides, this carries it out. Sending again is one more attempt of the same call: rounds of
looking and of trying again do not multiply, and `total` holds over all of it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import assert_never

import attrs

from backupify_async._call_context import Operation
from backupify_async._endpoints.backups import BACKUPS, active_request, read_active
from backupify_async._endpoints.server_clock import our_lead
from backupify_async._transport.error_responses import api_error
from backupify_async._transport.request import Request
from backupify_async._transport.retry_loop import CallState
from backupify_async._transport.retry_rules import GiveUp
from backupify_async._transport.scopes import CallScope
from backupify_async._transport.session import Session
from backupify_async._triggers.baseline import Baseline, NotTold
from backupify_async._triggers.drain import Drain, PendingTrigger
from backupify_async._triggers.evidence import look, look_for_what_ran
from backupify_async._triggers.matching import Fate
from backupify_async._triggers.reconcile import (
    Adopt,
    AlreadyActive,
    FailedSnapshot,
    LookAgain,
    SendAgain,
    Snapshot,
    Undecided,
    candidates,
    common_lead,
    decide,
)
from backupify_async._triggers.sending import Answer, Evidence, Lost, Sending, Unsettled, report_before_send
from backupify_async.errors import AmbiguousTrigger, APIError, BackupifyError, TransportError
from backupify_async.models import Backup, TriggerKind, TriggerResult

_LOGGER = logging.getLogger("backupify_async.backups")


class Triggering:
    """Triggers backups through one session.

    Args:
        session: Sends the requests.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.drain = Drain()
        """Whether any more may leave."""
        self.reconciling = 0
        """How many are being found out, for their answers were lost."""

    async def run(
        self,
        backup_instance_id: int | str,
        baseline: Baseline = NotTold.NOT_TOLD,
        *,
        unsettled: Unsettled | None = None,
        before_send: Callable[[Unsettled], Awaitable[None]] | None = None,
        learned: Callable[[Evidence], None] | None = None,
    ) -> TriggerResult:
        """Start a backup, and never two.

        Args:
            backup_instance_id: The instance.
            baseline: The highest id from before.
            unsettled: A sending of an earlier process, whose fate is found out before anything is sent.
            before_send: Told of each sending before it leaves. By then nothing else is open. It may take its
                time, as to write that down; where it takes long, it is told again, with the time by then.
                What it raises keeps the request from leaving.
            learned: Told at once where an answer is lost, or accepts the trigger and shows no backup.

        Raises:
            TypeError, ValueError: The id cannot be one.
            AmbiguousTrigger: A backup may have been started, and it could not be found out.
            ClientDraining: It was not sent, or did surely nothing, and the client begins nothing any more.
            BackupifyError: It was surely not started.
        """
        request = Request.post(BACKUPS, answers=frozenset({409, 422}), backup_instance_id=backup_instance_id)

        async def may_leave() -> None:
            self.drain.require_not_begun(backup_instance_id)
            if before_send is not None:
                await report_before_send(self._session, before_send)
                self.drain.require_not_begun(backup_instance_id)  # it may have begun meanwhile
            sending.note_clocks()

        call = CallState(request, before_send=may_leave)
        sending = Sending(self._session, call, backup_instance_id, baseline, learned)

        def is_open() -> bool:
            return call.sent_at is not None or (unsettled is not None and not call.sendings)

        with Operation(), PendingTrigger(self.drain, backup_instance_id, is_open):
            return await self._run(backup_instance_id, sending, unsettled)

    async def _run(
        self, backup_instance_id: int | str, sending: Sending, unsettled: Unsettled | None
    ) -> TriggerResult:
        began = asyncio.get_running_loop().time()
        sent = await sending.send() if unsettled is None else sending.take_over(unsettled)
        if isinstance(sent, Answer):
            return await self._result(backup_instance_id, sending, sent)
        total = self._session.settings.timeouts.total
        end = None if total is None else began + total
        self.reconciling += 1
        try:
            told = await _Walk(self._session, backup_instance_id, sending).run_until(sent, end)
        finally:
            self.reconciling -= 1
        if isinstance(told, TriggerResult):
            return told
        return await self._result(backup_instance_id, sending, told)

    async def _result(self, backup_instance_id: int | str, sending: Sending, answer: Answer) -> TriggerResult:
        if answer.response.status >= 300:
            return await self._in_the_way(backup_instance_id, sending, answer)
        backup = answer.backup
        if backup is None:
            sending.learn(accepted=True)
            backup = await self._running(backup_instance_id)
        tolerance = self._session.settings.reconciliation.clock_tolerance
        before = backup is not None and answer.was_there_before(backup, tolerance)
        return TriggerResult(TriggerKind.ALREADY_ACTIVE if before else TriggerKind.STARTED, backup)

    async def _running(self, backup_instance_id: int | str) -> Backup | None:
        """The active backup after a trigger that was accepted, whatever the look at it tells."""
        try:
            return read_active(await self._session.send(active_request(backup_instance_id)))
        except BackupifyError as error:
            _LOGGER.warning("instance %s: the look after its trigger failed: %s", backup_instance_id, error)
            return None

    async def _in_the_way(
        self, backup_instance_id: int | str, sending: Sending, answer: Answer
    ) -> TriggerResult:
        """The backup for which a trigger was refused with a 409 or 422, which may have another reason.

        Raises:
            Conflict, UnprocessableEntity: No look shows such a backup.
        """
        settings, failed = self._session.settings.reconciliation, None
        try:
            backup = await look_for_what_ran(
                self._session.send,
                backup_instance_id,
                answer.fate,
                answer.lead,
                settings.clock_tolerance,
                patience=settings.patience,
            )
        except BackupifyError as error:
            failed = f"the look whether a backup is active failed: {error}"
        else:
            if backup is not None:
                return TriggerResult(TriggerKind.ALREADY_ACTIVE, backup)
        raise api_error(sending.call.request, answer.response, failed)


class _Walk:
    """Finds out what became of a trigger, and sends it again where it surely did nothing."""

    def __init__(self, session: Session, backup_instance_id: int | str, sending: Sending) -> None:
        self._session = session
        self._settings = session.settings.reconciliation
        self._id = backup_instance_id
        self._sending = sending
        self._lost: Lost | None = None
        self._looks: list[Snapshot | FailedSnapshot] = []

    async def run_until(self, lost: Lost, end: float | None) -> Answer | TriggerResult:
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
            with CallScope(self._session.scopes, left):
                return await self._run(lost)
        except TimeoutError:
            why, call = self._session.why_cut_short(self._sending.call), self._sending.call
        if self._lost is not None:
            raise self._ambiguous(self._lost, "" if str(why) == str(self._lost.cause) else str(why), why)
        if call.sent_at is not None:
            raise AmbiguousTrigger(self._id, call.sent_at, why, interrupted_by=why) from why
        raise why

    async def _run(self, lost: Lost) -> Answer | TriggerResult:
        while True:
            verdict, lost = await self._find_out(lost)
            match verdict:
                case Adopt(backup):
                    return TriggerResult(TriggerKind.ADOPTED, backup)
                case AlreadyActive(backup):
                    return TriggerResult(TriggerKind.ALREADY_ACTIVE, backup)
                case Undecided(reason):
                    raise self._ambiguous(lost, reason)
                case SendAgain():
                    told = await self._send_again(lost)
                    if isinstance(told, Answer):
                        return told
                    lost = told
                case _:
                    assert_never(verdict)

    async def _find_out(self, lost: Lost) -> tuple[Adopt | AlreadyActive | SendAgain | Undecided, Lost]:
        """What became of a sending; and the sending, with what was read of our own clock meanwhile."""
        loop = asyncio.get_running_loop()
        self._looks = []
        while True:
            now = loop.time()
            self._lost = lost = attrs.evolve(lost, fate=lost.fate.our_clock_read(our_lead(now)))
            stood_still = self._session.outage.stood_still(now)
            verdict = decide(lost.fate, self._looks, now, self._settings, stood_still)
            if not isinstance(verdict, LookAgain):
                _LOGGER.info("instance %s: after its trigger's answer was lost: %s", self._id, verdict)
                return verdict, lost
            await asyncio.sleep(verdict.at - now)
            self._looks.append(await self._look(lost.fate, verdict.at))

    async def _look(self, fate: Fate, planned: float) -> Snapshot | FailedSnapshot:
        began = max(planned, asyncio.get_running_loop().time())  # a timer may ring a tick too early
        lead, tolerance = common_lead(self._looks), self._settings.clock_tolerance
        try:
            seen = await look(
                self._session.send, self._id, fate, lead, tolerance, patience=self._settings.patience
            )
        except BackupifyError as error:
            ended = asyncio.get_running_loop().time()
            stood_still = self._session.outage.stood_still(ended)
            return FailedSnapshot(began, f"the last look failed: {error}", ended, stood_still)
        stood_still = self._session.outage.stood_still(seen.ended)
        return attrs.evolve(seen, began=began, stood_still=stood_still)

    async def _send_again(self, lost: Lost) -> Answer | Lost:
        """Send it again, for it surely did nothing: all that is there now was there before."""
        self._lost = None
        seen = self._looks[-1]
        if isinstance(seen, Snapshot):
            self._sending.baseline = seen.tail[-1].id if seen.tail else None
        if lost.by_us:
            verdict = self._session.retrying.again(self._sending.call, lost.cause)
            if isinstance(verdict, GiveUp):
                raise _not_started(lost.cause, verdict.reason)
            await asyncio.sleep(verdict.delay)
        return await self._sending.send()

    def _ambiguous(
        self, lost: Lost, reason: str, interrupted_by: BackupifyError | None = None
    ) -> AmbiguousTrigger:
        seen = tuple(candidates(lost.fate, self._looks, self._settings))
        error = AmbiguousTrigger(self._id, lost.sent_at, lost.cause, reason, seen, interrupted_by)
        error.__cause__ = lost.cause
        return error


def _not_started(cause: BackupifyError, reason: str | None) -> BackupifyError:
    """The error of a sending that surely started nothing, and is not repeated."""
    if isinstance(cause, APIError | TransportError):
        cause.gave_up = f"{reason}, and no backup was started" if reason else "no backup was started"
    return cause
