"""The ids of the API: what is valid, how an id is written in a path, and which ids are equal."""

import unicodedata
from urllib.parse import quote

__all__ = ["InstanceId", "identifier", "instance_key", "whole_number"]

InstanceId = int | str
"""The id of a backup instance: a number, or its text."""

_MAX_DIGITS = 39  # of an id that is a number


def identifier(value: object, name: str = "id") -> str:
    """An id as it is written in a path: an int in digits, any other string percent-encoded.

    Args:
        value: The id.
        name: Its name in an error message.

    Raises:
        TypeError: It is neither an int nor a str. A bool is refused too.
        ValueError: It is empty, "." or "..", or contains a control character or a lone surrogate.
    """
    if type(value) is int:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{name} must be an int or a str, not {value!r}")
    text = value if isinstance(value, str) else str(int(value))
    # RFC 3986 §5.2.4: dot segments are removed on the way, and the request would reach another resource.
    if text in ("", ".", "..") or any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError(f"{name} must not be empty, '.', '..' or contain control characters: {value!r}")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not valid Unicode: {value!r}") from None


def instance_key(value: object) -> str:
    """The same key for all spellings of an id: 42, "42" and "042" are one instance.

    Servers read digits as a number. Only ASCII digits are treated so.

    Args:
        value: The id.

    Raises:
        TypeError, ValueError: It is not valid; see `identifier`.
    """
    name = identifier(value, "backup_instance_id")
    # Percent-encoded, it is ASCII. It is not converted to int: Python refuses more than 4,300 digits.
    return name.lstrip("0") or "0" if name.isdigit() else name


def whole_number(value: int | str) -> int | None:
    """An id as an integer: "042" is 42; None where it is not a number."""
    if isinstance(value, int):
        return value
    return int(value) if value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS else None
