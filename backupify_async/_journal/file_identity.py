"""Where the files of an open journal are: whether its names still lead to what is written."""

from pathlib import Path

import attrs

from backupify_async.errors import JournalError

_Identity = tuple[int, int]
_BESIDE = ("-wal", "-shm")  # SQLite makes them at the first write, and keeps them until the last one closes


def identity(path: Path) -> _Identity | None:
    """Which file a name leads to, by device and inode; None where it leads to none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def is_open_here(path: Path) -> bool:
    """Whether this process has it open as a journal, and must not open and close it by itself."""
    found = identity(path)
    return found is not None and any(opened.files[0][1] == found for opened in tuple(_OPEN))


@attrs.frozen(eq=False)
class OpenFiles:
    """The files of a journal that is open to be written.

    Attributes:
        files: What each name led to when it was opened.
    """

    files: tuple[tuple[Path, _Identity | None], ...]

    @classmethod
    def of(cls, path: Path, before: _Identity | None) -> "OpenFiles":
        """The place of a journal that was just opened and written to.

        Args:
            path: Its name.
            before: What that led to before it was opened; None where there was nothing.

        Raises:
            JournalError: It was replaced meanwhile.
        """
        real = path.resolve()
        names = [path, *(Path(f"{real}{kind}") for kind in _BESIDE)]
        files = tuple((name, identity(name)) for name in names)
        if None in (found for _, found in files) or before not in (None, files[0][1]):
            raise JournalError(f"{path} was moved, removed or replaced while it was opened: try again")
        return cls(files)

    def are_in_place(self) -> bool:
        """Whether each name leads to what it led to."""
        return all(identity(name) == known for name, known in self.files)

    def register(self) -> None:
        """Note that this process has it open."""
        _OPEN.add(self)

    def unregister(self) -> None:
        """Note that it has not any more."""
        _OPEN.discard(self)


# Closing any descriptor of a file drops all locks that its process has on it, SQLite's too (POSIX.1, fcntl;
# sqlite.org/howtocorrupt.html section 2.2): another process would then take the log for one left behind.
_OPEN: set[OpenFiles] = set()
