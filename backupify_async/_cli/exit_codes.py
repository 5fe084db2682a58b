"""Exit codes, and the exception that ends a command with one."""

from enum import IntEnum

import attrs

from backupify_async.errors import (
    AmbiguousTrigger,
    AuthenticationError,
    BackupifyError,
    ConfigurationError,
    RequestTimeout,
    WaitFailed,
)


class ExitCode(IntEnum):
    """What a command's end says to whoever called it."""

    ALL_WELL = 0
    SOME_FAILED = 1
    USAGE = 2
    AUTHENTICATION = 3
    OWN_FAULT = 70  # EX_SOFTWARE of sysexits.h: a fault in this program
    HUNG_UP = 129  # 128 + SIGHUP: its terminal went away
    INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
    CLOSED_PIPE = 141  # 128 + SIGPIPE: what a shell says of `yes | head -1`
    TERMINATED = 143  # 128 + SIGTERM


_GRAVEST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.HUNG_UP,
    ExitCode.CLOSED_PIPE,
    ExitCode.AUTHENTICATION,
    ExitCode.USAGE,
    ExitCode.SOME_FAILED,
    ExitCode.ALL_WELL,
)


class Exit(Exception):
    """Ends a command.

    Args:
        code: With this exit code.
        message: And this line on stderr; none where it is empty.
    """

    def __init__(self, code: ExitCode, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class NoIds(Exit):
    """Ends a command that names no instance at all, and did nothing."""


class Unreached(Exit):
    """Ends a command before anything was asked of the API, for there is no token to be had for now.

    Args:
        error: Why.
    """

    def __init__(self, error: BackupifyError) -> None:
        super().__init__(code_of(error), f"no token: {reason(error)}")
        self.error = error


def most_severe(*codes: ExitCode) -> ExitCode:
    """The code to exit with where several hold."""
    return min(codes, key=_GRAVEST_FIRST.index)


def code_of(error: BaseException) -> ExitCode:
    """The code that an error of the library asks for."""
    match error:
        case AuthenticationError():
            return ExitCode.AUTHENTICATION
        case ConfigurationError():
            return ExitCode.USAGE
        case _:
            return ExitCode.SOME_FAILED


def reason(error: BaseException) -> str:
    """Why an instance failed, without its id; of a foreign error only its type, its text may be secret."""
    if not isinstance(error, BackupifyError):
        return f"unexpected {type(error).__name__}"
    named = _with_option(error)
    return named.detail if isinstance(named, AmbiguousTrigger | WaitFailed) else str(named)


def ran_out_of_time(error: BaseException | None) -> bool:
    """Whether something failed because it took longer than --timeout allows."""
    if isinstance(error, AmbiguousTrigger):
        return ran_out_of_time(error.interrupted_by) or ran_out_of_time(error.cause)
    return isinstance(error, RequestTimeout) and error.limit == "total"


def _with_option(error: BackupifyError) -> BackupifyError:
    """The error, with `--timeout` in its message where the library names the setting `total`."""
    match error:
        case RequestTimeout(limit="total", seconds=seconds) if seconds is not None:
            return attrs.evolve(error, problem=f"the call took longer than --timeout {seconds:g} s")
        case AmbiguousTrigger(cause=cause, reason=why, interrupted_by=interrupted_by):
            if why and interrupted_by is not None:
                why = str(_with_option(interrupted_by))
            return attrs.evolve(error, cause=_with_option(cause), reason=why)
        case _:
            return error
