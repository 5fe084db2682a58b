"""What a limiter learned, as plain JSON types and back: for the next run, or for another process.

Its times are those of the clock that the limiter was asked with: whoever reads a state must go on with the
same one. Calls in flight are no part of it: for what is read they never were.
"""

import math
from collections import deque
from collections.abc import Mapping
from functools import cache

import attrs
from cattrs import BaseValidationError, Converter

from backupify_async._transport.rate.concurrency_limit import ConcurrencyLimit
from backupify_async._transport.rate.pacer import Pacer
from backupify_async._transport.rate.quota_tracker import QuotaTracker
from backupify_async._transport.rate.window_model import WindowModel

_VERSION = 1
_TORN = "this is no state of a limiter"


@attrs.define(eq=False)
class LimiterState:
    """All that an adaptive limiter learned.

    Attributes:
        cap: How many calls may be in flight.
        announced: What the server announces.
        windows: What Retry-After tells of windows; None where they are believed no more.
        pace: What refusals tell of the rate.
        refuted: How often in a row a Retry-After closed nothing.
        untroubled: Whether no refusal and no announcement was met.
        closed_until: Before this time calls fail at once.
    """

    cap: ConcurrencyLimit
    announced: QuotaTracker
    windows: WindowModel | None
    pace: Pacer
    refuted: int
    untroubled: bool
    blocked_until: float


def write_state(state: LimiterState) -> dict[str, object]:
    """A state as JSON has it: some kilobytes."""
    return {"version": _VERSION, **_converter().unstructure(state)}


def read_state(plain: Mapping[str, object]) -> LimiterState:
    """The state that was written so.

    Raises:
        ValueError: It is of another version, or no state.
    """
    version = plain.get("version")
    if version != _VERSION:
        raise ValueError(f"a limiter's state of version {version!r}: version {_VERSION} is read here")
    try:
        state = _converter().structure(dict(plain), LimiterState)
    except (BaseValidationError, TypeError, ValueError, KeyError, AttributeError):
        raise ValueError(_TORN) from None
    if write_state(state) != plain:  # cattrs fills in what is missing
        raise ValueError(_TORN)
    return state


@cache
def _converter() -> Converter:
    converter = Converter(unstruct_collection_overrides={tuple: list, deque: list})
    converter.register_unstructure_hook(float, _number)
    return converter


def _number(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)  # JSON has no infinity
