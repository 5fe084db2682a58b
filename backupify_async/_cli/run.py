"""Runs a command line, and turns every end that it can have into an exit code."""

import contextlib
import logging
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from cyclopts import CycloptsError

from backupify_async._cli.app import app
from backupify_async._cli.console import PipeConsole, forget_stdout
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._escaping import printable

_GROUPS = (["journal"],)


def run(arguments: Sequence[str]) -> int:
    """Run a command line; returns its exit code."""
    logging.getLogger("backupify_async").addHandler(logging.NullHandler())  # what matters, a command says
    try:
        return _run(arguments)
    except BrokenPipeError:
        forget_stdout()
        return ExitCode.CLOSED_PIPE
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except OSError as error:  # what the operating system refuses is no fault of ours: a full disk, say
        forget_stdout()
        what = error.strerror or type(error).__name__
        _complain(what if error.filename is None else f"{error.filename}: {what}")
        return ExitCode.SOME_FAILED
    except Exception as error:  # noqa: BLE001 - its text, and its traceback, could hold a secret
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        _complain(f"unexpected {type(error).__name__} in {where}: a fault in backupify itself")
        return ExitCode.OWN_FAULT


def _run(arguments: Sequence[str]) -> int:
    try:
        result = app(
            _understood(arguments),
            console=PipeConsole(),
            result_action="return_value",
            exit_on_error=False,
            print_error=False,
        )
        if sys.stdout is not None:
            sys.stdout.flush()
    except CycloptsError as error:
        _complain(str(error))
        _complain(f"see {' '.join(['backupify', *(error.command_chain or ()), '--help'])}")
        return ExitCode.USAGE
    except Exit as end:
        if end.message:
            _complain(end.message)
        return end.code
    if not arguments or list(arguments) in _GROUPS:
        return ExitCode.USAGE  # the help was shown, but a script that named no command is mistaken
    return ExitCode.ALL_WELL if result is None else int(result)


def _understood(arguments: Sequence[str]) -> list[str]:
    """The arguments, with `help` as the word for `--help` where a command could stand."""
    for group in ([], *_GROUPS):
        words = [*group, "help"]
        if list(arguments[: len(words)]) == words:
            return [*group, *arguments[len(words) :], "--help"]
    return list(arguments)


def _complain(message: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads stderr: the exit code remains
        print(f"backupify: {printable(message)}", file=sys.stderr, flush=True)
