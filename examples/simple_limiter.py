"""Send at most 20 calls a second, evenly spaced: `python examples/simple_limiter.py 42 43`.

After a 429 nothing is sent for as long as its Retry-After says. `own_limiter.py` waits for slots of a store.
"""

# ruff: noqa: ARG002 - the protocol names all arguments

import asyncio
import math
import sys

from backupify_async import BackupifyClient, Estimate, LimitSource, Observation, Ticket

PER_SECOND = 20


class SimpleLimiter:
    """A limiter that spaces calls evenly. It neither waits nor sets timers: the client does."""

    def __init__(self) -> None:
        self._next = self.paused_until = self.blocked_until = -math.inf

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call can be sent, in seconds of the event loop's clock."""
        return max(self._next, self.paused_until)

    def on_send(self, now: float) -> Ticket:
        """Space the next call from this one."""
        self._next = max(self._next, now) + 1 / PER_SECOND
        return Ticket(now)

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """Give the slot back."""
        self._next -= 1 / PER_SECOND

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """Nothing is learned."""

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        """After a 429, pause."""
        if observation.status == 429:
            self.paused_until = observation.received_time + (observation.retry_after or 1)

    def estimate(self, now: float) -> Estimate:
        """What `client.statistics()` shows."""
        return Estimate(LimitSource.NONE, PER_SECOND)


async def main(ids: list[str]) -> None:
    """Print whether a backup runs for each instance."""
    client = BackupifyClient.from_env(limiter=SimpleLimiter())
    async with client, client.fleet(ids).get_active() as outcomes:
        async for outcome in outcomes:
            print(f"instance {outcome.key}: {outcome.value or outcome.error or 'idle'}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
