"""A record that was in use."""

from backupify_async import RateLimit, RetryPolicy
from backupify_async._shared.messages import CallEnd, Report, Turn
from backupify_async._shared.record import Record, Rules
from backupify_async._shared.time_scale import TimeScale
from backupify_async._shared.turn import take_turn
from backupify_async._transport.rate import Observation

RULES = Rules(RateLimit(None), RetryPolicy())


def used_record() -> Record:
    """A record of two members with a limit that was met, a slot and a call in flight."""
    record = Record(TimeScale(0.0, 100.0, "boot", 9000.0))
    refused = Report(None, 100.0, 100.06, CallEnd.RESPONSE, Observation(100.0, 100.06, 429))
    take_turn(record, Turn("a", 64), 100.0, RULES)
    take_turn(record, Turn("b", 64, felt=True, reports=[refused], without_slot=[100.01]), 100.1, RULES)
    take_turn(record, Turn("a", 64, wanted=3), 100.3, RULES)
    assert len(record.slots) == 2
    return record
