"""Numbers with the noun that they count."""

_SINGULAR = {"backups": "backup", "instances": "instance"}


def count(number: int, noun: str) -> str:
    """A number and its noun: "1 backup", "1,200 backups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def count_of(number: int, what: str) -> str:
    """A number of things in a state, "3 idle", or of things named by their plural, "1 backup"."""
    return f"{number:,} {_SINGULAR.get(what, what) if number == 1 else what}"
