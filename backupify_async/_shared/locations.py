"""From what a user names to a store: a directory, or the URL of a Redis server."""

import hashlib
import os
import re
import socket
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import attrs

from backupify_async._shared.file_store import FileStore
from backupify_async._shared.machine import boot_id
from backupify_async._shared.store import StateStore
from backupify_async.errors import ConfigurationError

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST = re.compile(r"[^/\\]{2,}:")  # a drive of Windows has one letter
_REDIS = ("redis", "rediss", "unix")


@attrs.frozen
class Location:
    """A location that was read.

    Attributes:
        text: The directory, or the URL.
        is_url: Whether it is the URL of a Redis server.
        shown: What can be shown of it: a URL without its user, password and options.
        has_password: Whether it contains a password.
    """

    text: str = attrs.field(repr=False)
    is_url: bool
    shown: str
    has_password: bool


def read_location(location: object) -> Location:
    """Read a location: the path of a directory, or a URL.

    Raises:
        ConfigurationError: It is neither. The message shows nothing of a URL but its scheme.
    """
    text = os.fsdecode(location) if isinstance(location, str | os.PathLike) else None
    if text is None or "\0" in text:
        raise ConfigurationError("this is neither the path of a directory nor the URL of a Redis server")
    if not text.strip():
        raise ConfigurationError(
            "the location is empty: name a directory, such as /run/backupify, or the URL of a Redis server"
        )
    if isinstance(location, str) and _SCHEME.match(text):
        return _read_url(text)
    if _HOST.match(text):  # a URL in quotes too, whose password would be the name of a directory
        raise ConfigurationError(
            "this is neither a URL nor clearly a directory: write redis://HOST:PORT for a Redis server, and "
            "./NAME or an absolute path for a directory with a colon in its name"
        )
    return Location(text, is_url=False, shown=text, has_password=False)


def _read_url(text: str) -> Location:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    place = url.path if url.scheme == "unix" else url.hostname
    split_password = "@" in f"{url.path}?{url.query}#{url.fragment}"  # at a character that ends the host
    if url.scheme not in _REDIS or not place or split_password:
        raise ConfigurationError(
            "this is not the URL of a Redis server: redis://HOST:PORT/DATABASE, rediss://USER:PASSWORD@HOST "
            "or unix:///PATH, with all but letters and digits in the password written as %XX"
        )
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    shown = f"{url.scheme}://{host}{'' if port is None else f':{port}'}{url.path}"
    options = parse_qs(url.query, keep_blank_values=True)
    has_password = url.password is not None or any("pass" in name.lower() for name in options)
    return Location(text, is_url=True, shown=shown, has_password=has_password)


def make_store(location: str | os.PathLike[str], key: str, token: str = "token") -> StateStore:  # noqa: S107
    """The store at a location; it is not opened yet.

    Args:
        location: A directory; or `redis://...`, `rediss://...` or `unix://...`, which need the extra `redis`.
        key: What is shared there, from `store_key`.
        token: The name of the token, from `token_name`.

    Raises:
        ConfigurationError: The location cannot work, or the extra is not installed.
    """
    read = read_location(location)
    if not read.is_url:
        try:
            return FileStore(Path(read.text), key, token=token)
        except (OSError, RuntimeError):  # without a working directory, or a home
            problem = f"{read.text} leads to no directory at present: use an absolute path"
        raise ConfigurationError(problem)
    try:
        from backupify_async._shared.redis_store import RedisStore  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as missing:
        problem = (
            f"sharing by a Redis server needs {missing.name}, which is not installed: pip install '.[redis]' "
            "in the checkout of backupify-async"
        )
    else:
        return RedisStore(read.text, key, token=token)
    raise ConfigurationError(problem)


def store_key(origin: str, account: str, scope: Literal["account", "address"]) -> str:
    """The name under which a limit and a token are shared: the same for all who share them.

    Args:
        origin: The API.
        account: Whose limit it is: the client id, or what the user calls the account.
        scope: "address" where the server limits each address by itself, so that machines do not share.
    """
    return _digest("backupify_async", origin, account, scope, _machine() if scope == "address" else "")


def token_name(client_id: str) -> str:
    """The name of a token beside a limit, which several client ids can share."""
    return f"token-{_digest(client_id)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()[:24]


def _machine() -> str:
    """An id of this machine, which its containers share.

    A boot id is not copied with an image, as a machine id can be. After a boot, the limit is learned anew.
    """
    try:
        return boot_id()
    except ConfigurationError:
        return socket.gethostname()
