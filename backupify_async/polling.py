"""How backups that somebody waits for are looked at, and what their statuses are to mean."""

from collections.abc import Iterable

import attrs

from backupify_async._checks import positive


def plain_word(text: str) -> str:
    """A word as words are compared: its letters and digits, in one case; "" where it has none."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _plain_words(words: Iterable[str]) -> frozenset[str]:
    if isinstance(words, str | bytes) or not isinstance(words, Iterable):
        raise TypeError(f"words of one's own must be an iterable of texts, not {words!r}")
    plain = {}
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"a word of one's own must be a text, not {word!r}")
        plain[plain_word(word)] = word
    if "" in plain:
        raise ValueError(f"a word of one's own needs a letter or a digit, and {plain['']!r} has none")
    return frozenset(plain)


@attrs.frozen
class PollPolicy:
    """How to look at a backup that somebody waits for.

    Attributes:
        interval: Seconds between two looks at one backup. Looks are background work: where the rate limit
            has no room for all of them, everybody's interval stretches alike.
        success: Statuses that mean a success on your server, beside the usual words and above them. They are
            compared, and kept, without case, hyphens, underscores, spaces and CamelCase.
        failure: Likewise statuses that mean a failure.

    Raises:
        ValueError: The interval is 0, negative or no number; a word has no letter and no digit, or is to
            mean both.
        TypeError: The words are no iterable of texts, or a str, whose letters are no words.
    """

    interval: float = attrs.field(default=10.0, validator=positive)
    success: frozenset[str] = attrs.field(default=(), converter=_plain_words)
    failure: frozenset[str] = attrs.field(default=(), converter=_plain_words)

    def __attrs_post_init__(self) -> None:
        if both := sorted(self.success & self.failure):
            raise ValueError(f"{both[0]!r} cannot mean both success and failure")
