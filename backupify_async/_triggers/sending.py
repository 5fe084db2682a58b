"""One trigger's sending, and what is open after it: plain values for `reconciling` to decide on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import attrs

from backupify_async._codec.decode import decode_one, require_same
from backupify_async._endpoints.server_clock import ClockOffset, lead_before, our_lead, read_lead
from backupify_async._transport.hearing import DateSeen
from backupify_async._transport.request import DeliveryUnknown, Response
from backupify_async._transport.retry_loop import CallState
from backupify_async._transport.session import Session
from backupify_async._triggers.baseline import Baseline
from backupify_async._triggers.matching import Fate, Judgement, judge
from backupify_async.errors import APIError, BackupifyError, DecodeError, TransportError
from backupify_async.models import Backup

_TOLD_WITHIN = 1.0  # seconds: a disk that commits in more than that is asked twice
_UNTIMED_ATTEMPT = 60.0  # seconds that an earlier process may have waited, where attempts have no time-out


@attrs.frozen
class Evidence:
    """What is known of a sending beside its time, for a process that comes after the one that sent it.

    Attributes:
        over_by: When that process had given up the answer at the latest, UTC; None where nobody noted it.
        server_ahead: How far the server's clock was ahead of this machine's when it left, at least and at
            most, in seconds; None where no Date told.
        accepted: Whether the head of a 2xx came, and no backup could be read in it.
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
    """Whether a sending without a clear answer got a 2xx, as far as its head."""
    if isinstance(cause, DecodeError):
        return True  # of no other answer is the body read
    return isinstance(cause, TransportError) and _is_success(cause.status)


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


async def report_before_send(session: Session, before_send: Callable[[Unsettled], Awaitable[None]]) -> None:
    """Tell of a sending before it leaves; once more, where that took so long that its time is not true.

    Args:
        session: Will send it.
        before_send: Told of it. The time that this takes is allowed for in what the second telling says.
    """
    loop = asyncio.get_running_loop()
    allowed = _TOLD_WITHIN
    while True:
        began = loop.time()
        ours = our_lead(began)
        await before_send(_about_to_leave(session, began, allowed))
        ended = loop.time()
        took = ended - began + max(0.0, our_lead(ended) - ours)  # the loop's clock stands still in a suspend
        if took <= allowed:
            return
        allowed = 2 * took


def _about_to_leave(session: Session, now: float, allowed: float) -> Unsettled:
    timeouts, ours = session.settings.timeouts, our_lead(now)
    sent_at = datetime.fromtimestamp(now + ours, UTC)
    over_by = sent_at + timedelta(seconds=allowed + (timeouts.attempt or timeouts.total or _UNTIMED_ATTEMPT))
    lead = lead_before(session.hearing.last_date, ours)
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
    received: float

    @property
    def lead(self) -> ClockOffset | None:
        """How far the server's clock is ahead of the loop's, by this answer's Date."""
        return read_lead(self.response.headers.get("Date"), self.response.message.sent_time, self.received)

    def was_there_before(self, backup: Backup, tolerance: float) -> bool:
        """Whether the server named a backup that it surely did not start for this trigger."""
        return judge(backup, self.fate, self.lead, tolerance) is Judgement.OLDER


class Sending:
    """Sends one trigger, and says what is open after it.

    Args:
        session: Sends it.
        call: What it has met so far.
        backup_instance_id: The instance.
        baseline: The highest id from before.
        learned: Told at once of what becomes known of a sending without a clear answer; None for nobody.
    """

    def __init__(
        self,
        session: Session,
        call: CallState,
        backup_instance_id: int | str,
        baseline: Baseline,
        learned: Callable[[Evidence], None] | None = None,
    ) -> None:
        self._session = session
        self._id = backup_instance_id
        self._learned = learned
        self._our_lead = 0.0
        self._date: DateSeen | None = None
        self.call = call
        self.baseline = baseline

    def note_clocks(self) -> None:
        """Relate the clocks to each other, for it leaves now."""
        self._our_lead = our_lead(asyncio.get_running_loop().time())
        self._date = self._session.hearing.last_date

    async def send(self) -> Answer | Lost:
        """Send it once more.

        Raises:
            BackupifyError: It was surely not started.
        """
        call = self.call
        try:
            response = await self._session.carry(call)
        except DeliveryUnknown as unknown:
            return self._lost(unknown.sent_at, unknown.cause)
        except asyncio.CancelledError:
            if _is_success(call.status):
                self.learn(accepted=True)
            raise
        try:
            if response.status < 300:
                response.decode(self._read_backup)
        except DecodeError as error:
            return self._lost(response.message.sent_at, error)
        now = asyncio.get_running_loop().time()
        backup = response.decoded if response.status < 300 else None
        return Answer(response, backup, self._fate(now), now)

    def _read_backup(self, response: Response) -> Backup | None:
        backup = decode_one(response, Backup)
        if backup is not None:
            require_same(response, "instance", self._id, backup.backup_instance_id)
        return backup

    def learn(self, *, accepted: bool) -> None:
        """Tell at once that the answer of the last sending came, or was given up, and what it was."""
        if self._learned is not None:
            self._learned(Evidence(datetime.now(UTC), accepted=accepted))

    def _lost(self, sent_at: datetime, cause: BackupifyError) -> Lost:
        now = asyncio.get_running_loop().time()
        accepted = was_accepted(cause) or _is_success(self.call.status)
        self.learn(accepted=accepted)
        fate = self._fate(now)
        asked = cause.retry_after if isinstance(cause, APIError) else None
        if asked is not None and asked <= self._session.settings.retry.max_retry_after:
            fate = attrs.evolve(fate, settled_at=max(fate.settled_at, now + asked))
        lead = lead_before(self._date, self._our_lead)
        return Lost(sent_at, cause, attrs.evolve(fate, accepted=accepted, lead=lead))

    def _fate(self, now: float) -> Fate:
        latest = now + self._session.settings.reconciliation.settling
        fate = Fate(
            self.call.sent_time, latest, latest, ClockOffset(self._our_lead, self._our_lead), self.baseline
        )
        return fate.our_clock_read(our_lead(now))

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
            lead = ClockOffset(*(ours + ahead for ahead in evidence.server_ahead))
        fate = Fate(
            left,
            latest + settling,
            now + settling,
            ClockOffset(ours, ours),
            self.baseline,
            evidence.accepted,
            evidence.seen,
            lead,
            taken_over=True,
        )
        cause = TransportError("the process that sent it ended before the answer came")
        return Lost(unsettled.sent_at, cause, fate, by_us=False)
