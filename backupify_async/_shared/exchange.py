"""A member's exchange with the store: reads the record, takes a turn, and writes it.

It keeps the record that was last read. So a turn that finds the same bytes need not decode them, a store that
was emptied is seeded anew, and a store that is away leaves something to go by.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from backupify_async._shared.messages import News, Turn
from backupify_async._shared.record import Record, Rules, decode, encode
from backupify_async._shared.store import LIMIT, BadRecord, StateStore, Stored, StoreUnavailable
from backupify_async._shared.time_scale import read_scale
from backupify_async._shared.turn import is_needed, read_news, take_turn
from backupify_async._transport.rate.group_limiter import GroupLimiter

_LOGGER = logging.getLogger("backupify_async.shared")
_PATIENCE = 0.5  # seconds for a turn, at least,
_LONGEST_PATIENCE = 0.9  # and at most,
_PATIENT = 20.0  # and times the usual latency in between
_WEIGHT = 0.2  # of the latest turn in the average latency
_DRIFT = 1e-3  # seconds a second, by which clocks can diverge
_JUMP = 1.0  # seconds
_FORGOTTEN_SLOTS = 100_000  # more than others can have seen granted since
_SENSELESS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a turn raises at a record that can be read and makes no sense."""


class Exchange:
    """One member's exchange with the store.

    Args:
        store: Where the record is.
        rules: The settings.
        on_late: Called with the reason when a turn is given up, of which the store knows nothing.
    """

    def __init__(self, store: StateStore, rules: Rules, on_late: Callable[[str], None] | None = None) -> None:
        self._store = store
        self._on_late = on_late
        self._rules = rules
        self._value: bytes | None = None  # as it was last read or written,
        self._record: Record | None = None  # and what it means
        self._done: tuple[News, bytes, Record, float] | None = None
        self._measured_at = 0.0
        self._joined = False
        self.ahead = 0.0
        """Seconds by which the record's time is ahead of the loop's."""
        self.latency = 0.0
        """Seconds that a turn takes."""

    async def turn(self, make: Callable[[float], Turn]) -> News:
        """Take a turn.

        Args:
            make: Returns what the member comes with, by the record's time: the argument is `ahead`. It can be
                called several times.

        Raises:
            StoreUnavailable: The store is away, or does not respond in time.
        """
        loop = asyncio.get_running_loop()
        began, self._done = loop.time(), None

        def change(stored: Stored) -> bytes | None:
            try:
                return self._change(stored, make, began, loop.time())
            except (BadRecord, *_SENSELESS) as error:
                if stored.value is None and self._value is None:
                    raise  # the fault is not in what was read
                bad = _bad_record(error)
            if stored.value is None or stored.value == self._value:
                self._value = None
            if stored.value is None:
                return self._change(stored, make, began, loop.time())
            raise bad

        await self._in_time(self._store.turn(LIMIT, change))
        news, self._value, self._record, self.ahead = self._taken()
        self._measured_at, self._joined = loop.time(), True
        self.latency += _WEIGHT * (self._measured_at - began - self.latency)
        return news

    async def _in_time(self, turn: Coroutine[Any, Any, None]) -> None:
        try:
            async with asyncio.timeout(min(_LONGEST_PATIENCE, max(_PATIENCE, _PATIENT * self.latency))):
                await turn
        except TimeoutError:
            late = StoreUnavailable("it does not respond in time")
        else:
            return
        if self._on_late is not None:
            self._on_late(str(late))
        raise late

    def limiter(self) -> GroupLimiter | None:
        """The limiter as it was last read, to look something up; None while no limit is met."""
        try:
            if self._record is None and self._value is not None:
                self._record = decode(self._value)
            if self._record is None or self._record.felt_at is None:
                return None
            return self._record.limiter(self._rules)[0]
        except BadRecord:
            return None  # the next turn will put it aside

    def _taken(self) -> tuple[News, bytes, Record, float]:
        if self._done is None:
            raise RuntimeError("the store did not call what changes its value")
        return self._done

    def _change(
        self, stored: Stored, make: Callable[[float], Turn], began: float, loop_time: float
    ) -> bytes | None:
        value, self._done = stored.value if stored.value is not None else self._value, None
        record, self._record = self._record, None  # it changes now, and is valid only if that is written
        if value is not None and (record is None or value != self._value):
            record = decode(value)
        expected = loop_time + self.ahead if self._joined else None
        now, scale = read_scale(None if record is None else record.scale, stored, expected)
        if record is None or value is None:
            record, value = Record(scale), b""
        moved = abs(scale.offset - record.scale.offset) > _DRIFT or scale.epoch != record.scale.epoch
        record.scale = scale
        if stored.value is None:
            record.last_slot += _FORGOTTEN_SLOTS  # others can know of some that this member never read of
        ahead = min(now - began, self._smoothed(now - loop_time, loop_time))  # it was read after that
        turn = make(ahead)
        if stored.value is not None and not moved and not is_needed(record, turn, now):
            self._done = read_news(record, turn, now), value, record, ahead
            return None
        news = take_turn(record, turn, now, self._rules)
        value = encode(record)
        self._done = news, value, record, ahead
        return value

    def _smoothed(self, ahead: float, loop_time: float) -> float:
        """The store's clock is read some time before its value arrives: the latest reading is the best."""
        if not self._joined or abs(ahead - self.ahead) > _JUMP:
            return ahead
        return max(ahead, self.ahead - _DRIFT * (loop_time - self._measured_at))


def _bad_record(error: Exception) -> BadRecord:
    if isinstance(error, BadRecord):
        return error
    _LOGGER.debug("a turn failed", exc_info=error)
    return BadRecord(f"a turn raised {type(error).__name__}")
