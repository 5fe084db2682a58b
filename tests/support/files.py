"""Disks and users that make a journal fail."""

import contextlib
import importlib
import os
import resource
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from backupify_async._journal.entries import SweepAccount

ACCOUNT = SweepAccount("https://api.example.com", "ops")
_NOBODY = 65_534
_THREAD_POOL = "concurrent.futures.thread"


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Simulate a full disk: no file of this process grows beyond a number of bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def read_only_directory() -> Iterator[Path]:
    """A directory that only root can write to. Create its files before `as_common_user`."""
    directory = Path(tempfile.mkdtemp())
    try:
        yield directory
    finally:
        directory.chmod(0o755)
        shutil.rmtree(directory)


@contextlib.contextmanager
def as_common_user() -> Iterator[None]:
    """Run without the rights of root, who can write to a read-only directory.

    The modules of a journal are imported before: they can be installed for root only.
    """
    for name in ("backupify_async._journal.sqlite_store", _THREAD_POOL):
        importlib.import_module(name)
    root = os.geteuid() == 0
    if root:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def write(path: Path, text: str = "") -> None:
    """Create a file with some text."""
    path.write_text(text)


def link(path: Path, target: Path) -> None:
    """Create a symbolic link."""
    path.symlink_to(target)


def move(path: Path, name: str) -> None:
    """Rename a file."""
    path.rename(name)


def content(path: Path) -> bytes | None:
    """The content of a file; None where there is no file."""
    return path.read_bytes() if path.exists() else None


def run_sql(path: Path, statement: str) -> None:
    """Run a statement on the database of a journal, without the journal."""
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
