"""Credentials for the API: client credentials, a token, or your own source of tokens.

None of them shows a secret in its `repr`, and none can be pickled or copied.
"""

import math
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable

import attrs

from backupify_async.errors import ConfigurationError, MissingCredentials

__all__ = ["ClientCredentials", "StaticToken", "Token", "TokenSource"]

ASSUMED_LIFE = 60.0
"""Seconds that a token without `expires_in` lives. RFC 6749 §5.1 recommends it, but does not require it."""


class Unpicklable:
    """A base of values that hold a secret."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a secret and refuses to be pickled or copied")


def _usable_token(_instance: object, _attribute: object, value: str) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError("token: must be a non-empty string")
    if any(_is_unseen(character) for character in value):
        raise ConfigurationError("token: contains white space, control or invisible characters")


def _is_unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs")


def read_life(expires_in: object) -> float:
    """Seconds that a token lives: `expires_in`, or a minute where that is not a number above 0."""
    try:
        seconds = float(expires_in)  # type: ignore[arg-type] # anything but a number is a TypeError
    except (TypeError, ValueError, OverflowError):
        return ASSUMED_LIFE
    usable = math.isfinite(seconds) and seconds > 0 and not isinstance(expires_in, bool)
    return seconds if usable else ASSUMED_LIFE


@attrs.frozen
class Token(Unpicklable):
    """A bearer token.

    Attributes:
        value: The token, as sent in `Authorization: Bearer`.
        expires_in: Seconds from now for which the server accepts it; None where its end is not known. A
            minute is assumed where it is not a number above 0.
    """

    value: str = attrs.field(repr=False, validator=_usable_token)
    expires_in: float | None = attrs.field(default=None, converter=attrs.converters.optional(read_life))


@runtime_checkable
class TokenSource(Protocol):
    """Your own source of tokens, such as a vault.

    The client asks it when there is no token, ahead of expiry, and after the server rejected a token, then at
    most every 5 s. It is cancelled after `Timeouts.attempt`. After a failure the client asks again 1 s later,
    then after 2, 4, 8, 16 and 30 s.
    """

    async def token(self) -> Token:
        """Return a token to use from now on."""
        ...


@attrs.frozen
class StaticToken(Unpicklable):
    """A token that you already have. It is not refreshed.

    Args:
        value: The token.

    Raises:
        ConfigurationError: The token is empty, or contains white space, control or invisible characters.
    """

    value: str = attrs.field(repr=False, validator=_usable_token)

    async def token(self) -> Token:
        """The same token each time."""
        return Token(self.value)


_LINE_ENDS_AND_BOM = "\r\n\ufeff"
_VSCHARS = re.compile("[\x20-\x7e]*")  # RFC 6749 A.1, A.2: the characters of a client id and a client secret


def without_line_end(text: str) -> str:
    """A text from a file or a variable, without the line ends and the BOM that editors add."""
    return text.strip(_LINE_ENDS_AND_BOM)


def visible_text(text: str, name: str) -> str:
    """Check a client id or secret, and remove line ends and a BOM around it.

    Args:
        text: The client id or secret.
        name: Its name in an error message.

    Raises:
        ConfigurationError: It is empty, or contains a character outside %x20-7E (RFC 6749 A.1, A.2). The
            message shows nothing of it.
    """
    text = without_line_end(text)
    if not text.strip():
        raise ConfigurationError(f"{name}: is empty")
    if _VSCHARS.fullmatch(text) is None:
        raise ConfigurationError(
            f"{name}: contains a character outside of %x20-7E, such as a tab, a NUL or an accented letter, "
            "which OAuth does not allow (RFC 6749 A.1, A.2)"
        )
    return text


def _client_id(value: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError("client id: must be a string")
    return visible_text(value, "client id")


def _client_secret(value: str | os.PathLike[str]) -> str | os.PathLike[str]:
    if isinstance(value, str):
        return visible_text(value, "client secret")
    if isinstance(value, os.PathLike):
        return value
    raise ConfigurationError("client secret: must be a string, or the path of a file that contains it")


@attrs.frozen
class ClientCredentials(Unpicklable):
    """OAuth client credentials, exchanged for tokens at `/oauth/token` (RFC 6749 §4.4).

    Args:
        id: The client id.
        secret: The client secret; or the path of a file that contains it, read again for each token.

    Line ends and a BOM around them are removed.

    Raises:
        ConfigurationError: One of them is empty, or contains a character outside %x20-7E (RFC 6749 A.1, A.2).
    """

    id: str = attrs.field(converter=_client_id)
    secret: str | os.PathLike[str] = attrs.field(repr=False, converter=_client_secret)


_TOKEN = "BACKUPIFY_TOKEN"  # noqa: S105 - the variable's name, not a token
_ID = "BACKUPIFY_CLIENT_ID"
_SECRET = "BACKUPIFY_CLIENT_SECRET"  # noqa: S105 - the variable's name, not a secret
_SECRET_FILE = "BACKUPIFY_CLIENT_SECRET_FILE"  # noqa: S105 - the variable's name, not a secret


def read_credentials(environ: Mapping[str, str]) -> ClientCredentials | StaticToken:
    """Read the credentials from environment variables, without line ends and a BOM around them.

    Raises:
        MissingCredentials: No variable is set.
        ConfigurationError: Two kinds of credentials are set, or one is incomplete, empty or invalid. The
            message names the variable.
    """
    found = [name for name in (_TOKEN, _ID, _SECRET, _SECRET_FILE) if name in environ]
    if not found:
        raise MissingCredentials(f"no credentials: set {_ID} and {_SECRET} (or {_SECRET_FILE}), or {_TOKEN}")
    for name in found:
        if not without_line_end(environ[name]).strip():
            raise ConfigurationError(f"{name}: is set but empty")
    if _TOKEN in found:
        if len(found) > 1:
            raise ConfigurationError(f"two kinds of credentials: {_TOKEN} and {found[1]}; unset one of them")
        try:
            return StaticToken(without_line_end(environ[_TOKEN]))
        except ConfigurationError as error:
            raise ConfigurationError(f"{_TOKEN}: {error}") from None
    if _ID not in found:
        raise ConfigurationError(f"{_ID}: is missing beside {found[0]}")
    if len(found) == 1:
        raise ConfigurationError(f"{_SECRET}: is missing beside {_ID} (or set {_SECRET_FILE})")
    if _SECRET in found and _SECRET_FILE in found:
        raise ConfigurationError(f"two secrets: {_SECRET} and {_SECRET_FILE}; unset one of them")
    client_id = visible_text(environ[_ID], _ID)
    if _SECRET in found:
        return ClientCredentials(client_id, visible_text(environ[_SECRET], _SECRET))
    return ClientCredentials(client_id, Path(without_line_end(environ[_SECRET_FILE])))
