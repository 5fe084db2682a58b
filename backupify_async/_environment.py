"""Credentials from the environment."""

from collections.abc import Mapping
from pathlib import Path

from backupify_async.credentials import ClientCredentials, StaticToken, visible_text, without_line_end
from backupify_async.errors import ConfigurationError

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
        raise ConfigurationError(f"no credentials: set {_ID} and {_SECRET} (or {_SECRET_FILE}), or {_TOKEN}")
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
