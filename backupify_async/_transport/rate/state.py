"""What an adaptive limiter has learned, to and from plain JSON types.

Times in it are those of the limiter's clock. Calls in flight are not part of it: they never existed for
the limiter that reads it. `calls_in_flight` has them, for a limiter that takes them over.
"""

import math
from collections import deque
from collections.abc import Mapping
from functools import cache

import attrs
from cattrs import BaseValidationError, Converter

from backupify_async._json_types import number_or_text
from backupify_async._transport.rate.concurrency_limit import ConcurrencyLimit
from backupify_async._transport.rate.pacer import Pacer
from backupify_async._transport.rate.quota_tracker import QuotaTracker
from backupify_async._transport.rate.window_model import WindowModel

VERSION = 4
"""Of the state: no other one can be read."""
_INVALID = "this is not a limiter's state"


@attrs.define(eq=False)
class LimiterState:
    """What an adaptive limiter has learned.

    Attributes:
        concurrency: How many calls can be in flight.
        quota: What the server announces.
        windows: What Retry-After says of windows.
        pacer: What refusals say of the rate.
        unclosed: How many times in a row a Retry-After closed nothing.
        unlimited: Whether there was neither a refusal nor an announcement yet.
        blocked_until: Until when calls fail at once.
    """

    concurrency: ConcurrencyLimit
    quota: QuotaTracker = attrs.field(factory=QuotaTracker)
    windows: WindowModel = attrs.field(factory=WindowModel)
    pacer: Pacer = attrs.field(factory=Pacer)
    unclosed: int = 0
    unlimited: bool = True
    blocked_until: float = -math.inf


def write_state(state: LimiterState) -> dict[str, object]:
    """The state as JSON types: a few kilobytes."""
    return {"version": VERSION, **_converter().unstructure(state)}


def read_state(plain: Mapping[str, object]) -> LimiterState:
    """The inverse of `write_state`.

    Raises:
        ValueError: It is of another version, or not a limiter's state.
    """
    state = read_own_state(plain)
    if write_state(state) != plain:  # cattrs fills in what is missing
        raise ValueError(_INVALID)
    return state


def read_own_state(plain: Mapping[str, object]) -> LimiterState:
    """As `read_state`, for a state from a trusted writer: what is missing goes unnoticed, in half the time.

    Raises:
        ValueError: It is of another version, or not a limiter's state.
    """
    version = plain.get("version")
    if version != VERSION:
        raise ValueError(f"a limiter's state of version {version!r}: only version {VERSION} can be read")
    try:
        return _converter().structure(dict(plain), LimiterState)
    except (BaseValidationError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        raise ValueError(_INVALID) from None


@cache
def _converter() -> Converter:
    converter = Converter(detailed_validation=False, unstruct_collection_overrides={tuple: list, deque: list})
    converter.register_unstructure_hook(float, number_or_text)
    return converter
