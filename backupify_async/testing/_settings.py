"""The settings of a simulated server, validated."""

import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

from attrs import Attribute, field, frozen
from attrs.validators import and_, ge, gt, in_, instance_of, le, lt, optional

from backupify_async.testing._clock import Clock
from backupify_async.testing._faults import Fault
from backupify_async.testing._limits import ServerLimit

IdleResponse = Literal[404, 204, "null", "{}", "[]"]
ActiveConflict = Literal[409, 422, 200]

_count = and_(instance_of(int), ge(0))
_at_least_one = and_(instance_of(int), ge(1))


def _range(latency: float | tuple[float, float]) -> tuple[float, float]:
    return latency if isinstance(latency, tuple) else (latency, latency)


def _range_of_seconds(_: object, attribute: "Attribute[Any]", value: tuple[float, float]) -> None:
    low, high = value
    if not 0 <= low <= high < math.inf:
        raise ValueError(
            f"{attribute.name} must be a number of seconds, or a (low, high) range of them, not {value!r}"
        )


def _finite(_: object, attribute: "Attribute[Any]", value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{attribute.name} must be a finite number of seconds, not {value!r}")


def _tuple(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(faults)


def _frozenset(ids: Iterable[int]) -> frozenset[int]:
    return frozenset(ids)


def _without_slash(link_base: str | None) -> str | None:
    return None if link_base is None else link_base.rstrip("/")


@frozen(kw_only=True)
class ServerSettings:
    """All settings; see `SimulatedBackupify`.

    Raises:
        ValueError: A number is out of range, or a response is not one of those listed.
        TypeError: A count is not an integer.
    """

    instances: int = field(validator=_count)
    seed: int
    backups: int | None = field(validator=optional(_count))
    client_id: str
    client_secret: str = field(repr=False)
    token_lifetime: int = field(validator=_at_least_one)
    token_lag: float = field(validator=ge(0))
    newest_token_only: bool
    rate_limit: ServerLimit | None
    latency: tuple[float, float] = field(converter=_range, validator=_range_of_seconds)
    faults: tuple[Fault, ...] = field(converter=_tuple)
    backup_duration: float = field(validator=gt(0))
    idle_response: IdleResponse = field(validator=in_(get_args(IdleResponse)))
    active_conflict: ActiveConflict = field(validator=in_(get_args(ActiveConflict)))
    envelope: str | None
    per_page: int = field(validator=_at_least_one)
    max_per_page: int = field(validator=_at_least_one)
    forbidden: frozenset[int] = field(converter=_frozenset)
    link_base: str | None = field(converter=_without_slash)
    date_header: bool
    date_offset: float = field(validator=_finite)
    list_lag: float = field(validator=ge(0))
    local_time: float | None = field(validator=optional(and_(ge(-12), le(14))))
    settling: float | None = field(validator=optional(ge(0)))
    port: int = field(validator=and_(instance_of(int), ge(0), lt(65536)))
    clock: Clock
