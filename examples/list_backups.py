"""List the backups of some instances: `python examples/list_backups.py 42 43`, or of all without ids."""

import asyncio
import sys

from backupify_async import BackupifyClient


async def main(ids: list[str]) -> None:
    """Print each instance with its backups, in the order of the ids."""
    async with BackupifyClient.from_env() as client:
        chosen: list[int | str] = [*ids] or [instance.id async for instance in client.instances.list()]
        async with client.fleet(chosen).list(ordered=True) as outcomes:
            async for outcome in outcomes:
                if outcome.value is None:
                    print(f"instance {outcome.key}: {outcome.error}", file=sys.stderr)
                    continue
                print(f"instance {outcome.key}: {len(outcome.value)} backups")
                for backup in outcome.value:
                    print(f"  {backup.id}  {backup.status}  {backup.created_at}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
