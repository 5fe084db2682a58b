"""Triggers one backup: send, and where the response is lost, reconcile: check, wait, perhaps send again.

    Triggers.run -> TriggerCall.send -> ClearResponse -----------------> TriggerResult
                                     -> LostResponse  -> Reconciler -->  TriggerResult, or send again

`Reconciler` checks the instance, and carries out what `reconcile` decides.
"""

import asyncio
import logging

from backupify_async._call_context import CallGroup
from backupify_async._endpoints.backups import active_request, read_active
from backupify_async._transport.error_responses import api_error
from backupify_async._transport.session import Session
from backupify_async._triggers.drain import Drain, PendingTrigger
from backupify_async._triggers.evidence import find_refusal_reason
from backupify_async._triggers.matching import Match, match_backup
from backupify_async._triggers.reconciler import Reconciler
from backupify_async._triggers.sending import BeforeSend, ClearResponse, OnInDoubt, TriggerCall
from backupify_async.errors import BackupifyError, ClientDraining
from backupify_async.events import TriggerStopped, emit
from backupify_async.models import UNKNOWN_BASELINE, Backup, Baseline, SentTrigger, TriggerKind, TriggerResult

_LOGGER = logging.getLogger("backupify_async.backups")


class Triggers:
    """Triggers backups through one session.

    Args:
        session: Sends the requests.
        drain: Of the client's other triggers; None for the first of its sessions.
    """

    def __init__(self, session: Session, drain: Drain | None = None) -> None:
        self._session = session
        self.drain = drain or Drain()
        """Whether any more triggers may be sent."""

    @property
    def reconciling(self) -> int:
        """How many triggers with a lost response are being reconciled."""
        return self.drain.reconciling

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
            with CallGroup(), PendingTrigger(self.drain, backup_instance_id, lambda: call.is_open):
                return await self._run(backup_instance_id, call, recorded)
        except (asyncio.CancelledError, ClientDraining):
            emit(self._session.options.on_event, TriggerStopped(backup_instance_id, call.in_doubt))
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
        self.drain.reconciling += 1
        try:
            reconciled = await Reconciler(self._session, backup_instance_id, call, sent).run_until(end)
        finally:
            self.drain.reconciling -= 1
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
