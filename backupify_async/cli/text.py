"""Text that others wrote, made safe for a terminal and for a line."""


def printable(text: str) -> str:
    """The text with all that does not print escaped: control characters, line ends, marks that turn text."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def count(number: int, noun: str) -> str:
    """A number and what it counts: "1 backup", "1,200 backups"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
