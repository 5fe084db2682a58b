"""When the next call may leave: pure decisions. `gate` does the waiting.

Theory of operation
===================

The API throttles, says not at what rate, and may say nothing but 429. There are two answers to that: a fixed
rate that the user sets (`plain`), and one that finds the server's limit and stays just below it (`adaptive`).

**What can be known.** Behind a 429 stands one of a few machines: a bucket that fills evenly, a window that
counts and starts anew, a log of the last so many seconds. All let through what they have, and then refuse
until they have more. A client sees only which of its calls were accepted, when they left, and when the
answer came.

**The best source wins.** A server that announces its quota in headers is believed (`headers`, `announced`),
as long as that proves true. One that sends Retry-After tells when its window ends (`windows`). One that says
nothing still tells its rate by when it refuses (`pace`): between two moments at which its store is empty,
the calls accepted over the time elapsed are the rate, however large the store.

**A wave of refusals is one signal.** What was under way when the first refusal was seen says nothing new.
Taking each for a signal of its own is what makes clients collapse.

**The price.** Finding a limit costs about as many refusals as calls are in flight when it is met. So few go
at first (`start`), and a server that never refuses soon gets them all. A limit that rose shows only by
asking: a few refusals in every few hundred calls are the price of staying near it.

**The seam.** A limiter is told of every answer, and asked for nothing but the earliest time at which one more
call may leave (`limiter`). It waits for nothing, holds no timer and knows no client; so it runs in a
laboratory of simulated servers, `python -m tests.benchmarks.rate`, which prints what it reaches.
"""

from backupify_async.config import RateLimit, RetryPolicy
from backupify_async.transport.rate.adaptive import AdaptiveLimiter
from backupify_async.transport.rate.limiter import Estimate, Limiter
from backupify_async.transport.rate.plain import PlainLimiter

__all__ = ["Estimate", "Limiter", "make_limiter"]


def make_limiter(limit: RateLimit, retry: RetryPolicy, places: int) -> Limiter:
    """The limiter that the settings ask for.

    Args:
        limit: The ceiling, and whether to learn what the server allows.
        retry: How long refusals are waited out.
        places: How many calls may be in flight at once.
    """
    return AdaptiveLimiter(limit, retry, places) if limit.adaptive else PlainLimiter(limit, retry)
