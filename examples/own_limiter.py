"""Share 20 calls a second with all processes on this machine: `python examples/own_limiter.py FILE 42 43`.

The slots are counted in FILE, an SQLite database. Each process leases a few at a time.
"""

# ruff: noqa: ARG002 - the protocol has more arguments than this limiter needs

import asyncio
import math
import sqlite3
import sys
import time
from contextlib import closing

from backupify_async import BackupifyClient, Estimate, LimitSource, Observation, Ticket

PER_SECOND = 20
LEASE = 5


class SharedLimiter:
    """A limiter whose slots come from a file; `acquire` waits for them."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._slots = 0
        self.paused_until = self.blocked_until = -math.inf

    def earliest(self, now: float, in_flight: int) -> float:
        """Now while there are slots; otherwise the client awaits `acquire`."""
        return now if self._slots > 0 else math.inf

    async def acquire(self, waiting: int) -> None:
        """Lease some slots, and wait until they are due."""
        wait = await asyncio.to_thread(self._lease)
        await asyncio.sleep(wait)
        self._slots += LEASE

    def _lease(self) -> float:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as store:
            store.execute("CREATE TABLE IF NOT EXISTS leases (due REAL)")
            store.execute("BEGIN IMMEDIATE")
            (due,) = store.execute("SELECT coalesce(max(due), 0) FROM leases").fetchone()
            due = max(due, time.time())
            store.execute("DELETE FROM leases")
            store.execute("INSERT INTO leases VALUES (?)", [due + LEASE / PER_SECOND])
            store.execute("COMMIT")
        return float(due - time.time())

    def on_send(self, now: float) -> Ticket:
        """Spend a slot."""
        self._slots -= 1
        return Ticket(now)

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        """Give the slot back."""
        self._slots += 1

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """Nothing is learned."""

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        """After a 429, drop the remaining slots: the next call waits for a new lease."""
        if observation.status == 429:
            self._slots = min(self._slots, 0)

    def estimate(self, now: float) -> Estimate:
        """What `client.statistics()` shows."""
        return Estimate(LimitSource.NONE, PER_SECOND)


async def main(path: str, ids: list[str]) -> None:
    """Print whether a backup runs for each instance."""
    client = BackupifyClient.from_env(limiter=SharedLimiter(path))
    async with client, client.fleet(ids).get_active() as outcomes:
        async for outcome in outcomes:
            print(f"instance {outcome.key}: {outcome.value or outcome.error or 'idle'}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
