"""Which responses refuse a call only for now, and which calls a refusal concerns.

Everything here decides over one response and the latest ones before it; there is no I/O. Each refusal is
classified once, as a `Refusal`. The limiter and the retry rules obey it, and do not judge the response again.

RFC 6585 §4 has 429 for this purpose. Others are as common: nginx's `limit_req` and `limit_conn` send 503 by
default, GitHub 403 with Retry-After or with a spent quota, some APIs 420, AWS 400 with a code in its body.
"""

import math
import time
from collections import deque
from collections.abc import Mapping
from enum import Enum

import attrs
import orjson

from backupify_async._transport.rate import Observation
from backupify_async._transport.rate.headers import read_quota

_THROTTLED = frozenset({420, 429})
_CODES = frozenset({"Throttling", "ThrottlingException", "TooManyRequests", "TooManyRequestsException"})
_FIELDS = ("__type", "code", "Code")
_TOLERANCE = 1.0  # seconds by which an accepted call can have been sent before one that met a 503
_REMEMBERED = 64  # responses
_OTHERS = 3  # accepted calls of others that show that a refusal is the call's own
_LATEST = 10  # responses, of which
_WAVE = 4  # are refused where a limit is met; single ones come from a backend that fails now and then
# Unexplained 503s among the remembered responses, from a throttle or from a backend that fails often. It is
# doubled after each trial that showed a backend.
_MANY = 10
_TRIAL = 256  # responses, of which
_FEW = 6  # are 503 where slowing down helped; otherwise it was the backend
_BEFORE_TRIAL = 128  # responses to calls that were sent before slowing down helped
_RARE = 10  # accepted calls of others for each refused one


@attrs.frozen
class RateSignals:
    """What a response says about the rate.

    Attributes:
        status: The HTTP status.
        retry_after: Seconds that it asks to wait, or None.
        headers: Its headers.
        body: Its body, where the request is repeatable; otherwise the body is not read.
    """

    status: int
    retry_after: float | None
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_unexplained(self) -> bool:
        """Whether it is a 503 without Retry-After: from a throttle, or from a backend that failed."""
        return self.status == 503 and self.retry_after is None


@attrs.frozen
class Sending:
    """The sending to which a response came. Times are by the loop's clock, in seconds.

    Attributes:
        call: The call; the same object for all its sendings.
        sent_time: When it was sent.
        refused_since: When the call was first refused; None where it was not.
        repeatable: Whether its request is repeatable.
        passed_gate: Whether it passed the gate.
    """

    call: object
    sent_time: float
    refused_since: float | None = None
    repeatable: bool = True
    passed_gate: bool = True


class RefusalScope(Enum):
    """Which calls a refusal concerns."""

    ALL_CALLS = "all calls: the limiter pauses them"
    UNCLEAR = "not known to concern other calls: the limiter pauses none"
    OWN = "this call alone: others pass, and the limiter learns nothing from it"


@attrs.frozen
class Refusal:
    """A response that refuses a call for now.

    Attributes:
        status: The HTTP status.
        retry_after: Seconds that it asks to wait, or None.
        scope: Which calls it concerns.
        over_cap: Whether it asks for more than `max_retry_after`: then it is raised, and not waited out.
        counts: Whether it counts as a failed attempt.
        backs_off: Whether the call backs off by itself. Otherwise it waits at the gate with all others, once
            its own `retry_after` is over.
    """

    status: int
    retry_after: float | None = None
    scope: RefusalScope = RefusalScope.ALL_CALLS
    over_cap: bool = False
    counts: bool = False
    backs_off: bool = False


class RecentResponses:
    """The latest responses, by when their requests were sent: seconds of the loop's clock.

    Args:
        max_retry_after: Seconds; a longer wait is raised instead of waited out.
    """

    def __init__(self, max_retry_after: float) -> None:
        self._max_retry_after = max_retry_after
        # When it was sent, which call was refused, and whether by an unexplained 503.
        self._responses: deque[tuple[float, object, bool]] = deque(maxlen=_REMEMBERED)
        self._last_accepted = -math.inf
        self._throttles = False  # whether unexplained 503s are taken as a throttle's, which is on trial
        self._tried = self._met = 0  # responses during the trial, and unexplained 503s among them
        self._needed = _MANY
        self._judged = -math.inf  # calls that were sent before are no reason for another trial

    def accepted(self, sent_time: float) -> None:
        """Record a response that does not refuse its call for now."""
        self._responses.append((sent_time, None, False))
        if self._throttles:
            self._continue_trial(sent_time, unexplained=False)
        self._last_accepted = max(self._last_accepted, sent_time)

    def refused(self, sent_time: float, call: object, *, unexplained: bool = False) -> None:
        """Record a refusal that is not the call's own."""
        self._responses.append((sent_time, call, unexplained))
        if self._throttles:
            self._continue_trial(sent_time, unexplained=unexplained)
        elif (
            unexplained
            and sum(one and when > self._judged for when, _, one in self._responses) >= self._needed
        ):
            self._throttles, self._tried, self._met = True, -_BEFORE_TRIAL, 0

    def classify(self, signals: RateSignals, sending: Sending, wall: float) -> Refusal | None:
        """Classify a response of 400 and above, and record it where it refuses its call for now.

        Args:
            signals: The response.
            sending: What it responds to.
            wall: Our time, as an epoch in seconds.

        Returns:
            The refusal, or None where the response is no refusal for now.
        """
        others_pass = sending.passed_gate and self.others_pass(sending.sent_time)
        if not asks_to_slow_down(signals, wall, self._max_retry_after, others_pass=others_pass):
            return None
        unexplained = signals.is_unexplained
        scope = self._scope(signals, sending)
        return Refusal(
            signals.status,
            signals.retry_after,
            scope,
            over_cap=(signals.retry_after or 0.0) > self._max_retry_after,
            # It is a failure of this instance, or the response to a request that may have been acted on.
            counts=unexplained and (scope is RefusalScope.OWN or not sending.repeatable),
            backs_off=scope is RefusalScope.OWN or not sending.passed_gate,
        )

    def _scope(self, signals: RateSignals, sending: Sending) -> RefusalScope:
        since, unexplained = sending.refused_since, signals.is_unexplained
        if sending.passed_gate and since is not None and self.is_own(since, sending.call):
            return RefusalScope.OWN
        self.refused(sending.sent_time, sending.call, unexplained=unexplained)
        if unexplained and not self.shows_a_limit:
            return RefusalScope.UNCLEAR
        return (
            RefusalScope.ALL_CALLS if concerns_all(signals, self._max_retry_after) else RefusalScope.UNCLEAR
        )

    def _continue_trial(self, sent_time: float, *, unexplained: bool) -> None:
        """Check with one more response whether unexplained 503s come from a throttle."""
        self._tried += 1
        self._met += unexplained and self._tried > 0
        if self._tried >= _TRIAL or self._met > _FEW:
            self._throttles = self._met <= _FEW
            self._needed = _MANY if self._throttles else 2 * self._needed
            self._tried = self._met = 0
            self._judged = sent_time

    def is_own(self, refused_since: float, call: object) -> bool:
        """Whether the refusal of a call is its own: others that were sent since its first one are accepted.

        Args:
            refused_since: When its first refusal came.
            call: The call.
        """
        others = [
            refused for when, refused, _ in self._responses if when > refused_since and refused is not call
        ]
        accepted = others.count(None)
        return accepted >= _OTHERS and (len(others) - accepted) * _RARE <= accepted

    @property
    def shows_a_limit(self) -> bool:
        """Whether an unexplained 503 comes from a throttle now; otherwise a backend just failed.

        It does where several of the latest responses were refusals, or where many were 503 and slowing down
        after each one helps.
        """
        latest = list(self._responses)[-_LATEST:]
        return self._throttles or sum(refused is not None for _, refused, _ in latest) >= _WAVE

    def others_pass(self, sent_time: float) -> bool:
        """Whether the server worked when a call was sent: it accepted one sent later, or hardly before."""
        return self._last_accepted >= sent_time - _TOLERANCE


def asks_to_slow_down(
    signals: RateSignals, wall: float, max_retry_after: float, *, others_pass: bool
) -> bool:
    """Whether a response refuses a call only for now.

    Args:
        signals: The response.
        wall: Our time, as an epoch in seconds.
        max_retry_after: Seconds; a spent quota that is renewed later is not waited for.
        others_pass: Whether the server worked when the request was sent. Otherwise an unexplained 503 is a
            failure.
    """
    match signals.status:
        case 503:
            return others_pass or signals.retry_after is not None
        case 403:
            return signals.retry_after is not None or _is_spent(signals.headers, wall, max_retry_after)
        case 400:
            return _names_throttling(signals.body)
        case status:
            return status in _THROTTLED


def _is_spent(headers: Mapping[str, str], wall: float, max_retry_after: float) -> bool:
    quota = read_quota(headers, wall)
    return quota is not None and quota.remaining < 1 and quota.reset <= max_retry_after


def _names_throttling(body: bytes) -> bool:
    """Whether a body is an error of AWS's protocols (awsJson, restJson) that names throttling."""
    try:
        error = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(error, dict):
        return False
    codes = [code for code in map(error.get, _FIELDS) if isinstance(code, str)]
    return any(code.rpartition("#")[2].partition(":")[0] in _CODES for code in codes)


def concerns_all(signals: RateSignals, max_retry_after: float) -> bool:
    """Whether a refusal for now concerns all calls.

    One that asks for more than `max_retry_after` does so only as a 429 or 420: a proxy writes others for one
    backend, or for one address.
    """
    return signals.status in _THROTTLED or (signals.retry_after or 0.0) <= max_retry_after


def observe(
    sent_time: float, now: float, status: int, headers: Mapping[str, str], refusal: Refusal | None
) -> Observation:
    """What the limiter learns of a response.

    Args:
        sent_time: When its request was sent, in seconds of the loop's clock.
        now: When it came, by the same clock.
        status: Its HTTP status.
        headers: Its headers.
        refusal: The refusal that it is, if any.
    """
    quota = read_quota(headers, time.time())
    if refusal is None:
        return Observation(sent_time, now, status, quota=quota)
    seen = 429 if refusal.scope is RefusalScope.ALL_CALLS else status
    return Observation(sent_time, now, seen, refusal.retry_after, quota, refusal.over_cap)
