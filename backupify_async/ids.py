"""What an id may be, how it stands in a path, and by what it is known again."""

import unicodedata
from urllib.parse import quote

InstanceId = int | str
"""The id of a backup instance: a number, or its text."""


def identifier(value: object, name: str = "id") -> str:
    """An id as it stands in a path: an int in digits, any other string percent-quoted whole.

    Args:
        value: What the caller gave.
        name: What to call it in an error.

    Raises:
        TypeError: It is neither an int nor a str (a bool is neither).
        ValueError: It is empty, "." or "..", or holds a control character or half a surrogate pair.
    """
    if type(value) is int:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{name} must be an int or a str, not {value!r}")
    text = value if isinstance(value, str) else str(int(value))
    # RFC 3986 §5.2.4: dot segments vanish on the way, and the request would reach another resource.
    if text in ("", ".", "..") or any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError(f"{name} must not be empty, '.', '..' or hold control characters: {value!r}")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise ValueError(f"{name} is not a whole Unicode string: {value!r}") from None


def instance_key(value: object) -> str:
    """By what an id is known again in a sweep, however it is written: 42, "42" and "042" are one.

    Servers read digits as the number that they are. Only ASCII ones, and nothing else, are taken so.

    Args:
        value: The id.

    Raises:
        TypeError, ValueError: It cannot be one, as `identifier` says.
    """
    name = identifier(value, "backup_instance_id")
    # Quoted, it is ASCII. No int is made of it: Python refuses more than 4,300 digits.
    return name.lstrip("0") or "0" if name.isdigit() else name


_TOO_LONG = 40  # digits of an id that is a number


def whole_number(value: int | str) -> int | None:
    """An id as a whole number: "042" is 42; None where it is none."""
    if isinstance(value, int):
        return value
    return int(value) if value.isascii() and value.isdigit() and len(value) < _TOO_LONG else None
