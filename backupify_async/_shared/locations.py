"""From what a user names to a store: a directory, or the URL of a Redis server."""

import hashlib
import os
import re
import socket
from pathlib import Path
from typing import Literal

from backupify_async._shared.file_store import FileStore
from backupify_async._shared.store import StateStore
from backupify_async.errors import ConfigurationError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_MACHINE_ID = Path("/etc/machine-id")


def make_store(location: str | os.PathLike[str], key: str) -> StateStore:
    """The store at a location; it is not opened yet.

    Args:
        location: A directory; or `redis://...`, `rediss://...` or `unix://...`, which need the extra `redis`.
        key: What is shared there, from `store_key`.

    Raises:
        ConfigurationError: The location cannot work, or the extra is not installed.
    """
    if not isinstance(location, str) or _SCHEME.match(location) is None:
        if not os.fspath(location):
            raise ConfigurationError("the directory to share by is empty: name one, such as /run/backupify")
        return FileStore(Path(location), key)
    try:
        from backupify_async._shared.redis_store import RedisStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        problem = (
            f"sharing by a Redis server needs {missing.name}, which is not installed: pip install '.[redis]' "
            "in the checkout of backupify-async"
        )
    else:
        return RedisStore(location, key)
    raise ConfigurationError(problem)


def store_key(origin: str, account: str, scope: Literal["account", "address"]) -> str:
    """The name under which a limit and a token are shared: the same for all who share them.

    Args:
        origin: The API.
        account: Whose limit it is: the client id, or what the user calls the account.
        scope: "address" where the server limits each address by itself, so that machines do not share.
    """
    parts = ("backupify_async", origin, account, scope, _machine() if scope == "address" else "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _machine() -> str:
    """An id of this machine, which outlives a boot."""
    try:
        return _MACHINE_ID.read_text("utf-8").strip() or socket.gethostname()
    except (OSError, ValueError):
        return socket.gethostname()
