"""The lock of a journal: one process sweeps with it at a time. Needs the extra."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from backupify_async._journal.error_messages import OTHERS_DIRECTORY, remedy_for
from backupify_async.errors import JournalError


def lock_of(path: Path) -> Path:
    """The lock's file: beside the journal's own name, so that a link to it leads to the same lock."""
    return Path(f"{path.resolve()}.lock")


def take_lock(path: Path) -> FileLock:
    """Lock a journal against other processes.

    Raises:
        JournalError: Another process has it, or it cannot be locked.
    """
    lock = FileLock(lock_of(path), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise JournalError(
            f"{path} is in use: another process sweeps with it; wait for its end, or look at it "
            "with `backupify journal show`"
        ) from None
    except OSError as error:
        raise JournalError(f"{path} cannot be locked ({error.strerror}): {_advice(error, path)}") from None
    return lock


def _advice(error: OSError, path: Path) -> str:
    lock = lock_of(path)
    if not os.path.lexists(lock):
        return remedy_for(error, OTHERS_DIRECTORY)
    if lock.is_symlink() or not lock.is_file():
        return f"{lock} is in the place of its lock and no plain file: remove it"
    return remedy_for(error, f"its lock {lock} is another user's: this user must be allowed to write it")
