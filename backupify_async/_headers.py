"""The headers that a user can add to requests, and what they can hold (RFC 9110 §5)."""

import re
from collections.abc import Mapping

from backupify_async.errors import ConfigurationError

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token, RFC 9110 §5.6.2
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")  # RFC 9110 §5.5, without obs-text
_OF_THE_CLIENT = frozenset(
    {
        *("accept-encoding", "authorization", "host", "user-agent"),
        *("content-encoding", "content-length", "content-type"),
        *("connection", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
        *("proxy-authorization", "proxy-connection"),
    }
)


def check_headers(headers: object) -> dict[str, str]:
    """A copy of headers that can be sent with every request.

    Raises:
        ConfigurationError: They are not a mapping of texts; a name or a value cannot be sent; a name comes
            twice; or the client sets that header. The message names the header and shows no value.
    """
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers: must be a mapping of texts, not {type(headers).__name__}")
    names = set()
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(f"headers: {name!r} cannot be a name (RFC 9110 section 5.1)")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):
            raise ConfigurationError(
                f"headers: the value of {name} must be visible ASCII, with spaces only inside"
            )
        if name.lower() in _OF_THE_CLIENT:
            instead = "; use user_agent=" if name.lower() == "user-agent" else ""
            raise ConfigurationError(f"headers: the client sets {name}{instead}")
        if name.lower() in names:
            raise ConfigurationError(f"headers: {name} comes twice")
        names.add(name.lower())
    return dict(headers)


def check_user_agent(value: str | None) -> None:
    """Refuse what cannot end a User-Agent header.

    Raises:
        ConfigurationError: It is empty, or holds other than visible ASCII characters and inner spaces.
    """
    if value is not None and (not isinstance(value, str) or not _VALUE.fullmatch(value)):
        raise ConfigurationError("user_agent: must be visible ASCII characters, as in myapp/1.2")
