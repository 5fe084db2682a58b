"""The command line `backupify`. It needs the extra `cli`; without it, it says so.

Nothing here imports cyclopts or rich before `main` is called, so that the package can be imported whole
without them.
"""

import os
import sys
from collections.abc import Callable, Sequence

try:
    import signal  # which takes some milliseconds, and Ctrl-C is not ours before it is there
except KeyboardInterrupt:
    raise SystemExit(130) from None

_OURS = __name__.partition(".")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What stands behind the program's name; None takes it from the process.

    Returns:
        The exit code: 0 all well, 1 some failed, 2 usage or configuration, 3 authentication, 70 a fault in
        this program, 128 + n where signal n ended it (129 SIGHUP, 130 Ctrl-C, 141 a closed pipe, 143
        SIGTERM).
    """
    run = _load()
    return run if isinstance(run, int) else run(sys.argv[1:] if arguments is None else arguments)


def _load() -> Callable[[Sequence[str]], int] | int:
    """What runs a command line; or, where that cannot be loaded, the exit code once the reason was said."""
    before = _leave_at_ctrl_c()
    try:
        from backupify_async._cli.run import run  # noqa: PLC0415 - needs the extra, which may be missing
    except ModuleNotFoundError as missing:
        needed = (missing.name or "").partition(".")[0]
        if needed == _OURS:
            raise
        return _refuse(
            f"the command line needs {needed}, which is not installed: "
            "pip install '.[cli]' in the checkout of backupify-async"
        )
    except OSError as error:  # aiohttp reads certificates, and opens SSLKEYLOGFILE, when it is imported
        where = "" if error.filename is None else f" {error.filename}"
        named = error.filename is not None and error.filename == os.environ.get("SSLKEYLOGFILE")
        hint = ": SSLKEYLOGFILE names it; unset that, or let it be written" if named else ""
        return _refuse(f"cannot be loaded: {error.strerror}{where}{hint}")
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    return run


def _leave_at_ctrl_c() -> Callable[..., object] | int | None:
    """Let Ctrl-C end the process at once while it loads, when nothing is begun; what it did until now.

    None where that is not ours to change: it is ignored, or this is no main thread.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return None
    try:
        return signal.signal(signal.SIGINT, lambda number, _frame: os._exit(128 + number))
    except ValueError:
        return None


def _refuse(reason: str) -> int:
    print(f"backupify: {ascii(reason)[1:-1] if not reason.isprintable() else reason}", file=sys.stderr)
    return 2
