"""Takes secrets out of text that the server sent: servers have been seen to echo a token."""

import re
from collections.abc import Iterable

_SHORT_WORD = 16  # characters; a shorter secret can stand in a text by chance


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text, with `[secret]` in place of each secret, however it is escaped."""
    for secret in secrets:
        if _may_hold(text, secret):
            text = _spellings(secret).sub("[secret]", text)
    return text


def holds_secret(text: str, secrets: Iterable[str]) -> bool:
    """Whether a text holds a secret that is too long to stand there by chance."""
    return any(
        _may_hold(text, secret) and _spellings(secret).search(text) is not None
        for secret in secrets
        if len(secret) >= _SHORT_WORD
    )


def _may_hold(text: str, secret: str) -> bool:
    """Whether a text can hold a secret in any spelling: no escape changes ASCII letters and digits."""
    return max(re.findall(r"[A-Za-z0-9]+", secret), key=len, default="") in text


def _spellings(secret: str) -> re.Pattern[str]:
    """Matches a secret as it is, and with the escapes of URLs, JSON and HTML."""
    return re.compile("".join(map(_spelling, secret)))


def _spelling(character: str) -> str:
    if character.isalnum() and character.isascii():
        return character
    code = ord(character)
    octets = "".join(f"%{octet:02x}" for octet in character.encode())
    escapes = rf"{octets}|\\u{code:04x}|&\#x0*{code:x};|&\#0*{code};|\\?{re.escape(character)}"
    return f"(?i:{escapes})"
