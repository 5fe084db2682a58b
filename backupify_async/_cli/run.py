"""Runs a command line, and turns every way in which it can end into an exit code."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from cyclopts import CycloptsError

from backupify_async._cli.app import app
from backupify_async._cli.console import PipeConsole, discard_stdout
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._escaping import printable

_GROUPS = (["journal"],)


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code."""
    logging.getLogger("backupify_async").addHandler(logging.NullHandler())  # commands report what matters
    try:
        return _run(arguments)
    except BrokenPipeError:
        discard_stdout()
        return ExitCode.CLOSED_PIPE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as error:  # not a bug: a full disk, for example
        discard_stdout()
        problem = error.strerror or type(error).__name__
        _print_error(problem if error.filename is None else f"{error.filename}: {problem}")
        return ExitCode.SOME_FAILED
    except Exception as error:  # noqa: BLE001 - its text, and its traceback, could hold a secret
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}, line {last.lineno}"
        _print_error(f"internal error: unexpected {type(error).__name__} in {place}")
        return ExitCode.INTERNAL_ERROR


def _run(arguments: Sequence[str]) -> int:
    try:
        result = app(
            _with_help_flag(arguments),
            console=PipeConsole(),
            result_action="return_value",
            exit_on_error=False,
            print_error=False,
        )
        if sys.stdout is not None:
            sys.stdout.flush()
    except CycloptsError as error:
        _print_error(str(error))
        _print_error(f"see {' '.join(['backupify', *(error.command_chain or ()), '--help'])}")
        return ExitCode.USAGE
    except Exit as end:
        if end.message:
            _print_error(end.message)
        return end.code
    if not arguments or list(arguments) in _GROUPS:
        return ExitCode.USAGE  # without a command the help is shown, but a script that does so is wrong
    return ExitCode.SUCCESS if result is None else int(result)


def _with_help_flag(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `--help` for the word `help` in the place of a command."""
    for group in ([], *_GROUPS):
        words = [*group, "help"]
        if list(arguments[: len(words)]) == words:
            return [*group, *arguments[len(words) :], "--help"]
    return list(arguments)


def _print_error(message: str) -> None:
    with contextlib.suppress(OSError):  # stderr has no reader
        print(f"backupify: {printable(message)}", file=sys.stderr, flush=True)
