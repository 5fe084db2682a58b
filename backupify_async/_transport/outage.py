"""Whether the server is down for all calls: pure decisions. `gate` does the waiting.

A server that restarts fails all requests meanwhile. Without this module each call would use up its attempts
and the common retry budget, and a sweep would lose thousands of instances in two seconds. An outage begins
once calls of three instances have failed, and no call has succeeded that was sent after the first of them.
During an outage one call at a time is sent, the probe; all others wait. The first success ends it. If it
lasts too long, calls fail unsent.

Before the first success of all there is no outage: the settings are more likely to be wrong.

What counts is the order of sending: a success says nothing of a call that was sent later.
"""

import math
import re

from backupify_async._transport.request import Request
from backupify_async.errors import BackupifyError, RequestTimeout, TransportError

_INSTANCES = 3
_FIRST_GAP = 0.3  # seconds between two probes
_GAP_GROWTH = 1.5
_LONGEST_GAP = 5.0
# 520 to 524 are Cloudflare's, for an origin that closed the connection, was not reached, or timed out.
_DOWN = frozenset({502, 503, 504, *range(520, 525)})
_GATEWAY_TIMED_OUT = 408
_INSTANCE = re.compile(r"/backup_instances/([^/]+)")


class ServerDown(Exception):
    """The server has been down for longer than `max_outage`."""


def shows_down(status: int) -> bool:
    """Whether a status says that the server itself did not respond; a 503 only where it is no refusal."""
    return status in _DOWN


def shows_up(status: int) -> bool:
    """Whether a status shows that the server works. Some, such as 500, show neither."""
    return status < 500 and status != _GATEWAY_TIMED_OUT


def fails_as_down(error: BackupifyError) -> bool:
    """Whether a call without a response failed as calls to a server that is down do.

    That is: no connection was made, or it broke before the head of a response. A fault of TLS or of this
    machine does not count, nor does a slow response.
    """
    if not isinstance(error, TransportError) or error.ours or error.gave_up is not None:
        return False
    return error.status is None and not (error.sent and isinstance(error, RequestTimeout))


def failure_key(request: Request, sendings: int) -> str:
    """What distinguishes failures that are counted apart: the instance, or else the request.

    All calls depend on the token, and only one token request runs at a time. So each sending of it counts.

    Args:
        request: The request.
        sendings: How often it was sent.
    """
    if request.path.endswith("/oauth/token"):
        return f"{request.path} {sendings}"
    named = _INSTANCE.search(request.path)
    return request.target if named is None else named[1]


class Outage:
    """Whether the server is up. All times are seconds of the loop's clock.

    Args:
        max_outage: How long calls wait for the end of an outage; 0 for no outages at all.
    """

    def __init__(self, max_outage: float) -> None:
        self._max_outage = max_outage
        self._passed = -math.inf  # when the latest successful call was sent
        self._failed: dict[str, float] = {}  # when the first call of each key was sent that failed since
        self._gap = self._next = 0.0
        self._probing = False
        self._total_down = 0.0
        self.down_since: float | None = None
        """When the first call was sent that met the outage; None while the server is up."""

    def on_success(self, sent_time: float, now: float, *, of_api: bool) -> float:
        """Record a response that shows that the server works.

        Args:
            sent_time: When its request was sent.
            now: When it came.
            of_api: Whether it is a response of the API: a token alone is no first success.

        Returns:
            How many seconds the server was down, if this ends an outage; else 0.
        """
        if sent_time <= self._passed or (self._passed == -math.inf and not of_api):
            return 0.0
        self._passed = sent_time
        if self._failed:
            self._failed = {key: when for key, when in self._failed.items() if when > sent_time}
        if self.down_since is None or sent_time < self.down_since:
            return 0.0
        down = now - self.down_since
        self._total_down += down
        self.down_since, self._probing = None, False
        return down

    def on_failure(self, sent_time: float, now: float, key: str) -> bool:
        """Record a call that failed as calls to a server that is down do.

        Args:
            sent_time: When it was sent.
            now: When it failed.
            key: Its `failure_key`.

        Returns:
            Whether this begins an outage.
        """
        if not self._max_outage or sent_time <= self._passed or self._passed == -math.inf:
            return False
        if self.down_since is not None:
            return False
        self._failed.setdefault(key, sent_time)
        if len(self._failed) < _INSTANCES:
            return False
        self.down_since = min(self._failed.values())
        self._failed.clear()
        self._gap, self._next = _FIRST_GAP, now + _FIRST_GAP
        return True

    @property
    def closes_at(self) -> float:
        """When calls begin to fail unsent; infinity while the server is up."""
        return math.inf if self.down_since is None else self.down_since + self._max_outage

    def is_closed(self, now: float) -> bool:
        """Whether calls fail unsent."""
        return now >= self.closes_at

    @property
    def next_probe(self) -> float:
        """When the next probe can be sent; infinity while one is in flight."""
        return math.inf if self._probing else self._next

    def begin_probe(self, now: float) -> None:
        """Record that a probe is sent."""
        self._probing = True
        self._gap = _LONGEST_GAP if self.is_closed(now) else self._gap
        self._next = now + self._gap

    def end_probe(self, now: float, *, unused: bool) -> None:
        """Record that a probe is over: it got a response, failed, or was cancelled.

        Args:
            now: When.
            unused: Whether it was cancelled before it was sent; then another call becomes the probe at once.
        """
        self._probing = False
        if unused:
            self._next = now
        else:
            self._gap = min(_LONGEST_GAP, self._gap * _GAP_GROWTH)

    def downtime(self, now: float) -> float:
        """How many seconds the server has been down in all, during which no other time limit runs."""
        return self._total_down + (0.0 if self.down_since is None else now - self.down_since)
