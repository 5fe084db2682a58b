"""One trigger's sending, and what is open after it: plain values for `reconciling` to decide on."""

import asyncio
from datetime import datetime

import attrs

from backupify_async.errors import BackupifyError, DecodeError, TransportError
from backupify_async.models import Backup
from backupify_async.resources.judging import Baseline, Fate, Judgement, judge
from backupify_async.resources.server_clock import Lead, our_lead, read_lead
from backupify_async.transport.request import FateUnknown, Response
from backupify_async.transport.retrying import Call
from backupify_async.transport.session import Session
from backupify_async.transport.wire import decode_one

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
        accepted = isinstance(cause, DecodeError)  # of no other answer than a 2xx is the body read
        return Fate(self.call.left, latest, latest, our_lead(now), self.baseline, accepted)

    def take_over(self, unsettled: Unsettled) -> Lost:
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
        return Lost(unsettled.first_sent_at, cause, fate, by_us=False)
