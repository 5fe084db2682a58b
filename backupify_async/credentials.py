"""Who we are to the API: client credentials, a token, or an object of the caller's that gives tokens.

Nothing here shows a secret in its `repr`, and nothing here can be pickled or copied.
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

ASSUMED_LIFE = 60.0
"""Seconds: what `expires_in` does not say. RFC 6749 §5.1 recommends it, and does not require it."""


class _Unpicklable:
    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a secret and refuses to be pickled or copied")


def _usable_token(_instance: object, _attribute: object, value: str) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigurationError("token: must be a non-empty string")
    if any(_is_unseen(character) for character in value):
        raise ConfigurationError("token: holds white space, control or invisible characters")


def _is_unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs")


def read_life(expires_in: object) -> float:
    """Seconds that a token lives; a minute where `expires_in` is no number above 0."""
    try:
        seconds = float(expires_in)  # type: ignore[arg-type] # whatever is no number is a TypeError
    except (TypeError, ValueError, OverflowError):
        return ASSUMED_LIFE
    usable = math.isfinite(seconds) and seconds > 0 and not isinstance(expires_in, bool)
    return seconds if usable else ASSUMED_LIFE


@attrs.frozen
class Token(_Unpicklable):
    """A bearer token.

    Attributes:
        value: What stands behind `Authorization: Bearer`.
        expires_in: Seconds from now for which the server takes it; None where it has no known end. What is no
            number above 0 is read as a minute.
    """

    value: str = attrs.field(repr=False, validator=_usable_token)
    expires_in: float | None = attrs.field(default=None, converter=attrs.converters.optional(read_life))


@runtime_checkable
class TokenSource(Protocol):
    """Anything that gives tokens: a vault of your own, say.

    It is asked when there is no token, ahead of expiry, and after the server refused one, then every 5 s at
    the most. It may take as long as `Timeouts.attempt`, and is cancelled then. After a failure it is asked
    again 1 s later, then 2, 4, 8, 16 and 30.
    """

    async def token(self) -> Token:
        """A token to use from now on."""
        ...


@attrs.frozen
class StaticToken(_Unpicklable):
    """A token that you have already; it is not renewed.

    Args:
        value: The token.

    Raises:
        ConfigurationError: The token is empty, or holds white space, control or invisible characters.
    """

    value: str = attrs.field(repr=False, validator=_usable_token)

    async def token(self) -> Token:
        """The same token each time."""
        return Token(self.value)


_LINE_ENDS_AND_BOM = "\r\n\ufeff"
_VSCHARS = re.compile("[\x20-\x7e]*")  # RFC 6749 A.1, A.2: what a client id and a client secret are made of


def without_line_end(text: str) -> str:
    """A text from a file or a variable, without the line ends and the BOM that editors put around it."""
    return text.strip(_LINE_ENDS_AND_BOM)


def visible_text(text: str, name: str) -> str:
    """A client id or secret as OAuth has them, without line ends and BOM around it.

    Args:
        text: What was given.
        name: What to call it in an error.

    Raises:
        ConfigurationError: It is empty, or holds what is outside %x20-7E (RFC 6749 A.1, A.2). The message
            shows nothing of it.
    """
    text = without_line_end(text)
    if not text.strip():
        raise ConfigurationError(f"{name}: is empty")
    if _VSCHARS.fullmatch(text) is None:
        raise ConfigurationError(
            f"{name}: holds a character outside of %x20-7E, such as a tab, a NUL or a letter with an accent, "
            "which no client id or secret of OAuth can (RFC 6749 A.1, A.2)"
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
    raise ConfigurationError("client secret: must be a string, or the path of a file that holds it")


@attrs.frozen
class ClientCredentials(_Unpicklable):
    """OAuth client credentials, exchanged for tokens at `/oauth/token` (RFC 6749 §4.4).

    Args:
        id: The client id.
        secret: The client secret; or the path of a file that holds it, read anew for each token.

    Line ends and a BOM around them are left out.

    Raises:
        ConfigurationError: One of them is empty, or holds what is outside %x20-7E (RFC 6749 A.1, A.2).
    """

    id: str = attrs.field(converter=_client_id)
    secret: str | os.PathLike[str] = attrs.field(repr=False, converter=_client_secret)


_TOKEN = "BACKUPIFY_TOKEN"  # noqa: S105 - the variable's name, not a token
_ID = "BACKUPIFY_CLIENT_ID"
_SECRET = "BACKUPIFY_CLIENT_SECRET"  # noqa: S105 - the variable's name, not a secret
_SECRET_FILE = "BACKUPIFY_CLIENT_SECRET_FILE"  # noqa: S105 - the variable's name, not a secret


def read_credentials(environ: Mapping[str, str]) -> ClientCredentials | StaticToken:
    """The credentials that the environment holds, without line ends and a BOM around them.

    Raises:
        ConfigurationError: There are none, or two, or one is empty or cannot be one; the message names the
            variable.
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
