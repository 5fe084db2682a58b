"""Finds out what a trigger did whose response was lost: check, wait, perhaps send it again.

`reconcile` decides, and this module carries it out. Sending again is one more attempt of the same call:
rounds of checks and of retries do not multiply, and `total` limits all of it.
"""

import asyncio
import logging
from typing import assert_never

import attrs

from backupify_async._endpoints.server_clock import our_offset
from backupify_async._transport.retry_rules import GiveUp
from backupify_async._transport.scopes import CallScope, ScopeEnded
from backupify_async._transport.session import Session
from backupify_async._triggers.evidence import take_snapshot
from backupify_async._triggers.reconcile import (
    Adopt,
    AlreadyActive,
    CheckAgain,
    Conclusion,
    SendAgain,
    Undecided,
    candidates,
    next_step,
)
from backupify_async._triggers.sending import ClearResponse, LostResponse, TriggerCall
from backupify_async._triggers.snapshot import FailedSnapshot, Snapshot, common_offset
from backupify_async.errors import (
    AmbiguousTrigger,
    APIError,
    BackupifyError,
    ClientClosed,
    RequestTimeout,
    TransportError,
)
from backupify_async.models import TriggerKind, TriggerResult

_LOGGER = logging.getLogger("backupify_async.backups")


class Reconciler:
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
        except ScopeEnded:
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

    async def _find_out(self, lost: LostResponse) -> tuple[Conclusion, LostResponse]:
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
