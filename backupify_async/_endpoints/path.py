"""Paths that a caller wrote: filled with ids, and kept to the API's own origin. Pure."""

import re
import string
import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote

from backupify_async.ids import identifier

_TRIGGER = re.compile(r"/v1/backup_instances/([^/]+)/backups(\.[a-z]+)?", re.IGNORECASE)


def fill_path(template: str, ids: Mapping[str, int | str]) -> str:
    """Fill the `{names}` of a path with quoted ids.

    Args:
        template: A path below the base URL, such as "/v1/customers/{customer_id}".
        ids: A value for each name.

    Raises:
        TypeError: The template is no str, an id is neither int nor str, or an id is missing or has no name.
        ValueError: The template is no plain path: it has a scheme or a host, a dot segment, a query, a
            fragment, a backslash, a space or a control character; or an id cannot stand in a path.
    """
    if not isinstance(template, str):
        raise TypeError(f"the path must be a str, not {type(template).__name__}")
    _check(template)
    try:
        names = [name for _, name, form, conversion in string.Formatter().parse(template) if name is not None]
    except ValueError:
        raise ValueError(f"the path has a brace without its partner: {template!r}") from None
    if not all(name.isidentifier() for name in names) or re.search(r"[!:][^/]*\}", template):
        raise ValueError(
            f"a brace in a path holds an id's name, as in '/v1/customers/{{customer_id}}': {template!r}"
        )
    if missing := [name for name in names if name not in ids]:
        raise TypeError(f"the path needs an id: {', '.join(missing)}")
    if unknown := [name for name in ids if name not in names]:
        raise TypeError(f"the path {template!r} has no such id: {', '.join(unknown)}")
    return template.format_map({name: identifier(value, name) for name, value in ids.items()})


def _check(path: str) -> None:
    if not path.startswith("/") or path.startswith("//"):
        raise ValueError(f"a path begins with one slash, and has no scheme and no host: {path!r}")
    for mark, what in (("?", "a query: use params="), ("#", "a fragment"), ("\\", "a backslash")):
        if mark in path:
            raise ValueError(f"a path must not hold {what}: {path!r}")
    # RFC 3986 section 5.2.4: dot segments vanish on the way, also where they are percent-encoded.
    decoded = unquote(path)
    segments = decoded.replace("\\", "/").split("/")
    if "." in segments or ".." in segments:
        raise ValueError(f"a path must not hold dot segments: {path!r}")
    if not path.isascii():
        raise ValueError(f"a path must be ASCII: percent-encode it, or pass an id: {path!r}")
    for text in (path, decoded):
        if any(unicodedata.category(character) in ("Cc", "Cs") or character.isspace() for character in text):
            raise ValueError(f"a path must not hold spaces or control characters: {path!r}")


def is_trigger(method: str, path: str) -> bool:
    """Whether a request starts a backup, however its path is spelled."""
    return triggered_instance(method, path) is not None


def triggered_instance(method: str, path: str) -> str | None:
    """The instance of which a request starts a backup; None where it starts none."""
    segments = [_plain(segment) for segment in path.split("/")]
    plain = "/" + "/".join(segment for segment in segments if segment)
    trigger = _TRIGGER.fullmatch(plain) if method == "POST" else None
    return None if trigger is None else trigger[1]


def _plain(segment: str) -> str:
    """A segment as a server can read it: decoded until it stays as it is, without parameters."""
    while (decoded := unquote(segment)) != segment:
        segment = decoded
    return re.split(r"[;?#]", segment)[0].replace("/", "_")
