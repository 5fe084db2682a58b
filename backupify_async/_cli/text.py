"""Small things about text: what nobody sees in it, and numbers in words."""

import unicodedata

_SINGULAR = {"backups": "backup", "instances": "instance"}


def is_unseen(character: str) -> bool:
    """Whether it is white space, or has no look at all, as U+200B and U+FEFF: both come along in a paste."""
    return character.isspace() or unicodedata.category(character) == "Cf"


def bare(text: str) -> str:
    """The text without what cannot be seen around it."""
    if text.isascii():
        return text.strip()
    seen = [place for place, character in enumerate(text) if not is_unseen(character)]
    return text[seen[0] : seen[-1] + 1] if seen else ""


def count(number: int, noun: str) -> str:
    """A number and what it counts: "1 backup", "1,200 backups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def in_number(number: int, what: str) -> str:
    """A number and what it counts, which is a state, "3 idle", or things by their plural, "1 backup"."""
    return f"{number:,} {_SINGULAR.get(what, what) if number == 1 else what}"
