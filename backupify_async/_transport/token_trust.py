"""How far a token is trusted, and what a 401 means: pure decisions over values. `keeper` carries them out.

A 401 does not say why. Four things are told apart by what other calls met with the same token, by the times
at which they were *sent*: only a call that left after a refusal had come back says something about it.

| what it is | how it shows | what to do |
| --- | --- | --- |
| the token is old: revoked, or ended early | nobody passes any more | a new one, at once |
| the token is too new: other nodes do not know it yet | it is some seconds old | wait, and try it again |
| somebody else's newer token has ended ours | a young one dies | wait our turn, then a new one |
| it is this call's own: 401 where 403 is meant | others pass | one replay, then it is raised |

Where two clients share credentials of which the server honours the newest token only, each renewal ends the
other's token. So there is no second renewal within 5 s, and whoever lost a young token lets the other use its
own for a second or more. How much more is drawn at random, or three of them could go in step for ever.

Those who wait wait together: one of them tries the token twice a second, and all go when a call has passed. A
trouble that stays is given up for all at once, and remembered.
"""

import math
from enum import Enum

import attrs

PASSED = frozenset({403, 404, 409, 422})
"""Statuses beside 2xx that show that the token was accepted: the API looks at it first."""
SPREAD = 2.0
"""Seconds: how much longer than it must a client waits at the most, before it renews a token that died."""
_EVERY = 0.5  # seconds between two trials of a token that was refused
_SETTLING = 5.0  # seconds in which a new token becomes known to all nodes of a server; most lag by 1 or 2
_APART = 5.0  # seconds from one renewal to the next that a 401 may bring about
_YOUNG = 60.0  # seconds: a token that dies sooner was ended by a newer one
_WINDOW = 1.0  # seconds for which whoever has ended our token may use its own
_PATIENCE = 15.0  # seconds until a trouble is given up: two renewals, and time for the tokens to become known
_PATIENCE_WHERE_ONE_PASSED = 20.0  # the credentials are good, and it is worth more renewals
_CHANCE = 3.0  # seconds that the last of these tokens has at the least
_MEMORY = 60.0  # seconds for which a trouble that was given up is remembered
_QUIET = 5.0  # seconds without a 401, after which the next one begins a new trouble
_ROW = 3  # calls refused one after another: these are not each its own
_MANY = 10  # calls refused, and none passed for as long as `_MEMORY`: then no further one needs to be sent


class Step(Enum):
    """What becomes of a call whose token was refused."""

    REPLAY = "send it again, with the current token"
    TRY = "send it again, for all who wait: does the token pass now?"
    RENEW = "get a new token first"
    OWN = "raise it: others pass with the same token"
    GIVE_UP = "raise it, and remember: nobody passes"


@attrs.frozen
class Wait:
    """Look again at a time, or when a call has passed that left after `passed`."""

    until: float
    passed: float = math.inf


@attrs.define
class Complaint:
    """The refusals that one call has met. Times are by the loop's clock, in seconds.

    Attributes:
        token: The token that was refused last.
        times: How often it was.
        first: When the first of these refusals came.
        at: When the last one came.
        total: How often any token was.
        began: When the first of all came.
    """

    token: str = attrs.field(default="", repr=False)
    times: int = 0
    first: float = -math.inf
    at: float = -math.inf
    total: int = 0
    began: float = -math.inf

    def refused(self, token: str, now: float) -> None:
        """One more."""
        if token != self.token:
            self.token, self.times, self.first = token, 0, now
        self.times += 1
        self.total += 1
        self.at, self.began = now, now if self.total == 1 else self.began


@attrs.define
class Trust:
    """What is known of the current token, and of those before it. Times are by the loop's clock, in seconds.

    Attributes:
        fixed: Whether there is never another token.
        token: The current one.
        obtained: When it came.
        renewed: When the last one came that was not the first.
        spread: How much longer than it must this client waits with the next renewal.
        took: How long it took to get the current one: another client needs as long before it can use its own.
        same_again: Whether the last renewal gave the same token again.
        passed: When the latest call left that passed with it.
        passed_before: The same of all tokens before it.
        tried: When it was last tried by one for all.
        trouble: When the first refusal came since which nothing has passed.
        refused: How many calls were refused since then.
        last: When the last refusal came.
        given_up: When the last trouble was given up.
        owned: When a refusal was last found to be a call's own.
    """

    fixed: bool = False
    token: str | None = attrs.field(default=None, repr=False)
    obtained: float = -math.inf
    renewed: float = -math.inf
    spread: float = 0.0
    took: float = 0.0
    same_again: bool = False
    passed: float = -math.inf
    passed_before: float = -math.inf
    tried: float = -math.inf
    trouble: float = -math.inf
    refused: int = 0
    last: float = -math.inf
    given_up: float = -math.inf
    owned: float = -math.inf

    @property
    def passed_ever(self) -> float:
        """When the latest call left that passed with any token."""
        return max(self.passed, self.passed_before)

    def came(self, token: str, now: float, spread: float, took: float = 0.0) -> None:
        """A token came."""
        self.renewed, self.spread = self.renewed if self.token is None else now, spread
        self.took = took
        self.same_again = token == self.token
        if not self.same_again:
            self.passed_before = self.passed_ever
            self.token, self.obtained, self.passed, self.tried = token, now, -math.inf, -math.inf

    def complained(self, complaint: Complaint) -> None:
        """A call was refused, as it says."""
        now = complaint.at
        over = self.passed_ever > self.trouble or self.trouble <= self.given_up <= now - _MEMORY
        if over or (now > self.last + _QUIET and not self.remembers(now)):
            self.trouble, self.refused = now, 0
        self.last = now
        self.refused += complaint.total == 1

    def remember(self, now: float) -> bool:
        """The trouble is given up; whether that is news."""
        if self.remembers(now):
            return False
        self.given_up = now
        return True

    def remembers(self, now: float) -> bool:
        """Whether a trouble was given up a moment ago, and nothing has passed since."""
        return self.passed_ever <= self.given_up and now < self.given_up + _MEMORY

    def hopeless(self, now: float) -> float | None:
        """Until when no call needs to be sent, for all that were are refused; None where some may pass."""
        hopeless = self.remembers(now) and self.refused >= _MANY and now >= self.passed_ever + _MEMORY
        return self.given_up + _MEMORY if hopeless else None


def judge(trust: Trust, complaint: Complaint, now: float) -> Step | Wait:
    """What becomes of a call whose token was refused.

    Args:
        trust: What is known of the current token.
        complaint: What the call has met.
        now: The time.
    """
    if trust.remembers(now):
        return Step.GIVE_UP
    if complaint.token != trust.token:
        return Step.REPLAY
    if trust.passed > complaint.first:
        return _own(trust, complaint, now)
    if now < trust.given_up + _MEMORY and complaint.times > 1 and trust.refused < _ROW:
        return Step.OWN  # one was waited for in vain a moment ago, and then others passed
    return _trouble(trust, complaint, now)


def _own(trust: Trust, complaint: Complaint, now: float) -> Step | Wait:
    """Others pass that were sent after the refusal."""
    if complaint.times == 1:
        return Step.REPLAY
    if now >= trust.obtained + _SETTLING:
        return Step.OWN
    again = complaint.at + _EVERY  # it is some nodes that know the token already
    return Step.REPLAY if now >= again else Wait(again)


def _trouble(trust: Trust, complaint: Complaint, now: float) -> Step | Wait:
    """Nobody has passed since the refusal."""
    renewal = _renewal_due(trust, complaint, now)
    if trust.fixed:
        ends = renewal if trust.passed > -math.inf else now
    else:
        passed_once = trust.passed_ever > -math.inf
        own = complaint.began if trust.passed_ever <= complaint.began else math.inf
        last = min(trust.trouble, own) + (_PATIENCE_WHERE_ONE_PASSED if passed_once else _PATIENCE)
        renewal = renewal if now < last else math.inf
        if now >= renewal:
            return Step.RENEW
        ends = trust.obtained + _SETTLING if trust.same_again else max(last, trust.obtained + _CHANCE)
    if now >= ends:
        return Step.GIVE_UP
    trial = trust.tried + _EVERY
    return Step.TRY if now >= trial else Wait(min(ends, renewal, trial), complaint.first)


def _renewal_due(trust: Trust, complaint: Complaint, now: float) -> float:
    """When the token counts as dead, and it is our turn to have a new one."""
    singles = now < max(trust.owned, trust.given_up) + _MEMORY
    if complaint.times == 1 and singles:
        return math.inf  # there are calls here that are refused for themselves: a trial comes first
    if trust.fixed or trust.renewed == -math.inf:
        return complaint.at
    if complaint.first >= trust.obtained + _YOUNG:
        return trust.renewed + _APART
    return max(trust.renewed + _APART, complaint.first + _WINDOW + trust.took) + trust.spread
