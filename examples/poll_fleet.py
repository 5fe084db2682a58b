"""Poll a whole fleet for stale instances: a cron job.

Exit code 0 if the newest backup of each instance is younger than a day, else 1; the stale ones and those that
could not be asked are named. It takes two calls an instance at the most, however many backups there are.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

from backupify_async import Backup, BackupifyClient

LIMIT = timedelta(days=1)


async def instance_ids(client: BackupifyClient) -> AsyncIterator[int | str]:
    """All instances, page by page: the sweep begins before the last page has come."""
    async for instance in client.instances.list():
        yield instance.id


def complaint(newest: Backup | None, now: datetime) -> str | None:
    """What is wrong with an instance whose newest backup this is; None where nothing is."""
    if newest is None:
        return "has no backup"
    if newest.created_at is None:
        return f"has a newest backup ({newest.id}) without a date"
    age = now - newest.created_at
    return f"is stale: its newest backup is {age.days} days old" if age > LIMIT else None


async def main() -> int:
    """Poll, print, and return the exit code."""
    polled = wrong = 0
    async with (
        BackupifyClient.from_env() as client,
        client.fleet(instance_ids(client), concurrency=64).latest() as outcomes,
    ):
        async for outcome in outcomes:
            polled += 1
            said = complaint(outcome.value, datetime.now(UTC)) if outcome.ok else f"failed: {outcome.error}"
            if said is not None:
                wrong += 1
                print(f"instance {outcome.key} {said}")
    print(f"{polled} instances polled, {wrong} to look after", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
