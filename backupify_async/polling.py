"""How often backups that are waited for are checked, and what their statuses mean."""

from collections.abc import Iterable

import attrs

from backupify_async._checks import positive

__all__ = ["PollPolicy"]


def normalize_word(text: str) -> str:
    """A word as words are compared: its letters and digits in one case; "" where it has none."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _normalize(words: Iterable[str]) -> frozenset[str]:
    if isinstance(words, str | bytes) or not isinstance(words, Iterable):
        raise TypeError(f"status words must be an iterable of str, not {words!r}")
    normalized = {}
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"a status word must be a str, not {word!r}")
        normalized[normalize_word(word)] = word
    if "" in normalized:
        raise ValueError(f"a status word needs a letter or a digit: {normalized['']!r} has none")
    return frozenset(normalized)


@attrs.frozen
class PollPolicy:
    """How a backup that is waited for is checked.

    Attributes:
        interval: Seconds between two checks of one backup. Checks are background work: where the rate limit
            has no room for all of them, all intervals stretch alike.
        success: Statuses that mean a success on your server. They extend the usual words, and take precedence
            over them. Case, hyphens, underscores, spaces and CamelCase are ignored.
        failure: The same for statuses that mean a failure.

    Raises:
        ValueError: The interval is 0, negative or not a number; a word has no letter and no digit, or is both
            a success and a failure.
        TypeError: The words are not an iterable of str, or are a single str.
    """

    interval: float = attrs.field(default=10.0, validator=positive)
    success: frozenset[str] = attrs.field(default=(), converter=_normalize)
    failure: frozenset[str] = attrs.field(default=(), converter=_normalize)

    def __attrs_post_init__(self) -> None:
        if both := sorted(self.success & self.failure):
            raise ValueError(f"{both[0]!r} cannot mean both success and failure")
