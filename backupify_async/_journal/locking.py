"""The lock of a journal: one process at a time sweeps with it. Needs the extra `journal`."""

import os
from pathlib import Path

from filelock import FileLock, Timeout

from backupify_async._journal.error_messages import remedy_for
from backupify_async.errors import JournalError


def lock_of(path: Path) -> Path:
    """The lock file. It is beside the real file, so that a link to the journal leads to the same lock."""
    return Path(f"{path.resolve()}.lock")


def take_lock(path: Path) -> FileLock:
    """Lock a journal against other processes.

    Raises:
        JournalError: Another process has the lock, or the file cannot be locked.
    """
    lock = FileLock(lock_of(path), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise JournalError(
            f"{path} is in use: another process is sweeping with it; wait until it ends, or inspect it "
            "with `backupify journal show`"
        ) from None
    except OSError as error:
        raise JournalError(f"{path} cannot be locked ({error.strerror}): {_remedy(error, path)}") from None
    return lock


def _remedy(error: OSError, path: Path) -> str:
    lock = lock_of(path)
    if not os.path.lexists(lock):
        return remedy_for(error, "this user needs permission to write its directory")
    if lock.is_symlink() or not lock.is_file():
        return f"{lock} is where its lock belongs, and not a regular file: remove it"
    return remedy_for(error, f"its lock {lock} is another user's: this user needs permission to write it")
