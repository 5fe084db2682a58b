"""One trigger's sending, and what is open after it: plain values for `reconciling` to decide on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import attrs

from backupify_async.errors import BackupifyError, DecodeError, TransportError
from backupify_async.models import Backup
from backupify_async.resources.baselines import Baseline
from backupify_async.resources.judging import Fate, Judgement, judge
from backupify_async.resources.server_clock import Lead, our_lead, read_lead
from backupify_async.transport.request import FateUnknown, Response
from backupify_async.transport.retrying import Call
from backupify_async.transport.session import Session
from backupify_async.transport.wire import decode_one

_TOLD_WITHIN = 1.0  # seconds: a disk that commits in more than that is asked twice
_UNTIMED_ATTEMPT = 60.0  # seconds that an earlier process may have waited, where attempts have no time-out


@attrs.frozen
class Evidence:
    """What is known of a sending beside its time, for a process that comes after the one that sent it.

    Attributes:
        over_by: When that process had given up the answer at the latest, UTC; None where nobody noted it.
        server_ahead: How far the server's clock was ahead of this machine's when it left, at least and at
            most, in seconds; None where no Date told.
        accepted: Whether it was answered with a 2xx, in which no backup could be read.
        seen: The ids of the backups that may be its work, or that ran, when it was last looked.
    """

    over_by: datetime | None = None
    server_ahead: tuple[float, float] | None = None
    accepted: bool = False
    seen: tuple[int | str, ...] = ()


@attrs.frozen
class Unsettled:
    """A sending whose answer nobody noted, or that is about to leave.

    Attributes:
        sent_at: When it left, UTC, by this machine's clock.
        evidence: What else is known of it.
    """

    sent_at: datetime
    evidence: Evidence = Evidence()


def was_accepted(cause: BackupifyError) -> bool:
    """Whether a sending without a clear answer got a 2xx: of no other answer is the body read."""
    return isinstance(cause, DecodeError)


async def announce(session: Session, leaving: Callable[[Unsettled], Awaitable[None]]) -> None:
    """Tell of a sending before it leaves; once more, where that took so long that its time is not true.

    Args:
        session: Will send it.
        leaving: Told of it. The time that this takes is allowed for in what the second telling says.
    """
    loop = asyncio.get_running_loop()
    allowed = _TOLD_WITHIN
    while True:
        began = loop.time()
        await leaving(_about_to_leave(session, began, allowed))
        took = loop.time() - began
        if took <= allowed:
            return
        allowed = 2 * took


def _about_to_leave(session: Session, now: float, allowed: float) -> Unsettled:
    timeouts, ours = session.settings.timeouts, our_lead(now)
    sent_at = datetime.fromtimestamp(now + ours, UTC)
    over_by = sent_at + timedelta(seconds=allowed + (timeouts.attempt or timeouts.total or _UNTIMED_ATTEMPT))
    lead = None if session.last_answer is None else read_lead(*session.last_answer)
    ahead = None if lead is None else (lead.lowest - ours, lead.highest - ours)
    return Unsettled(sent_at, Evidence(over_by, ahead))


@attrs.frozen
class Lost:
    """A sending without a clear answer."""

    sent_at: datetime
    cause: BackupifyError
    fate: Fate
    by_us: bool = True


@attrs.frozen
class Answer:
    """A clear answer; `backup` is what a 2xx holds, and `fate` what would be open without one."""

    response: Response
    backup: Backup | None
    fate: Fate
    lead: Lead | None

    def was_there_before(self, backup: Backup, tolerance: float) -> bool:
        """Whether the server named a backup that it surely did not start for this trigger."""
        return judge(backup, self.fate, self.lead, tolerance) is Judgement.OLDER


class Sending:
    """Sends one trigger, and says what is open after it."""

    def __init__(self, session: Session, call: Call, baseline: Baseline) -> None:
        self._session = session
        self.call = call
        self.baseline = baseline

    async def send(self) -> Answer | Lost:
        """Send it once more.

        Raises:
            BackupifyError: It was surely not started.
        """
        call = self.call
        try:
            response = await self._session.carry(call)
        except FateUnknown as unknown:
            return Lost(unknown.sent_at, unknown.cause, self._fate(unknown.cause))
        try:
            backup = decode_one(response, Backup) if response.status < 300 else None
        except DecodeError as error:
            return Lost(response.message.sent_at, error, self._fate(error))
        return Answer(response, backup, self._fate(), read_lead(response, asyncio.get_running_loop().time()))

    def _fate(self, cause: BackupifyError | None = None) -> Fate:
        now = asyncio.get_running_loop().time()
        latest = now + self._session.settings.reconciliation.settling
        accepted = cause is not None and was_accepted(cause)
        return Fate(self.call.left, latest, latest, our_lead(now), self.baseline, accepted)

    def take_over(self, unsettled: Unsettled) -> Lost:
        """What is open of an earlier process, by its notes: when it lost the answer is not known."""
        evidence, settings = unsettled.evidence, self._session.settings
        now, settling = asyncio.get_running_loop().time(), settings.reconciliation.settling
        ours = our_lead(now)
        left = unsettled.sent_at.timestamp() - ours
        latest = left + (settings.timeouts.attempt or _UNTIMED_ATTEMPT)
        if evidence.over_by is not None:
            latest = evidence.over_by.timestamp() - ours
        lead = None
        if evidence.server_ahead is None:
            left, latest = min(left, now), min(latest, now)
        else:  # our clock may have been set back since: by what it shows now, then is yet to come
            lead = Lead(*(ours + ahead for ahead in evidence.server_ahead))
        fate = Fate(
            left,
            latest + settling,
            now + settling,
            ours,
            self.baseline,
            evidence.accepted,
            evidence.seen,
            lead,
        )
        cause = TransportError("the process that sent it ended before the answer came")
        return Lost(unsettled.sent_at, cause, fate, by_us=False)
