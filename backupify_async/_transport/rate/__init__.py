"""When the next request can be sent: pure decisions. The gate (`_transport/gate.py`) does the waiting.

Theory of operation
===================

The API limits the rate of calls, does not document the limit, and may respond with nothing but 429. A
user can set a fixed rate (`FixedRateLimiter`). By default the client finds the server's limit and stays
just below it (`AdaptiveLimiter`). This page explains how.

**What a client can know.** A server counts in one of a few ways: a bucket that refills evenly, a window
that starts anew, a log of the last seconds, or the number of calls in flight. A client knows when it sent
each call, when the response arrived, and whether it was accepted.

**Two guarantees hold with every server.** *No crawl*: while calls wait and none is refused, the
speed stays at the estimated rate for a plateau of 1 to 15 s and then grows, doubling faster and faster,
without an upper bound. So a wrong estimate costs seconds, whatever caused it (`speed`). *No storm*: a
limit that was found is exceeded only at the end of a plateau, by a few calls.

**The best source of information wins**, and is used only while it predicts what happens:

1. Headers that announce a quota (`headers`, `quota_tracker`). 2. Retry-After, which says when a window
ends, or two times without any success between which a quota was accepted (`window_end`, `window_model`).
3. The refusals alone (`rate_estimator`, `pacer`). A refusal shows that the server's bucket is empty. Between
two such moments, the number of accepted calls over the time elapsed is the rate, however large the bucket.

**A quota is spread.** A window and a log of the last seconds look alike from outside: a quota, and then
nothing until a period is over. Sent at once, a quota is refused by a log in the next period, and leaves
nothing for other clients. Spread in the same way in each period, it is accepted by both.

**Calls are counted in the order of sending** (`reorder_buffer`). An edge server refuses at once, while an
accepted call takes its time. So a refusal is weighed when all calls sent before it have a response.

**A wave of refusals is one signal.** Calls that were in flight when the first refusal arrived say nothing
new. A client that slows down for each of them collapses.

**The first refusal gives no rate.** It can be a stray, or an outage. One probe is sent a tenth of a
second later, and only the second refusal gives a first count. If nothing is accepted between two
refusals, the client is locked out: it sends one probe at a time, at growing intervals of up to 6 s, and
keeps its estimate (`lockout`).

**A limit on what is in flight is not a rate.** If wave after wave leaves the same number of calls in
flight, that number is the limit, and calls are not spaced while it explains the refusals
(`concurrency_limit`).

**The price.** Finding a limit costs about as many refusals as there are calls in flight when it is met.
So few calls are in flight at first, and more with each success. A limit that rose can be found only by
exceeding the old one: a few refusals a minute are the price of staying close to it.

**The seam.** A `Limiter` hears what was sent and what came back, and answers one question: when can the
next request be sent? It does not wait, sets no timers, and knows nothing of the client. So it can be
replaced (`BackupifyClient(limiter=...)`), and it runs against simulated servers in virtual time: `python
-m tests.benchmarks.rate` shows what it reaches at constant limits, and `python -m
tests.benchmarks.rate.disturbances` at changing ones.
"""

from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.fixed_rate import FixedRateLimiter
from backupify_async._transport.rate.limiter import (
    AsyncLimiter,
    Estimate,
    Limiter,
    Observation,
    OpenableLimiter,
)
from backupify_async._transport.rate.ticket import CallOutcome, Ticket
from backupify_async.config import RateLimit, RetryPolicy

__all__ = [
    "AsyncLimiter",
    "CallOutcome",
    "Estimate",
    "Limiter",
    "Observation",
    "OpenableLimiter",
    "Ticket",
    "make_limiter",
]


def make_limiter(limit: RateLimit, retry: RetryPolicy, max_concurrency: int) -> Limiter:
    """The limiter that the settings ask for.

    Args:
        limit: The ceiling, and whether to find the server's limit.
        retry: How long refusals are waited out.
        max_concurrency: How many requests can be in flight at once.
    """
    return (
        AdaptiveLimiter(limit, retry, max_concurrency) if limit.adaptive else FixedRateLimiter(limit, retry)
    )
