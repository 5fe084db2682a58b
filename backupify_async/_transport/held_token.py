"""A token as the keeper holds it, with the times at which it is refreshed and ends."""

import math

import attrs

from backupify_async.credentials import Token

_MARGIN = 60.0  # seconds before its end at which a token is refreshed
_SHORTEST_LIFE = 1.0  # seconds: a token that has ended when it comes must not cause a loop of refreshes


@attrs.frozen
class HeldToken:
    """A token that is held. Times are by the loop's clock, in seconds.

    Attributes:
        value: The token.
        refresh_at: When it is refreshed ahead of its end.
        ends_at: When it ends.
    """

    value: str = attrs.field(repr=False)
    refresh_at: float = math.inf
    ends_at: float = math.inf


def hold(token: Token, now: float) -> HeldToken:
    """Begin to hold a token that came now."""
    if token.expires_in is None:
        return HeldToken(token.value)
    life = max(token.expires_in, _SHORTEST_LIFE)
    ends_at = now + life
    return HeldToken(token.value, ends_at - min(_MARGIN, life / 5), ends_at)
