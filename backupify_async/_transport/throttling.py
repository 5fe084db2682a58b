"""Which answers ask to slow down: pure decisions over one answer and the latest ones before it.

RFC 6585 §4 has 429 for it. Others are as common: nginx's `limit_req` and `limit_conn` answer 503 unless told
otherwise, GitHub 403 with Retry-After or with a spent quota, some APIs 420, AWS 400 with a word in its body.
"""

import math
from collections import deque
from collections.abc import Mapping

import attrs
import orjson

from backupify_async._transport.rate.headers import has_quota, read_quota

_THROTTLED = frozenset({420, 429})
_WORDS = frozenset({"Throttling", "ThrottlingException", "TooManyRequests", "TooManyRequestsException"})
_FIELDS = ("__type", "code", "Code")
_AT_MOST_BEFORE = 1.0  # seconds by which a call that passed may have left before one that met a 503
_ANSWERS = 64  # that are remembered
_OTHERS = 3  # answers of others that passed, which show that a refusal is a call's own
_LATEST = 10  # answers, of which
_WAVE = 4  # are refused where a limit is met; single ones are a backend that fails now and then
_MANY = (
    10  # 503 among the answers that are remembered: a throttle's, or a backend's that fails often; twice as
)
# many behind each trial that showed a backend
_TRIAL = 256  # answers, of which
_FEW = 6  # are 503 where slowing down helped; else it was the backend
_BEFORE_TRIAL = 128  # answers to what had left before it helped
_RARE = 10  # of them for each one that was refused


class Recent:
    """The latest answers, by when their requests left: seconds of the loop's clock."""

    def __init__(self) -> None:
        # When it left, who was refused, and whether by a 503 that says no more.
        self._answers: deque[tuple[float, object, bool]] = deque(maxlen=_ANSWERS)
        self._last_passed = -math.inf
        self._throttles = False  # whether 503 is taken for the word of a throttle, which is tried
        self._tried = self._met = 0  # how many answers came meanwhile, and how many 503 among them
        self._needed = _MANY
        self._judged = -math.inf  # what left before is no reason to try it again

    def passed(self, left: float) -> None:
        """A call was answered, and not refused for now."""
        self._answers.append((left, None, False))
        if self._throttles:
            self._try_on(left, mere=False)
        self._last_passed = max(self._last_passed, left)

    def refused(self, left: float, who: object, *, mere: bool = False) -> None:
        """A call was refused for now, and that is not its own; `mere` is a 503 that says no more."""
        self._answers.append((left, who, mere))
        if self._throttles:
            self._try_on(left, mere=mere)
        elif mere and sum(one and when > self._judged for when, _, one in self._answers) >= self._needed:
            self._throttles, self._tried, self._met = True, -_BEFORE_TRIAL, 0

    def _try_on(self, left: float, *, mere: bool) -> None:
        """Hold what is believed of 503 against one answer more."""
        self._tried += 1
        self._met += mere and self._tried > 0
        if self._tried >= _TRIAL or self._met > _FEW:
            self._throttles = self._met <= _FEW
            self._needed = _MANY if self._throttles else 2 * self._needed
            self._tried = self._met = 0
            self._judged = left

    def is_own(self, refused_since: float, who: object) -> bool:
        """Whether the refusal of a call is its own, for others that left since its first one pass.

        Args:
            refused_since: When its first refusal came.
            who: The call.
        """
        others = [
            refused for left, refused, _ in self._answers if left > refused_since and refused is not who
        ]
        passed = others.count(None)
        return passed >= _OTHERS and (len(others) - passed) * _RARE <= passed

    @property
    def shows_a_limit(self) -> bool:
        """Whether a mere 503 is a throttle's now; else a backend just failed.

        Several of the latest answers were refusals; or many were 503, and slowing down for each one helps.
        """
        latest = list(self._answers)[-_LATEST:]
        return self._throttles or sum(refused is not None for _, refused, _ in latest) >= _WAVE

    def others_pass(self, left: float) -> bool:
        """Whether the server was well when a call left: one passed that left later, or hardly before it."""
        return self._last_passed >= left - _AT_MOST_BEFORE


@attrs.frozen
class Asked:
    """What an answer says of the rate.

    Attributes:
        status: The HTTP status.
        retry_after: Seconds that it asks to wait, or None.
        headers: Its headers.
        body: Its body, of a request that may be sent twice; nothing else is read for a word.
    """

    status: int
    retry_after: float | None
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def is_mere(self) -> bool:
        """Whether it is a 503 that says no more."""
        return self.status == 503 and self.retry_after is None


def asks_to_slow_down(asked: Asked, wall: float, longest: float, *, others_pass: bool) -> bool:
    """Whether an answer refuses a call only for now.

    Args:
        asked: The answer.
        wall: Our time, as an epoch in seconds.
        longest: Seconds for which a quota that is spent is waited for.
        others_pass: Whether the server was well when the request left: else a mere 503 is a failure.
    """
    match asked.status:
        case 503:
            return others_pass or asked.retry_after is not None
        case 403:
            return asked.retry_after is not None or _is_spent(asked.headers, wall, longest)
        case 400:
            return _names_throttling(asked.body)
        case status:
            return status in _THROTTLED


def _is_spent(headers: Mapping[str, str], wall: float, longest: float) -> bool:
    quota = read_quota(headers, wall) if has_quota(headers) else None
    return quota is not None and quota.remaining < 1 and quota.reset <= longest


def _names_throttling(body: bytes) -> bool:
    """Whether a body is an error of AWS's protocols (awsJson, restJson) that names throttling."""
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    if not isinstance(told, dict):
        return False
    words = [word for word in map(told.get, _FIELDS) if isinstance(word, str)]
    return any(word.rpartition("#")[2].partition(":")[0] in _WORDS for word in words)


def concerns_all(asked: Asked, longest: float) -> bool:
    """Whether a refusal for now is told to everybody.

    One that asks for more than anybody waits is so only as a 429 or 420: a proxy writes other ones for one
    backend, or one address.
    """
    return asked.status in _THROTTLED or (asked.retry_after or 0.0) <= longest
