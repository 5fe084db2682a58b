"""Start a backup of each instance in a file of ids: `python examples/trigger_fleet.py ids.txt`.

No instance gets two: an id that is in the file twice is triggered once, and after a lost response the client
searches for the backup. If the outcome stays unknown, it is reported, and the trigger is not repeated.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

from backupify_async import (
    AmbiguousTrigger,
    BackupifyClient,
    DuplicateInstance,
    Failure,
    Outcome,
    Success,
    TriggerKind,
    TriggerResult,
)

WORDS = {
    TriggerKind.STARTED: "started",
    TriggerKind.ADOPTED: "started; the response was lost, and the backup was found",
    TriggerKind.ALREADY_ACTIVE: "a backup was running already",
}


def read_ids(text: str) -> Iterator[str]:
    """The ids in a text, one per line; blank lines and comments are skipped."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def in_words(outcome: Outcome[int | str, TriggerResult]) -> str:
    """The result of an instance."""
    match outcome:
        case Success(value=result):
            return WORDS[result.kind]
        case Failure(error=DuplicateInstance()):
            return "in the file twice, triggered once"
        case Failure(error=AmbiguousTrigger() as error):
            return f"CHECK THE INSTANCE before you trigger again: {error.reason or error.cause}"
        case Failure(error=error):
            return f"not started: {error}"


async def main(path: str) -> int:
    """Trigger, print the result of each instance, and return the exit code."""
    text = await asyncio.to_thread(Path(path).read_text)
    failed = 0
    async with BackupifyClient.from_env() as client, client.fleet(read_ids(text)).trigger() as outcomes:
        async for outcome in outcomes:
            print(f"instance {outcome.key}: {in_words(outcome)}")
            failed += not outcome.ok and not isinstance(outcome.error, DuplicateInstance)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
