"""Triggers one backup: send, and where the response is lost, reconcile: check, wait, perhaps send again.

    Triggers.run -> TriggerCall.send -> ClearResponse -----------------> TriggerResult
                                     -> LostResponse  -> _Reconciler --> TriggerResult, or send again

`reconcile` decides, and this module carries it out. Sending again is one more attempt of the same call:
rounds of checks and of retries do not multiply, and `total` limits all of it.
"""

import asyncio
import logging
from typing import assert_never

import attrs

from backupify_async._call_context import Operation
from backupify_async._endpoints.backups import active_request, read_active
from backupify_async._endpoints.server_clock import our_offset
from backupify_async._transport.error_responses import api_error
from backupify_async._transport.retry_rules import GiveUp
from backupify_async._transport.scopes import CallScope
from backupify_async._transport.session import Session
from backupify_async._triggers.drain import Drain, PendingTrigger
from backupify_async._triggers.evidence import find_refusal_reason, take_snapshot
from backupify_async._triggers.matching import Match, match_backup
from backupify_async._triggers.reconcile import (
    Adopt,
    AlreadyActive,
    CheckAgain,
    Outcome,
    SendAgain,
    Undecided,
    candidates,
    next_step,
)
from backupify_async._triggers.sending import BeforeSend, ClearResponse, LostResponse, OnInDoubt, TriggerCall
from backupify_async._triggers.snapshot import FailedSnapshot, Snapshot, common_offset
from backupify_async.errors import (
    AmbiguousTrigger,
    APIError,
    BackupifyError,
    ClientClosed,
    ClientDraining,
    RequestTimeout,
    TransportError,
)
from backupify_async.events import TriggerStopped, emit
from backupify_async.models import UNKNOWN_BASELINE, Backup, Baseline, SentTrigger, TriggerKind, TriggerResult

_LOGGER = logging.getLogger("backupify_async.backups")


class Triggers:
    """Triggers backups through one session.

    Args:
        session: Sends the requests.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.drain = Drain()
        """Whether any more triggers may be sent."""
        self.reconciling = 0
        """How many triggers with a lost response are being reconciled."""

    async def run(
        self,
        backup_instance_id: int | str,
        baseline: Baseline = UNKNOWN_BASELINE,
        *,
        recorded: SentTrigger | None = None,
        before_send: BeforeSend | None = None,
        on_in_doubt: OnInDoubt | None = None,
    ) -> TriggerResult:
        """Start one backup, never two.

        Args:
            backup_instance_id: The instance.
            baseline: The highest backup id from before.
            recorded: A request of a previous run that is in doubt. It is reconciled before anything is sent.
            before_send: Awaited before each request is sent, with what will be known about it. By then
                nothing else is in doubt. It can take time, as to write to disk. Where it takes long, it is
                called again with the new time. If it raises, the request is not sent.
            on_in_doubt: Called at once when a response is lost, or accepts the trigger and shows no backup.

        Raises:
            TypeError, ValueError: The id cannot be one.
            AmbiguousTrigger: A backup may have been started, and reconciling did not show it.
            ClientDraining: The client sends no more triggers, and this one surely started nothing.
            BackupifyError: No backup was started.
        """
        call = TriggerCall(
            self._session,
            backup_instance_id,
            baseline,
            self.drain,
            before_send=before_send,
            on_in_doubt=on_in_doubt,
            recorded=recorded,
        )
        try:
            with Operation(), PendingTrigger(self.drain, backup_instance_id, lambda: call.is_open):
                return await self._run(backup_instance_id, call, recorded)
        except (asyncio.CancelledError, ClientDraining):
            emit(self._session.on_event, TriggerStopped(backup_instance_id, call.in_doubt))
            raise

    async def _run(
        self, backup_instance_id: int | str, call: TriggerCall, recorded: SentTrigger | None
    ) -> TriggerResult:
        began = asyncio.get_running_loop().time()
        sent = await call.send() if recorded is None else call.lost_by_previous_run(recorded)
        if isinstance(sent, ClearResponse):
            return await self._result(backup_instance_id, call, sent)
        total = self._session.settings.timeouts.total
        end = None if total is None else began + total
        self.reconciling += 1
        try:
            reconciled = await _Reconciler(self._session, backup_instance_id, call, sent).run_until(end)
        finally:
            self.reconciling -= 1
        if isinstance(reconciled, TriggerResult):
            return reconciled
        return await self._result(backup_instance_id, call, reconciled)

    async def _result(
        self, backup_instance_id: int | str, call: TriggerCall, clear: ClearResponse
    ) -> TriggerResult:
        if clear.response.status >= 300:
            return await self._refused(backup_instance_id, call, clear)
        backup = clear.backup
        if backup is None:
            call.note_response(accepted=True)
            backup = await self._active(backup_instance_id)
        tolerance = self._session.settings.reconciliation.clock_tolerance
        older = (
            backup is not None and match_backup(backup, clear.window, clear.offset, tolerance) is Match.OLDER
        )
        return TriggerResult(TriggerKind.ALREADY_ACTIVE if older else TriggerKind.STARTED, backup)

    async def _active(self, backup_instance_id: int | str) -> Backup | None:
        """The active backup after a trigger was accepted; None also where the check fails."""
        try:
            return read_active(await self._session.send(active_request(backup_instance_id)))
        except BackupifyError as error:
            _LOGGER.warning("instance %s: the check after its trigger failed: %s", backup_instance_id, error)
            return None

    async def _refused(
        self, backup_instance_id: int | str, call: TriggerCall, clear: ClearResponse
    ) -> TriggerResult:
        """The backup for which a trigger was refused with a 409 or 422. These can have other reasons.

        Raises:
            Conflict, UnprocessableEntity: No check shows such a backup.
        """
        failed = None
        try:
            backup = await find_refusal_reason(
                self._session.send,
                backup_instance_id,
                clear.window,
                clear.offset,
                self._session.settings.reconciliation,
            )
        except BackupifyError as error:
            failed = f"the check whether a backup is active failed: {error}"
        else:
            if backup is not None:
                return TriggerResult(TriggerKind.ALREADY_ACTIVE, backup)
        raise api_error(call.call.request, clear.response, failed)


class _Reconciler:
    """Finds out what a trigger did whose response was lost, and sends it again where it surely did nothing.

    Args:
        session: Sends the requests.
        backup_instance_id: The instance.
        call: Sends the trigger.
        lost: The request without a clear response.
    """

    def __init__(
        self, session: Session, backup_instance_id: int | str, call: TriggerCall, lost: LostResponse
    ) -> None:
        self._session = session
        self._settings = session.settings.reconciliation
        self._id = backup_instance_id
        self._call = call
        self._lost: LostResponse | None = lost
        """None while nothing is in doubt, or the response is awaited."""
        self._snapshots: list[Snapshot | FailedSnapshot] = []

    async def run_until(self, end: float | None) -> ClearResponse | TriggerResult:
        """Reconcile until it is settled, until `end`, or until the client is closed.

        Args:
            end: By the loop's clock, in seconds; None for no end.

        Raises:
            AmbiguousTrigger: It could not be found out, or not in time.
            BackupifyError: No backup was started.
        """
        assert self._lost is not None  # noqa: S101 - it was given
        remaining = None if end is None else max(0.0, end - asyncio.get_running_loop().time())
        try:
            with CallScope(self._session.scopes, remaining):
                return await self._run(self._lost)
        except TimeoutError:
            why = self._session.why_cut_short(self._call.call)
        if self._lost is not None:
            reason = "" if _is_same_end(self._lost.cause, why) else str(why)
            raise self._ambiguous(self._lost, reason, why)
        sent = self._call.in_doubt
        if sent is not None and self._call.call.sent_at is not None:
            raise AmbiguousTrigger(sent, why, interrupted_by=why) from why
        raise why

    async def _run(self, lost: LostResponse) -> ClearResponse | TriggerResult:
        while True:
            outcome, lost = await self._find_out(lost)
            match outcome:
                case Adopt(backup):
                    return TriggerResult(TriggerKind.ADOPTED, backup)
                case AlreadyActive(backup):
                    return TriggerResult(TriggerKind.ALREADY_ACTIVE, backup)
                case Undecided(reason):
                    raise self._ambiguous(lost, reason)
                case SendAgain():
                    sent = await self._send_again(lost)
                    if isinstance(sent, ClearResponse):
                        return sent
                    self._lost = lost = sent
                case _:
                    assert_never(outcome)

    async def _find_out(self, lost: LostResponse) -> tuple[Outcome, LostResponse]:
        """What became of a request; and the request, with its window as wide as our clock made it."""
        loop = asyncio.get_running_loop()
        self._snapshots = []
        while True:
            now = loop.time()
            self._lost = lost = attrs.evolve(lost, window=lost.window.widened(our_offset(now)))
            downtime = self._session.outage.downtime(now)
            step = next_step(lost.window, self._snapshots, now, self._settings, downtime)
            if not isinstance(step, CheckAgain):
                _LOGGER.info("instance %s: after the response to its trigger was lost: %s", self._id, step)
                return step, lost
            await asyncio.sleep(step.at - now)
            self._snapshots.append(await self._check(lost, step.at))

    async def _check(self, lost: LostResponse, planned: float) -> Snapshot | FailedSnapshot:
        loop, outage = asyncio.get_running_loop(), self._session.outage
        began = max(planned, loop.time())  # a timer can fire a tick too early
        offset = common_offset(self._snapshots)
        try:
            taken = await take_snapshot(self._session.send, self._id, lost.window, offset, self._settings)
        except BackupifyError as error:
            ended = loop.time()
            return FailedSnapshot(began, f"the last check failed: {error}", ended, outage.downtime(ended))
        return attrs.evolve(taken, began=began, downtime=outage.downtime(taken.ended))

    async def _send_again(self, lost: LostResponse) -> ClearResponse | LostResponse:
        """Send it again, since it surely did nothing: all that is there now was there before."""
        self._lost = None
        last = self._snapshots[-1]
        if isinstance(last, Snapshot):
            self._call.baseline = last.tail[-1].id if last.tail else None
        if not lost.window.of_previous_run:
            verdict = self._session.retrying.again(self._call.call, lost.cause)
            if isinstance(verdict, GiveUp):
                raise _not_started(lost.cause, verdict.reason)
            await asyncio.sleep(verdict.delay)
        return await self._call.send()

    def _ambiguous(
        self, lost: LostResponse, reason: str, interrupted_by: BackupifyError | None = None
    ) -> AmbiguousTrigger:
        seen = tuple(candidates(lost.window, self._snapshots, self._settings))
        ids = dict.fromkeys((*lost.window.trigger.seen, *(backup.id for backup in seen)))
        trigger = attrs.evolve(lost.window.trigger, seen=tuple(ids))
        error = AmbiguousTrigger(trigger, lost.cause, reason, seen, interrupted_by)
        error.__cause__ = lost.cause
        return error


def _is_same_end(cause: BackupifyError, why: BackupifyError) -> bool:
    """Whether the response was lost by what ended the reconciliation: the total time-out, or `close()`."""
    match cause, why:
        case RequestTimeout(limit="total"), RequestTimeout(limit="total"):
            return True
        case _:
            return isinstance(cause, ClientClosed) and isinstance(why, ClientClosed)


def _not_started(cause: BackupifyError, reason: str | None) -> BackupifyError:
    """The error of a trigger that surely started nothing, and is not sent again."""
    if isinstance(cause, APIError | TransportError):
        cause.gave_up = f"{reason}, and no backup was started" if reason else "no backup was started"
    return cause
