"""Who renews the shared token: pure decisions over the value "token" of a store.

The member that takes the lease requests a token. The others keep the old one meanwhile, and wait without one:

| token in the store | lease | a member that asks |
| --- | --- | --- |
| not due, and this member did not see it rejected | any | uses it |
| due but not ended, and this member has no other | another member's | uses it |
| this member's own, ended, rejected, or none | another member's | waits for the lease's end, or for news |
| the same, or due | none, ended, or its own | takes the lease, and requests a token |

A member asks for one of two reasons: its token is due, or was rejected. A failed request leaves a lease
without an owner for a second, so that the members do not all fail at once. A cancelled one leaves none.
"""

import base64
import math

import attrs
import orjson

from backupify_async._json_types import number_or_text
from backupify_async._shared.store import BadRecord, Stored

VERSION = 1
LEASE = 5.0  # seconds: how long the others wait for a member that died; extended while its request lasts
AFTER_FAILURE = 1.0  # seconds until another member tries
_ROUNDING = 1.0  # seconds: no lease lasts longer, or calls could wait for ever
_CLOCK_JUMP = 30.0  # seconds: a time of day that shows so much more than the clock is believed


@attrs.frozen
class TokenRecord:
    """What the store holds. Times are by the store's clock, in seconds.

    Attributes:
        sealed: The token, sealed; b"" if there is none.
        refresh_at: When it is due to be renewed.
        ends_at: When it ends.
        owner: Which member renews it; "" if none does.
        leased_until: Until when the others leave that to it.
    """

    sealed: bytes = attrs.field(default=b"", repr=False)
    refresh_at: float = -math.inf
    ends_at: float = -math.inf
    owner: str = ""
    leased_until: float = -math.inf


@attrs.frozen
class Use:
    """Use the token in the store."""


@attrs.frozen
class Renew:
    """Take the lease, and request a token."""


@attrs.frozen
class Wait:
    """Ask again at a time by the store's clock, or after an announcement."""

    until: float


def decide(record: TokenRecord, now: float, member: str, *, rejected: bool, held: bool) -> Use | Renew | Wait:
    """Decide what a member does that asks for a token.

    Args:
        record: What the store holds.
        now: The time by the store's clock.
        member: The member.
        rejected: Whether the API has rejected the token in the store, as far as this member knows.
        held: Whether the token in the store is the one that this member has.
    """
    usable = bool(record.sealed) and not rejected
    if usable and now < record.refresh_at:
        return Use()
    if now >= record.leased_until or record.owner == member:
        return Renew()
    if usable and not held and now < record.ends_at:
        return Use()
    return Wait(record.leased_until)


def take_lease(record: TokenRecord, now: float, member: str, *, rejected: bool) -> TokenRecord:
    """The record once this member renews the token. A rejected token is not left for others."""
    kept = TokenRecord() if rejected else record
    return attrs.evolve(kept, owner=member, leased_until=now + LEASE)


def extend_lease(record: TokenRecord, now: float, member: str) -> TokenRecord | None:
    """The record once this member's request takes longer; None if the lease is another's by now."""
    if record.owner != member:
        return None
    return attrs.evolve(record, leased_until=now + LEASE)


def after_failure(record: TokenRecord, now: float, member: str) -> TokenRecord | None:
    """The record once this member's request has failed; None if the lease is another's by now."""
    if record.owner != member:
        return None
    return attrs.evolve(record, owner="", leased_until=now + AFTER_FAILURE)


def after_cancellation(record: TokenRecord, now: float, member: str) -> TokenRecord | None:
    """The record once this member's request was cancelled: another member can send one at once."""
    if record.owner != member:
        return None
    return attrs.evolve(record, owner="", leased_until=now)


def read_record(stored: Stored) -> TokenRecord:
    """What the store holds, with times by its present clock.

    Raises:
        BadRecord: It cannot be read.
    """
    if stored.value is None:
        return TokenRecord()
    try:
        fields = orjson.loads(stored.value)
        if fields["version"] != VERSION:
            raise BadRecord(f"a token of version {fields['version']!r}", fields["version"])
        written_at, wall = float(fields["now"]), float(fields["wall"])
        if not (math.isfinite(written_at) and math.isfinite(wall)):
            raise BadRecord("it was written at no time")
        shift = _clock_shift(stored, str(fields["epoch"]), written_at, wall)
        leased_until = _time(fields["leased_until"], shift)
        return TokenRecord(
            base64.b64decode(fields["sealed"], validate=True),
            _time(fields["refresh_at"], shift),
            _time(fields["ends_at"], shift),
            str(fields["owner"]),
            leased_until if leased_until <= stored.now + LEASE + _ROUNDING else -math.inf,
        )
    except (ValueError, TypeError, KeyError):
        problem = "it is not a shared token"
    raise BadRecord(problem)


def write_record(record: TokenRecord, stored: Stored) -> bytes:
    """The inverse of `read_record`."""
    fields = {
        "version": VERSION,
        "epoch": stored.epoch,
        "now": stored.now,
        "wall": stored.wall,
        "sealed": base64.b64encode(record.sealed).decode("ascii"),
        "owner": record.owner,
        "refresh_at": number_or_text(record.refresh_at),
        "ends_at": number_or_text(record.ends_at),
        "leased_until": number_or_text(record.leased_until),
    }
    return orjson.dumps(fields)


def _clock_shift(stored: Stored, epoch: str, written_at: float, wall: float) -> float:
    """What to add to the record's times: the clock can have begun anew, jumped, or stood still."""
    shown = stored.now - written_at
    by_day = max(0.0, stored.wall - wall)
    goes_on = epoch == stored.epoch and shown >= 0.0
    return 0.0 if goes_on and by_day <= shown + _CLOCK_JUMP else shown - by_day


def _time(field: object, shift: float) -> float:
    time = float(field)  # type: ignore[arg-type] # anything but a number is a TypeError
    if math.isnan(time):
        raise BadRecord("it has a time that is no number")
    return time + shift
