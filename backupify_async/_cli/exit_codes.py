"""Exit codes, and the exceptions that end a command with one."""

from enum import IntEnum

from backupify_async._cli.error_messages import reason
from backupify_async.errors import AuthenticationError, BackupifyError, ConfigurationError


class ExitCode(IntEnum):
    """The exit codes of a command, the most severe first."""

    INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h: a bug in this program
    INTERRUPTED = 130  # 128 + SIGINT, as a shell reports it
    TERMINATED = 143  # 128 + SIGTERM
    HUNG_UP = 129  # 128 + SIGHUP: its terminal was closed
    CLOSED_PIPE = 141  # 128 + SIGPIPE, as a shell reports `yes | head -1`
    AUTHENTICATION = 3
    USAGE = 2
    SOME_FAILED = 1
    SUCCESS = 0


_SEVERITY = tuple(ExitCode)


class Exit(Exception):
    """Ends a command.

    Args:
        code: Its exit code.
        message: One line for stderr; none if empty.
    """

    def __init__(self, code: ExitCode, message: str = "") -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class NoInstances(Exit):
    """Ends a command that was given no instance at all, and did nothing."""


class TokenUnavailable(Exit):
    """Ends a command before its first API call: for now, no token could be obtained.

    Args:
        error: The reason.
    """

    def __init__(self, error: BackupifyError) -> None:
        super().__init__(exit_code_of(error), f"no token: {reason(error)}")
        self.error = error


def most_severe(*codes: ExitCode) -> ExitCode:
    """The code to exit with where several apply."""
    return min(codes, key=_SEVERITY.index)


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for an error of the library."""
    match error:
        case AuthenticationError():
            return ExitCode.AUTHENTICATION
        case ConfigurationError():
            return ExitCode.USAGE
        case _:
            return ExitCode.SOME_FAILED
