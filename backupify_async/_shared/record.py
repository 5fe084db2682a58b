"""The record: all that members share of a limit, as one value, to and from bytes.

It is JSON of a few kB: a header that says what it is and relates its times to the store's clock, the members,
the slots, and the limiter with its calls in flight. All times are seconds by the `time_scale`.
"""

import math
from typing import Any

import attrs
import orjson

from backupify_async._json_types import number_or_text
from backupify_async._shared.store import BadRecord
from backupify_async._shared.time_scale import TimeScale
from backupify_async._transport.rate import state
from backupify_async._transport.rate.group_limiter import GroupLimiter
from backupify_async._transport.rate.ticket import Ticket
from backupify_async.config import RateLimit, RetryPolicy

VERSION = 1000 + state.VERSION  # of the record, and of the limiter's state in it
_FORMAT = "backupify_async limit"
_FARTHEST = 1e12  # seconds: no clock shows more
MOST = 1_000_000
"""Of what a member has: calls, or slots."""
_LAST_SLOT = 2**53
_AHEAD = 60.0  # seconds by which a record can be ahead of the time: more is a mistake
_LONGEST_PAUSE = 8 * 86_400.0  # seconds: a longer Retry-After is not read either


@attrs.frozen
class Rules:
    """What a member's settings say of the limit. All members of a group should have the same.

    Attributes:
        limit: The ceiling, for all members together. The lowest of any member applies (`Record.ceiling`).
        retry: How long refusals are waited out.
    """

    limit: RateLimit
    retry: RetryPolicy


@attrs.define
class Member:
    """One client of the group.

    Attributes:
        seen: When it took its last turn.
        capacity: How many requests it can have in flight.
        waiting: How many more slots it can use.
        served: The date of its last slot; -inf if it had none.
        latency: Seconds that its turns take.
        ceiling: The most calls a second that its settings allow to all members together.
        burst: With that ceiling.
    """

    seen: float
    capacity: int
    waiting: int = 0
    served: float = -math.inf
    latency: float = 0.0
    ceiling: float = math.inf
    burst: int = 1


@attrs.define
class Slot:
    """The right to send one call, and then the call in flight.

    Attributes:
        owner: The member.
        date: When the call can be sent.
        sent: Whether it is known to be sent.
    """

    owner: str
    date: float
    sent: bool = False


@attrs.define(eq=False)
class Record:
    """All that members share of a limit.

    Attributes:
        scale: What its times are.
        members: By their ids.
        slots: By their numbers: granted, or sent and without an outcome.
        last_slot: The number of the last slot.
        clock: The latest time that the limiter has heard of. Slots are granted ahead, so it can be to come.
        due: When the next slot can be granted: infinity if a response must arrive first, -inf if unknown.
        pace: Average seconds between the dates of two slots.
        granted_at: The date of the last slot.
        felt_at: When the limit was met; None if it was not: then slots are not needed.
        paused_until: As the limiter says.
        refused_at: When a call was refused, or when the pause ends; -inf if none was.
        turned_at: When a member took the last turn.
        blocked_until: As the limiter says.
    """

    scale: TimeScale
    members: dict[str, Member] = attrs.field(factory=dict)
    slots: dict[int, Slot] = attrs.field(factory=dict)
    last_slot: int = 0
    clock: float = -math.inf
    due: float = -math.inf
    pace: float = 0.0
    granted_at: float = -math.inf
    refused_at: float = -math.inf
    turned_at: float = -math.inf
    felt_at: float | None = None
    paused_until: float = -math.inf
    blocked_until: float = -math.inf
    _plain: tuple[dict[str, Any], dict[str, Any]] | None = None
    _live: tuple[GroupLimiter, dict[int, Ticket]] | None = None

    def seed(self, limiter: GroupLimiter, now: float) -> None:
        """The limit was met: from now on slots are needed, which this limiter grants."""
        self._live, self.felt_at = (limiter, {}), now

    def ceiling(self) -> RateLimit:
        """The lowest ceiling of any member: the others can have other settings."""
        strictest = min(self.members.values(), key=lambda member: member.ceiling, default=None)
        if strictest is None or strictest.ceiling == math.inf:
            return RateLimit(None)
        return RateLimit(strictest.ceiling, burst=strictest.burst)

    def limiter(self, rules: Rules) -> tuple[GroupLimiter, dict[int, Ticket]]:
        """The limiter, and the tickets of the slots.

        Raises:
            BadRecord: There is none that can be read.
        """
        if self._live is None:
            if self._plain is None:
                raise BadRecord("there is no limiter")
            try:
                self._live = GroupLimiter.restore(*self._plain, self.ceiling(), rules.retry)
            except ValueError as error:
                raise BadRecord(str(error)) from None
            if self._live[1].keys() != self.slots.keys():
                raise BadRecord("its slots are not the limiter's calls")
        return self._live

    def require_plausible(self, now: float) -> None:
        """Check that calls do not wait for ever, whatever was read.

        Raises:
            BadRecord: A time is too far ahead, or a response is waited for while no call is in flight.
        """
        awaited = self.due == math.inf and self.slots
        until = max(self.paused_until, self.blocked_until)
        if self.clock > now + _AHEAD or until > now + _LONGEST_PAUSE:
            raise BadRecord("its times are too far ahead")
        if not (self.due <= now + _LONGEST_PAUSE or awaited):
            raise BadRecord("it grants no more slots")

    def limiter_parts(self) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The limiter and its calls in flight as JSON types; None while no limit was met."""
        if self._live is not None:
            limiter, tickets = self._live
            self._plain = limiter.state(), limiter.calls(tickets)
        return self._plain


def encode(record: Record) -> bytes:
    """The record as bytes."""
    return orjson.dumps(
        {
            "format": _FORMAT,
            "version": VERSION,
            "scale": attrs.astuple(record.scale),
            "members": {name: _numbers(attrs.astuple(one)) for name, one in record.members.items()},
            "slots": [(number, one.owner, one.date, one.sent) for number, one in record.slots.items()],
            "last_slot": record.last_slot,
            "times": _numbers(
                (
                    record.clock,
                    record.due,
                    record.pace,
                    record.granted_at,
                    record.refused_at,
                    record.turned_at,
                    record.paused_until,
                    record.blocked_until,
                )
            ),
            "felt_at": record.felt_at,
            "limiter": record.limiter_parts(),
        }
    )


def decode(value: bytes) -> Record:
    """The inverse of `encode`.

    Raises:
        BadRecord: It is no record, or of another version.
    """
    try:
        plain = orjson.loads(value)
        if plain["format"] != _FORMAT:
            raise BadRecord("it is not a shared limit")
        if plain["version"] != VERSION:
            raise BadRecord(f"its version is {plain['version']!r}, and not {VERSION}", plain["version"])
        offset, now, epoch, wall = plain["scale"]
        clock, due, pace, granted_at, refused_at, turned_at, paused_until, blocked_until = map(
            _time, plain["times"]
        )
        felt_at, limiter = plain["felt_at"], plain["limiter"]
        return Record(
            TimeScale(_finite(offset), _finite(now), str(epoch), _finite(wall)),
            {name: _member(numbers) for name, numbers in plain["members"].items()},
            {
                _count(number, _LAST_SLOT): Slot(str(owner), _finite(date), sent is True)
                for number, owner, date, sent in plain["slots"]
            },
            _count(plain["last_slot"], _LAST_SLOT),
            clock,
            due,
            pace,
            granted_at,
            refused_at,
            turned_at,
            None if felt_at is None else _finite(felt_at),
            paused_until,
            blocked_until,
            None if limiter is None else _limiter(*limiter),
        )
    except (orjson.JSONDecodeError, TypeError, ValueError, LookupError, AttributeError):
        raise BadRecord("it is not a whole shared limit") from None


def _limiter(learned: dict[str, Any], calls: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return {**learned}, {**calls}


def _member(numbers: list[Any]) -> Member:
    seen, capacity, waiting, served, latency, ceiling, burst = numbers
    return Member(
        _finite(seen),
        _count(capacity),
        _count(waiting),
        _time(served),
        _finite(latency),
        _time(ceiling),
        _count(burst),
    )


def _time(field: object) -> float:
    """A time, which can be infinite.

    Raises:
        TypeError: It is no number.
        ValueError: It is no time.
    """
    time = float(field)  # type: ignore[arg-type] # anything but a number or its text is a TypeError
    if not (abs(time) <= _FARTHEST or math.isinf(time)):
        raise ValueError(field)
    return time


def _finite(field: object) -> float:
    time = _time(field)
    if math.isinf(time):
        raise ValueError(field)
    return time


def _count(field: object, most: int = MOST) -> int:
    if type(field) is not int or not 0 <= field <= most:
        raise ValueError(field)
    return field


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    return [number_or_text(value) for value in values]
