"""The command line `backupify`. It needs the extra `cli`, and says so where that is missing.

cyclopts and rich are imported when `main` is called, so that the package can be imported without them.
"""

import os
import sys
from collections.abc import Callable, Sequence

try:
    import signal  # takes some milliseconds, in which Ctrl-C would print a traceback
except KeyboardInterrupt:
    raise SystemExit(130) from None

_PACKAGE = __name__.partition(".")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The arguments after the program's name; None for those of the process.

    Returns:
        The exit code: 0 success, 1 some failed, 2 usage or configuration, 3 authentication, 70 internal
        error, 128 + n where signal n ended it (129 SIGHUP, 130 Ctrl-C, 141 a closed pipe, 143 SIGTERM).
    """
    run = _load()
    return run if isinstance(run, int) else run(sys.argv[1:] if arguments is None else arguments)


def _load() -> Callable[[Sequence[str]], int] | int:
    """The function that runs a command line; or, if it cannot be imported, the exit code after a message."""
    before = _exit_on_ctrl_c()
    try:
        from backupify_async._cli.run import run  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package == _PACKAGE:
            raise
        return _fail(
            f"the command line needs {package}, which is not installed: "
            "run pip install '.[cli]' in the checkout of backupify-async"
        )
    except OSError as error:  # aiohttp loads certificates and opens SSLKEYLOGFILE when it is imported
        file = "" if error.filename is None else f" {error.filename}"
        named = error.filename is not None and error.filename == os.environ.get("SSLKEYLOGFILE")
        hint = ": SSLKEYLOGFILE names it; unset that, or make it writable" if named else ""
        return _fail(f"cannot be loaded: {error.strerror}{file}{hint}")
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    return run


def _exit_on_ctrl_c() -> Callable[..., object] | int | None:
    """Let Ctrl-C exit at once and without a traceback during the import; returns the handler until now.

    None where Ctrl-C is ignored or handled by another program, or this is not the main thread.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return None
    try:
        return signal.signal(signal.SIGINT, lambda number, _frame: os._exit(128 + number))
    except ValueError:
        return None


def _fail(reason: str) -> int:
    print(f"backupify: {ascii(reason)[1:-1] if not reason.isprintable() else reason}", file=sys.stderr)
    return 2
