"""Which files an open journal has, and whether their names still lead to them."""

from pathlib import Path

import attrs

from backupify_async.errors import JournalError

_Identity = tuple[int, int]
# SQLite creates them with the first write, and keeps them until the last connection is closed.
_BESIDE = ("-wal", "-shm")


def identity(path: Path) -> _Identity | None:
    """The device and the inode of the file that a name leads to; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_open_here(path: Path) -> bool:
    """Whether this process has the file open as a journal, so that it must not open and close it again."""
    found = identity(path)
    return found is not None and any(opened.files[0][1] == found for opened in tuple(_OPEN))


@attrs.frozen(eq=False)
class OpenFiles:
    """The files of a journal that is open for writing.

    Attributes:
        files: Each name, and the file that it led to when it was opened.
    """

    files: tuple[tuple[Path, _Identity | None], ...]

    @classmethod
    def of(cls, path: Path, before: _Identity | None) -> "OpenFiles":
        """The files of a journal that was just opened and written to.

        Args:
            path: The name of the journal.
            before: The identity of the file before it was opened; None where there was none.

        Raises:
            JournalError: The file was replaced meanwhile.
        """
        real = path.resolve()
        names = [path, *(Path(f"{real}{kind}") for kind in _BESIDE)]
        files = tuple((name, identity(name)) for name in names)
        if None in (found for _, found in files) or before not in (None, files[0][1]):
            raise JournalError(f"{path} was moved, removed or replaced while it was opened: try again")
        return cls(files)

    def are_in_place(self) -> bool:
        """Whether each name still leads to the same file."""
        return all(identity(name) == known for name, known in self.files)

    def register(self) -> None:
        """Record that this process has them open."""
        _OPEN.add(self)

    def unregister(self) -> None:
        """Record that this process has closed them."""
        _OPEN.discard(self)


# Closing any descriptor of a file drops all locks of the process on it, those of SQLite too (POSIX.1, fcntl;
# sqlite.org/howtocorrupt.html section 2.2). Another process would then take the log for an abandoned one.
_OPEN: set[OpenFiles] = set()
