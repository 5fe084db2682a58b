"""When the next call may leave: pure decisions. `gate` does the waiting.

Theory of operation
===================

The API throttles, says not at what rate, and may say nothing but 429. There are two answers to that: a
fixed rate that the user sets (`plain`), and one that finds the server's limit and stays just below it
(`adaptive`).

**What can be known.** Behind a 429 stands one of a few machines: a bucket that fills evenly, a window that
counts and starts anew, a log of the last so many seconds. All let through what they have, and then refuse
until they have more. A client sees only which of its calls were accepted, when they left, and when the
answer came.

**Two promises stand above all models.** *No crawl*: while calls wait and nothing is refused, the speed
stays at what is believed for a plateau of 1 to 15 s, and then grows in time, doubling faster and faster,
without an upper bound (`speed`). So a belief that is wrong, whatever made it, costs seconds. *No storm*: a
limit that was found is met again only at the end of such a plateau, with a few refusals.

**The best source wins.** A server that announces its quota in headers is believed (`headers`,
`announced`), as long as that proves true. One that sends Retry-After tells when its window ends
(`windows`), as long as windows hold what they held before. One that says nothing still tells its rate by
when it refuses (`belief`): between two moments at which its store is empty, the calls accepted over the
time elapsed are the rate, however large the store.

**The order is that of sending.** An edge refuses at once, and what it lets through takes its time. So
answers are counted in the order in which their calls left (`ledger`), and a refusal is weighed once all
calls that left before it are answered.

**A wave of refusals is one signal.** What was under way when the first refusal was seen says nothing new.
Taking each for a signal of its own is what makes clients collapse.

**The first refusal tells no rate.** It may be a stray, or an outage. One probe goes a tenth of a second
later; the second refusal makes the first count. Where nothing is accepted between two refusals it is
silent (`silence`): one probe at a time goes, at growing intervals of 6 s at most, and the belief stays as
it was.

**A limit on what is in flight is no rate.** Where wave after wave leaves as many calls in flight, that is
the limit, and nothing is paced for as long as it explains the refusals (`cap`).

**The price.** Finding a limit costs about as many refusals as calls are in flight when it is met. So few
go at first (`cap`), and a server that never refuses soon gets them all. A limit that rose shows only by
asking: some refusals a minute are the price of staying near it.

**The seam.** A limiter is told of every answer, and asked for nothing but the earliest time at which one
more call may leave (`limiter`). It waits for nothing, holds no timer and knows no client; so it runs in a
laboratory of simulated servers: `python -m tests.benchmarks.rate` prints what it reaches where nothing
changes, and `python -m tests.benchmarks.rate.disturbances` where something does.
"""

from backupify_async._transport.rate.adaptive import AdaptiveLimiter
from backupify_async._transport.rate.fixed_rate import FixedRateLimiter
from backupify_async._transport.rate.limiter import AsyncLimiter, Estimate, Limiter, Observation
from backupify_async._transport.rate.ticket import CallOutcome, Ticket
from backupify_async.config import RateLimit, RetryPolicy

__all__ = ["AsyncLimiter", "CallOutcome", "Estimate", "Limiter", "Observation", "Ticket", "make_limiter"]


def make_limiter(limit: RateLimit, retry: RetryPolicy, max_concurrency: int) -> Limiter:
    """The limiter that the settings ask for.

    Args:
        limit: The ceiling, and whether to learn what the server allows.
        retry: How long refusals are waited out.
        max_concurrency: How many calls may be in flight at once.
    """
    return (
        AdaptiveLimiter(limit, retry, max_concurrency) if limit.adaptive else FixedRateLimiter(limit, retry)
    )
