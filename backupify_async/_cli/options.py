"""The options that several commands share."""

import contextlib
import math
import re
from collections.abc import Sequence
from typing import Annotated

import attrs
from cyclopts import Group, Parameter, Token

from backupify_async._cli.ids import read_id
from backupify_async._cli.rows import Format
from backupify_async.config import RateLimit, SettingsOptions, Timeouts

WHICH = Group("Which instances", sort_key=1)
CONSENT = Group("Consent", sort_key=2)
WAITING = Group("Waiting", sort_key=3)
JOURNAL = Group("Journal", sort_key=3.5)
OUTPUT = Group("Output", sort_key=4)
PACE = Group("Pace", sort_key=5)

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_PLACES = 64  # the library's own default of requests in flight; more are asked for only by --concurrency


def above_zero(_type: object, tokens: Sequence[Token]) -> float:
    """Read a finite number above 0; a validator would name 0 as 0.0, which nobody typed.

    Raises:
        ValueError: It is none.
    """
    text = tokens[0].value
    with contextlib.suppress(ValueError):
        value = float(text)
        if math.isfinite(value) and value > 0:
            return value
    raise ValueError(f"it must be a number above 0, not {text}")


def from_one_up(_type: object, value: int | None) -> None:
    """Refuse a count below 1.

    Raises:
        ValueError: It is below 1.
    """
    if value is not None and value < 1:
        raise ValueError("It must be a whole number from 1 up.")


def from_zero_up(_type: object, value: int) -> None:
    """Refuse a count below 0.

    Raises:
        ValueError: It is below 0.
    """
    if value < 0:
        raise ValueError("It must be a whole number from 0 up.")


def port_number(_type: object, value: int) -> None:
    """Refuse a number that is no port.

    Raises:
        ValueError: It is none.
    """
    if not 0 <= value < 65_536:
        raise ValueError("It must be a port, from 0 to 65535.")


def possible_id(_type: object, value: str | None) -> None:
    """Refuse what can be no id.

    Raises:
        ValueError: It cannot be one.
    """
    if value is not None:
        read_id(value)


def file_name(_type: object, value: str | None) -> None:
    """Refuse a name that is empty, as that of a variable that is not set.

    Raises:
        ValueError: It is.
    """
    if value == "":
        raise ValueError("It must be the name of a file.")


def whole(_type: object, tokens: Sequence[Token]) -> int:
    """Read a whole number; cyclopts by itself cuts 1.5 down to 1, and tells of x in words of Python's.

    Raises:
        ValueError: It is none.
    """
    text = tokens[0].value
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"it must be a whole number, not {text}")
    return int(text)


Flag = Parameter(negative="", show_default=False)
WaitFlag = Annotated[
    bool, Flag, Parameter(group=WAITING, help="Wait until each backup is over: the row says how it ended.")
]
WaitSeconds = Annotated[
    float | None,
    Parameter(
        group=WAITING,
        converter=above_zero,
        metavar="SECONDS",
        help="For each backup, from its trigger on.  [default: as long as it takes]",
    ),
]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class CallOptions:
    """The options of every command that talks to the API."""

    output: Annotated[
        Format, Parameter(group=OUTPUT, alias="-o", help="A table for people, jsonl or csv for programs.")
    ] = "table"
    quiet: Annotated[
        bool, Flag, Parameter(group=OUTPUT, alias="-q", help="No progress and no summary on stderr.")
    ] = False
    rate: Annotated[
        float | None,
        Parameter(
            group=PACE,
            converter=above_zero,
            help="Calls a second at most.  [default: what the server allows]",
        ),
    ] = None
    timeout: Annotated[
        float | None,
        Parameter(
            group=PACE,
            converter=above_zero,
            help="Seconds for one call, over all its attempts and waits, that for its turn among the others "
            "too.  [default: no limit]",
        ),
    ] = None

    def settings(self, concurrency: int = 1) -> SettingsOptions:
        """What the client is told of them."""
        settings = SettingsOptions(
            timeouts=Timeouts(total=self.timeout), max_concurrency=max(_PLACES, concurrency)
        )
        if self.rate is not None:
            # A slow rate that began with a burst of ten would not be the rate that was asked for.
            settings["rate_limit"] = RateLimit(per_second=self.rate, burst=min(10, max(1, round(self.rate))))
        return settings


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class FleetOptions(CallOptions):
    """The options of every command that goes over many instances."""

    ordered: Annotated[
        bool,
        Flag,
        Parameter(group=OUTPUT, help="Rows in the order of the ids; a slow one holds up the rest."),
    ] = False
    verbose: Annotated[
        bool,
        Flag,
        Parameter(
            group=OUTPUT,
            alias="-v",
            help="Tell what the server's limit is taken to be, and from what, in progress and summary.",
        ),
    ] = False
    concurrency: Annotated[
        int, Parameter(group=PACE, converter=whole, validator=from_one_up, help="How many instances at once.")
    ] = 32


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SweepOptions(FleetOptions):
    """The options of every command that is told which instances."""

    ids_file: Annotated[
        str | None,
        Parameter(
            group=WHICH,
            allow_leading_hyphen=True,
            metavar="FILE",
            help="Read the ids from a file, one a line; from stdin, if FILE is -. "
            "Blank lines and # comments are skipped.",
        ),
    ] = None
    all: Annotated[bool, Flag, Parameter(group=WHICH, help="All instances that the credentials may see.")] = (
        False
    )


CALL_DEFAULTS = CallOptions()
FLEET_DEFAULTS = FleetOptions()
SWEEP_DEFAULTS = SweepOptions()
