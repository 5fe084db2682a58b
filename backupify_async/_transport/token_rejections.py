"""What a 401 means, and what the rejected call does next: pure decisions. `token_keeper` carries them out.

A 401 gives no reason. Four are told apart by what other calls met with the same token, and by when those
calls were *sent*: only a call that was sent after a rejection had come back says something about it.

| reason | how it shows | what to do |
| --- | --- | --- |
| the token is old: revoked, or ended early | no call is accepted any more | refresh at once |
| the token is too new: other nodes do not know it yet | it is some seconds old | wait, and probe it again |
| another client's newer token has ended ours | a young token ends | wait our turn, then refresh |
| the call itself: the server sends 401 for 403 | other calls are accepted | resend once, then raise |

Where two clients share credentials of which the server honours only the newest token, each refresh ends the
other's token. So there is no second refresh within 5 s, and a client that lost a young token lets the other
use its own for a second or more. How much more is random, or three clients could stay in step for ever.

All rejected calls wait together: one of them probes the token twice a second, and all are sent once a call
has been accepted. Trouble that lasts is given up for all calls at once, and remembered.
"""

import math
from enum import Enum

import attrs

ACCEPTED = frozenset({403, 404, 409, 422})
"""Statuses beside 2xx that show that the token was accepted: the API checks it first."""
REFRESH_JITTER = 2.0
"""Seconds: the longest random wait of a client before it refreshes a token that was ended by another one."""
_PROBE_INTERVAL = 0.5  # seconds between two probes of a rejected token
_SETTLING = 5.0  # seconds until all nodes of a server know a new token; most lag by 1 or 2
_REFRESH_INTERVAL = 5.0  # seconds from one refresh to the next that a 401 can cause
_YOUNG = 60.0  # seconds: a token that ends sooner was ended by a newer one
_YIELD = 1.0  # seconds for which the client that ended our token can use its own
_PATIENCE = 15.0  # seconds until trouble is given up: two refreshes, and time for their tokens to settle
_PATIENCE_ONCE_ACCEPTED = 20.0  # the credentials are good, which is worth more refreshes
_LAST_CHANCE = 3.0  # seconds for which the last of these tokens is probed at least
_MEMORY = 60.0  # seconds for which trouble that was given up is remembered
_QUIET = 5.0  # seconds without a 401, after which the next one begins new trouble
_ROW = 3  # calls rejected one after another: too many for each to be rejected for its own reason
_MANY = 10  # calls rejected, with none accepted for `_MEMORY`: no further call needs to be sent


class Action(Enum):
    """What a call does whose token was rejected."""

    RESEND = "send it again, with the current token"
    PROBE = "send it again on behalf of all waiting calls: is the token accepted now?"
    REFRESH = "refresh the token first"
    RAISE = "raise its 401: other calls are accepted with the same token"
    GIVE_UP = "raise its 401, and remember that no call is accepted"


@attrs.frozen
class Wait:
    """Decide again at a time, or once a call is accepted that was sent after another time.

    Attributes:
        until: The time.
        accepted_after: The other time.
    """

    until: float
    accepted_after: float = math.inf


@attrs.define
class Rejections:
    """The rejections that one call has met. Times are by the loop's clock, in seconds.

    Attributes:
        token: The token that was rejected last.
        count: How often that token was rejected.
        first: When its first rejection came.
        last: When its last rejection came.
        total: How often any token was rejected.
        began: When the first rejection of any token came.
    """

    token: str = attrs.field(default="", repr=False)
    count: int = 0
    first: float = -math.inf
    last: float = -math.inf
    total: int = 0
    began: float = -math.inf

    def add(self, token: str, now: float) -> None:
        """Record a rejection."""
        if token != self.token:
            self.token, self.count, self.first = token, 0, now
        self.count += 1
        self.total += 1
        self.last, self.began = now, now if self.total == 1 else self.began


@attrs.define
class TokenHistory:
    """What is known of the current token, and of those before it. Times are by the loop's clock, in seconds.

    Attributes:
        static: Whether there is never another token.
        token: The current token.
        obtained: When it came.
        refreshed: When the last token came that was not the first.
        jitter: How much longer than necessary this client waits with its next refresh.
        took: How long the last refresh took: another client needs as long before it can use its own token.
        unchanged: Whether the last refresh returned the same token.
        accepted: When the latest call was sent that was accepted with it.
        accepted_before: The same of all tokens before it.
        probed: When it was last probed.
        trouble: When the first rejection came since which no call has been accepted.
        rejected_calls: How many calls were rejected since then.
        last_rejection: When the last rejection came.
        given_up: When trouble was last given up.
        raised: When a call was last found to be rejected for its own reason.
    """

    static: bool = False
    token: str | None = attrs.field(default=None, repr=False)
    obtained: float = -math.inf
    refreshed: float = -math.inf
    jitter: float = 0.0
    took: float = 0.0
    unchanged: bool = False
    accepted: float = -math.inf
    accepted_before: float = -math.inf
    probed: float = -math.inf
    trouble: float = -math.inf
    rejected_calls: int = 0
    last_rejection: float = -math.inf
    given_up: float = -math.inf
    raised: float = -math.inf

    @property
    def ever_accepted(self) -> float:
        """When the latest call was sent that was accepted with any token."""
        return max(self.accepted, self.accepted_before)

    def on_token(self, token: str, now: float, jitter: float, took: float = 0.0) -> None:
        """Record a new token."""
        self.refreshed, self.jitter = self.refreshed if self.token is None else now, jitter
        self.took = took
        self.unchanged = token == self.token
        if not self.unchanged:
            self.accepted_before = self.ever_accepted
            self.token, self.obtained, self.accepted, self.probed = token, now, -math.inf, -math.inf

    def on_rejection(self, rejections: Rejections) -> None:
        """Record the last rejection of a call."""
        now = rejections.last
        over = self.ever_accepted > self.trouble or self.trouble <= self.given_up <= now - _MEMORY
        if over or (now > self.last_rejection + _QUIET and not self.remembers(now)):
            self.trouble, self.rejected_calls = now, 0
        self.last_rejection = now
        self.rejected_calls += rejections.total == 1

    def give_up(self, now: float) -> bool:
        """Remember that the trouble is given up; return whether that is news."""
        if self.remembers(now):
            return False
        self.given_up = now
        return True

    def remembers(self, now: float) -> bool:
        """Whether trouble was given up recently, and no call has been accepted since."""
        return self.ever_accepted <= self.given_up and now < self.given_up + _MEMORY

    def hopeless_until(self, now: float) -> float | None:
        """Until when no call needs to be sent, as all would be rejected; None where some may be accepted."""
        quiet = now >= self.ever_accepted + _MEMORY
        hopeless = self.remembers(now) and self.rejected_calls >= _MANY and quiet
        return self.given_up + _MEMORY if hopeless else None


def next_action(history: TokenHistory, rejections: Rejections, now: float) -> Action | Wait:
    """Decide what a call does whose token was rejected.

    Args:
        history: What is known of the current token.
        rejections: What the call has met.
        now: The time.
    """
    if history.remembers(now):
        return Action.GIVE_UP
    if rejections.token != history.token:
        return Action.RESEND
    if history.accepted > rejections.first:
        return _others_accepted(history, rejections, now)
    if now < history.given_up + _MEMORY and rejections.count > 1 and history.rejected_calls < _ROW:
        return Action.RAISE  # calls have waited for nothing recently, and then others were accepted
    return _none_accepted(history, rejections, now)


def _others_accepted(history: TokenHistory, rejections: Rejections, now: float) -> Action | Wait:
    """Calls were accepted that were sent after the rejection."""
    if rejections.count == 1:
        return Action.RESEND
    if now >= history.obtained + _SETTLING:
        return Action.RAISE
    again = rejections.last + _PROBE_INTERVAL  # only some nodes know the token already
    return Action.RESEND if now >= again else Wait(again)


def _none_accepted(history: TokenHistory, rejections: Rejections, now: float) -> Action | Wait:
    """No call was accepted that was sent after the rejection."""
    refresh = _refresh_due(history, rejections, now)
    if history.static:
        end = refresh if history.accepted > -math.inf else now
    else:
        once_accepted = history.ever_accepted > -math.inf
        own = rejections.began if history.ever_accepted <= rejections.began else math.inf
        patience = _PATIENCE_ONCE_ACCEPTED if once_accepted else _PATIENCE
        last = min(history.trouble, own) + patience
        refresh = refresh if now < last else math.inf
        if now >= refresh:
            return Action.REFRESH
        settled = history.obtained + _SETTLING
        end = settled if history.unchanged else max(last, history.obtained + _LAST_CHANCE)
    if now >= end:
        return Action.GIVE_UP
    probe = history.probed + _PROBE_INTERVAL
    return Action.PROBE if now >= probe else Wait(min(end, refresh, probe), rejections.first)


def _refresh_due(history: TokenHistory, rejections: Rejections, now: float) -> float:
    """When the token counts as ended, and it is this client's turn to refresh it."""
    raised_recently = now < max(history.raised, history.given_up) + _MEMORY
    if rejections.count == 1 and raised_recently:
        return math.inf  # some calls are rejected for their own reason: a probe comes first
    if history.static or history.refreshed == -math.inf:
        return rejections.last
    if rejections.first >= history.obtained + _YOUNG:
        return history.refreshed + _REFRESH_INTERVAL
    turn = max(history.refreshed + _REFRESH_INTERVAL, rejections.first + _YIELD + history.took)
    return turn + history.jitter
