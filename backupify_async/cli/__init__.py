"""The command line `backupify`. It needs the extra `cli`; without it, it says so.

Nothing here imports cyclopts or rich before `main` is called, so that the package can be imported whole
without them.
"""

import sys
from collections.abc import Sequence

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
    try:
        from backupify_async.cli.run import run  # noqa: PLC0415 - needs the extra, which may be missing
    except ModuleNotFoundError as missing:
        needed = (missing.name or "").partition(".")[0]
        if needed == _OURS:
            raise
        print(
            f"backupify: the command line needs {needed}, which is not installed: "
            "pip install '.[cli]' in the checkout of backupify-async",
            file=sys.stderr,
        )
        return 2
    return run(sys.argv[1:] if arguments is None else arguments)
