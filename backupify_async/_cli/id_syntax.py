"""How people write instance ids: on the command line, and in a file."""

import codecs
import re
import unicodedata

from backupify_async.ids import InstanceId, identifier

MAX_LINE = 4_096
"""Bytes that a line of a file can have."""

_NUMBER = re.compile(r"0|-?[1-9]\d{0,18}", re.ASCII)
_COMMENT = re.compile(r"\s#.*", re.DOTALL)


def parse_id(text: str) -> InstanceId:
    """Read an id: an int where it is written as one, so that it is a number in JSON, as in the server's.

    Raises:
        ValueError: It cannot be an id, or holds an invisible character other than a plain space.
    """
    instance_id: InstanceId = int(text) if _NUMBER.fullmatch(text) else text
    identifier(instance_id)
    if any(_is_invisible(character) for character in text if character != " "):
        raise ValueError(f"an id must not hold invisible characters: {text!r}")
    return instance_id


def parse_line(line: bytes, *, first: bool) -> InstanceId | None:
    """Read a line of a file of ids; None where it is blank or a comment.

    Args:
        line: The line, without its end.
        first: Whether it is the file's first line, where a byte order mark can be.

    Raises:
        ValueError: It is not UTF-8, too long, or not one id.
    """
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE} bytes")
    try:
        text = strip_invisible(line.removeprefix(codecs.BOM_UTF8 if first else b"").decode())
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    text = "" if text.startswith("#") else strip_invisible(_COMMENT.sub("", text))
    if not text:
        return None
    if len(text.split()) != 1:
        raise ValueError(f"expected one id per line, found {text!r}")
    return parse_id(text)


def strip_invisible(text: str) -> str:
    """The text without white space and zero-width characters around it, which a paste can bring along."""
    if text.isascii():
        return text.strip()
    visible = [place for place, character in enumerate(text) if not _is_invisible(character)]
    return text[visible[0] : visible[-1] + 1] if visible else ""


def _is_invisible(character: str) -> bool:
    """Whether it is white space or a format character, such as U+200B and U+FEFF."""
    return character.isspace() or unicodedata.category(character) == "Cf"
