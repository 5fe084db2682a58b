"""The directory of a file store: whom its files belong to, and whether it is safe to share.

the directory is                    its files are
not there                           0600; it is created with 0700
writable by its owner alone         0600; root gives them to the owner of the directory
writable by its group               0660, with the group of the directory
writable by all                     refused: any user could read and change what is shared
"""

import errno
import os
import stat
from pathlib import Path

import attrs

from backupify_async.errors import ConfigurationError


@attrs.frozen
class FileAccess:
    """Who can use the files of a directory.

    Attributes:
        mode: Their permissions.
        user: The user to give them to; -1 for this process's.
        group: The group to give them to.
    """

    mode: int
    user: int
    group: int

    @property
    def private(self) -> bool:
        """Whether the directory is writable by its owner alone."""
        return self.mode == 0o600

    def grant(self, path: Path) -> None:
        """Give a file, directory or socket that this process has created to those who share it.

        Raises:
            OSError: It cannot be done.
        """
        found = path.lstat()
        if self.user >= 0 or (not self.private and found.st_gid != self.group):
            os.chown(path, self.user, self.group, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            path.chmod(0o700 if self.private else 0o770)
        else:
            path.chmod(self.mode)

    def grant_open(self, fd: int) -> None:
        """The same for an open file that this process has created with `mode`."""
        if self.user >= 0 or not self.private:  # else it is as it should be, which is frequent
            os.fchown(fd, self.user, self.group)
            os.fchmod(fd, self.mode)


def prepare_directory(path: Path, *, create: bool = True) -> FileAccess:
    """Check the directory, after creating it if it is missing.

    Args:
        path: The directory.
        create: Whether to create it.

    Raises:
        ConfigurationError: It cannot be used; the message says what to do.
        OSError: It cannot be reached or created at present.
    """
    try:
        if create:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.stat()
    except (FileExistsError, NotADirectoryError):
        raise ConfigurationError(
            f"{path} is not a directory: name one, or a path where one can be created"
        ) from None
    except PermissionError as error:
        raise ConfigurationError(
            f"{path} cannot be used ({error.strerror}): create it for this user (mode 0700), or for a group "
            "of which this user is a member (mode 0770)"
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigurationError(f"{path} is not a directory: name one, or a path where one can be created")
    if found.st_mode & stat.S_IWOTH:
        raise ConfigurationError(
            f"every user can write to {path}: name a directory in it that does not exist yet, "
            f"or close it to other users (chmod o-rwx {path})"
        )
    _require_access(path)
    root = os.geteuid() == 0
    user = found.st_uid if root and found.st_uid != 0 else -1
    return FileAccess(0o660 if found.st_mode & stat.S_IWGRP else 0o600, user, found.st_gid)


def make_inner_directory(path: Path, access: FileAccess) -> None:
    """Create a directory in the shared one, unless it is there.

    Raises:
        OSError: It cannot be created, or something else has its name.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, f"{path.name} is not a directory: remove it") from None
        return
    access.grant(path)


def _require_access(path: Path) -> None:
    by_effective_id = os.access in os.supports_effective_ids
    if not os.access(path, os.R_OK | os.X_OK, effective_ids=by_effective_id) or (
        not os.access(path, os.W_OK, effective_ids=by_effective_id) and not _read_only(path)
    ):
        raise ConfigurationError(
            f"this user cannot write to {path}: choose another directory, or make this user a member of its "
            "group and the directory writable by the group (mode 0770)"
        )


def _read_only(path: Path) -> bool:
    """Whether its file system is mounted read-only at present: a fault that can pass."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
