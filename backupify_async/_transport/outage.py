"""Whether the server is down for everybody: pure decisions. `gate` does the waiting, `hearing` tells it.

A server that restarts fails whatever is sent to it meanwhile. Without this, each call would use up its
attempts and the budget of all, and a sweep would lose thousands of instances in two seconds. So once three
instances failed and nothing passed since the first of these calls left, all calls wait but one at a time, the
probe. What passes ends the outage. Where it lasts too long, calls fail unsent.

Before the first success the settings are more likely to be wrong: then there is no outage.

Order is that of sending: an answer that passed says nothing of a call that left later.
"""

import math
import re

from backupify_async._transport.request import Request
from backupify_async.errors import BackupifyError, RequestTimeout, TransportError

_INSTANCES = 3
_FIRST_GAP = 0.3  # seconds between two probes
_GAP_GROWTH = 1.5
_LONGEST_GAP = 5.0
# 520 to 524 are Cloudflare's, for an origin that broke off, was not reached, or did not answer in time.
_DOWN = frozenset({502, 503, 504, *range(520, 525)})
_GATEWAY_TIMED_OUT = 408
_INSTANCE = re.compile(r"/backup_instances/([^/]+)")


def shows_down(status: int) -> bool:
    """Whether an answer says that the server did not answer itself; a 503 only where it refuses nobody."""
    return status in _DOWN


def shows_up(status: int) -> bool:
    """Whether an answer shows that the server works; 500 and its like show neither."""
    return status < 500 and status != _GATEWAY_TIMED_OUT


def fails_as_down(error: BackupifyError) -> bool:
    """Whether a call without an answer failed as calls to a server that is down do.

    No connection was made, or one broke before the head of an answer. A fault of TLS or of this machine does
    not count, nor an answer that is only slow.
    """
    if not isinstance(error, TransportError) or error.ours or error.gave_up is not None:
        return False
    return error.status is None and not (error.sent and isinstance(error, RequestTimeout))


def whose(request: Request, sendings: int) -> str:
    """By what failures are told apart: the instance, or the request where there is none.

    All calls hang on the token, of which only one is asked for at a time: there each sending counts.

    Args:
        request: The request.
        sendings: How often it was sent.
    """
    if request.path.endswith("/oauth/token"):
        return f"{request.path} {sendings}"
    named = _INSTANCE.search(request.path)
    return request.target if named is None else named[1]


class Outage:
    """What is known of the server's being up. All times are seconds of the loop's clock.

    Args:
        longest: For how long an outage is waited out; 0 knows no outages.
    """

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._passed = -math.inf  # when the latest call left that passed
        self._failed: dict[str, float] = {}  # when the first call left of each that failed since
        self._gap = self._next = 0.0
        self._probing = False
        self._stood_still = 0.0
        self.down_since: float | None = None
        """When the first call left that met the outage; None while the server is up."""

    def passed(self, sent_time: float, now: float, *, of_api: bool) -> float:
        """The server answered.

        Args:
            sent_time: When the call left.
            now: When the answer came.
            of_api: Whether it was an answer of the API: a token alone is no first success.

        Returns:
            For how many seconds the server was down, where that is over now; else 0.
        """
        if sent_time <= self._passed or (self._passed == -math.inf and not of_api):
            return 0.0
        self._passed = sent_time
        if self._failed:
            self._failed = {who: when for who, when in self._failed.items() if when > sent_time}
        if self.down_since is None or sent_time < self.down_since:
            return 0.0
        down = now - self.down_since
        self._stood_still += down
        self.down_since, self._probing = None, False
        return down

    def failed(self, sent_time: float, now: float, who: str) -> bool:
        """A call failed as calls to a server that is down do.

        Args:
            sent_time: When it left.
            now: When that was known.
            who: What it was about, as `whose` says.

        Returns:
            Whether that shows an outage which was not known before.
        """
        if not self._longest or sent_time <= self._passed or self._passed == -math.inf:
            return False
        if self.down_since is not None:
            return False
        self._failed.setdefault(who, sent_time)
        if len(self._failed) < _INSTANCES:
            return False
        self.down_since = min(self._failed.values())
        self._failed.clear()
        self._gap, self._next = _FIRST_GAP, now + _FIRST_GAP
        return True

    @property
    def closes_at(self) -> float:
        """From when on calls fail unsent."""
        return math.inf if self.down_since is None else self.down_since + self._longest

    def is_closed(self, now: float) -> bool:
        """Whether calls fail unsent."""
        return now >= self.closes_at

    @property
    def next_probe(self) -> float:
        """When the next probe may leave; infinity while one is under way."""
        return math.inf if self._probing else self._next

    def begin_probe(self, now: float) -> None:
        """A probe leaves."""
        self._probing = True
        self._gap = _LONGEST_GAP if self.is_closed(now) else self._gap
        self._next = now + self._gap

    def end_probe(self, now: float, *, unused: bool) -> None:
        """A probe is over: it was answered, failed or was cancelled, which passes the role on.

        Args:
            now: When.
            unused: Whether it was cancelled before it left.
        """
        self._probing = False
        if unused:
            self._next = now
        else:
            self._gap = min(_LONGEST_GAP, self._gap * _GAP_GROWTH)

    def stood_still(self, now: float) -> float:
        """For how many seconds the server has been down in all: no patience runs meanwhile."""
        return self._stood_still + (0.0 if self.down_since is None else now - self.down_since)
