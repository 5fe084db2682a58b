"""Poll a whole fleet for stale instances: a cron job.

The exit code is 0 if the newest backup of each instance is less than a day old, else 1. Stale instances, and
those whose calls failed, are printed. Each instance takes two calls at most, however many backups it has.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from backupify_async import Backup, BackupifyClient

LIMIT = timedelta(days=1)


async def instance_ids(client: BackupifyClient) -> AsyncIterator[int | str]:
    """All instances, page by page: the first calls are sent before the last page is read."""
    async for instance in client.instances.list():
        yield instance.id


def problem(newest: Backup | None, now: datetime) -> str | None:
    """The problem of an instance with this newest backup; None if there is none."""
    if newest is None:
        return "has no backup"
    if newest.created_at is None:
        return f"has a newest backup ({newest.id}) without a date"
    age = now - newest.created_at
    return f"is stale: its newest backup is {age.days} days old" if age > LIMIT else None


async def main() -> int:
    """Poll, print, and return the exit code."""
    polled = problems = 0
    async with (
        BackupifyClient.from_env() as client,
        client.fleet(instance_ids(client), concurrency=64).latest() as outcomes,
    ):
        async for outcome in outcomes:
            polled += 1
            found = problem(outcome.value, datetime.now(UTC)) if outcome.ok else f"failed: {outcome.error}"
            if found is not None:
                problems += 1
                print(f"instance {outcome.key} {found}")
    print(f"{polled} instances polled, {problems} to check", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
