"""The options that several commands share."""

import contextlib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import attrs
from cyclopts import Group, Parameter, Token
from cyclopts.validators import Number

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.id_syntax import parse_id
from backupify_async._cli.writers import Format
from backupify_async.config import RateLimit, SettingsOptions, Timeouts

INSTANCES = Group("Instances", sort_key=1)
CONFIRMATION = Group("Confirmation", sort_key=2)
WAITING = Group("Waiting", sort_key=3)
JOURNAL = Group("Journal", sort_key=3.5)
OUTPUT = Group("Output", sort_key=4)
PACE = Group("Rate and time", sort_key=5)

_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_MAX_CONCURRENCY = 64  # requests in flight, the library's default; --concurrency can raise it
_LOG_REQUESTS = 2  # times -v
_MAX_BURST = 10  # requests; with a low --rate a burst of ten would exceed what was asked for


def read_positive_number(_type: object, tokens: Sequence[Token]) -> float:
    """Read a finite number above 0. A validator would report 0 as 0.0.

    Raises:
        ValueError: It is not one.
    """
    text = tokens[0].value
    with contextlib.suppress(ValueError):
        value = float(text)
        if math.isfinite(value) and value > 0:
            return value
    raise ValueError(f"expected a number above 0, found {text}")


def read_whole_number(_type: object, tokens: Sequence[Token]) -> int:
    """Read a whole number. cyclopts would truncate 1.5 to 1.

    Raises:
        ValueError: It is not one.
    """
    text = tokens[0].value
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"expected a whole number, found {text}")
    return int(text)


def valid_id(_type: object, value: str | None) -> None:
    """Refuse what cannot be an id.

    Raises:
        ValueError: It cannot be one.
    """
    if value is not None:
        parse_id(value)


def file_name(_type: object, value: str | None) -> None:
    """Refuse an empty file name, as of an unset variable.

    Raises:
        ValueError: It is empty.
    """
    if value == "":
        raise ValueError("Must be a file name.")


def location(_type: object, value: str | None) -> None:
    """Refuse an empty location, as of an unset variable.

    Raises:
        ValueError: It is empty.
    """
    if value == "":
        raise ValueError("Must be a directory or a URL.")


def absolute_path(name: str) -> Path:
    """The absolute path of a file.

    Raises:
        Exit: The working directory was removed.
    """
    try:
        return Path(name).absolute()
    except OSError as error:
        raise Exit(
            ExitCode.USAGE,
            f"{name}: the working directory cannot be used ({error.strerror}): use an absolute path",
        ) from None


Flag = Parameter(negative="", show_default=False)
Count = Parameter(converter=read_whole_number, validator=Number(gte=1))
WaitSeconds = Parameter(group=WAITING, converter=read_positive_number, metavar="SECONDS")
VERBOSITY = Parameter(group=OUTPUT, alias="-v", count=True, negative="", show_default=False)
OneInstanceId = Annotated[str, Parameter(group=INSTANCES, validator=valid_id, help="The instance's id.")]
BackupId = Annotated[str, Parameter(group=INSTANCES, validator=valid_id, help="The backup's id.")]
FieldNames = Annotated[
    str | None,
    Parameter(
        group=OUTPUT,
        metavar="A,B,C",
        help="Write only these columns, in this order, in any format. extra.NAME is a field of the server "
        "that has no column, as JSON shows it in extra.",
    ),
]
InstanceIds = Annotated[
    str, Parameter(group=INSTANCES, help="Instance ids. After --, an id can begin with a hyphen.")
]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class RequestOptions:
    """The options of every command that calls the API, also of one without rows."""

    timeout: Annotated[
        float | None,
        Parameter(
            group=PACE,
            converter=read_positive_number,
            help="Maximum time for one call in seconds, including retries and waiting for the rate limit.  "
            "[default: no limit]",
        ),
    ] = None
    shared: Annotated[
        str | None,
        Parameter(
            group=PACE,
            validator=location,
            metavar="DIRECTORY|URL",
            help="Share the rate limit and the token with all processes that name the same directory, or the "
            "same Redis server (redis://HOST, rediss://HOST). A URL with a password is read from "
            "BACKUPIFY_SHARED only.  [default: BACKUPIFY_SHARED]",
        ),
    ] = None

    def settings(self) -> SettingsOptions:
        """The client's settings for these options."""
        return SettingsOptions(timeouts=Timeouts(total=self.timeout))


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class RowOptions(RequestOptions):
    """The options of every command with rows that calls the API.

    Attributes:
        quiet: No progress and no summary on stderr.
        rate: Maximum number of calls per second; of all processes together if they share.
            [default: the server's limit]
    """

    ordered = False
    concurrency = 1

    output: Annotated[
        Format,
        Parameter(
            group=OUTPUT,
            alias="-o",
            help="A table for people; for programs json (one array), jsonl (one object per line) or csv.",
        ),
    ] = "table"
    fields: FieldNames = None
    quiet: Annotated[bool, Flag, Parameter(group=OUTPUT, alias="-q")] = False
    verbose: Annotated[
        int,
        VERBOSITY,
        Parameter(
            help="Show the server's rate limit and how it was found, in progress and summary. -vv: also each "
            "request and response, on stderr."
        ),
    ] = 0
    rate: Annotated[float | None, Parameter(group=PACE, converter=read_positive_number)] = None

    @property
    def logs_requests(self) -> bool:
        """Whether to show each request and response."""
        return self.verbose >= _LOG_REQUESTS

    def settings(self) -> SettingsOptions:
        """The client's settings for these options."""
        settings = RequestOptions.settings(self)
        settings["max_concurrency"] = max(_MAX_CONCURRENCY, self.concurrency)
        if self.rate is not None:
            burst = min(_MAX_BURST, max(1, round(self.rate)))
            settings["rate_limit"] = RateLimit(per_second=self.rate, burst=burst)
        return settings


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class FleetOptions(RowOptions):
    """The options of every command that processes many instances.

    Attributes:
        ordered: Rows in the order of the ids. A slow instance delays those after it.
        concurrency: Number of instances processed at the same time.
    """

    ordered: Annotated[bool, Flag, Parameter(group=OUTPUT)] = False
    concurrency: Annotated[int, Count, Parameter(group=PACE)] = 32


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SweepOptions(FleetOptions):
    """The options of every command that takes instances.

    Attributes:
        all: All instances that the credentials can access.
    """

    ids_file: Annotated[
        str | None,
        Parameter(
            group=INSTANCES,
            allow_leading_hyphen=True,
            metavar="FILE",
            help="Read the ids from a file, one per line, or from stdin if FILE is -. "
            "Blank lines and # comments are ignored.",
        ),
    ] = None
    all: Annotated[bool, Flag, Parameter(group=INSTANCES)] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class WaitOptions:
    """The options of every command that can wait for the backups that it triggers.

    Attributes:
        wait: Wait until each backup has ended. Its row says how it ended.
        wait_timeout: Maximum time to wait for each backup, from its trigger.  [default: no limit]
    """

    wait: Annotated[bool, Flag, Parameter(group=WAITING)] = False
    wait_timeout: Annotated[float | None, WaitSeconds] = None

    def check(self) -> None:
        """Refuse a time-out without a wait.

        Raises:
            Exit: There is one.
        """
        if self.wait_timeout is not None and not self.wait:
            raise Exit(ExitCode.USAGE, "--wait-timeout needs --wait")


ROW_DEFAULTS = RowOptions()
FLEET_DEFAULTS = FleetOptions()
SWEEP_DEFAULTS = SweepOptions()
NO_WAIT = WaitOptions()
