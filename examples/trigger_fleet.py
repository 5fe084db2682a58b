"""Start a backup of each instance in a file of ids: `python examples/trigger_fleet.py ids.txt`.

No instance gets two: an id that is in the file twice is triggered once, and the backup of a trigger
whose response was lost is looked up. If its outcome stays unknown, it is reported and not repeated.
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
    TriggerKind.ADOPTED: "started; the answer was lost, and the backup was found",
    TriggerKind.ALREADY_ACTIVE: "a backup was running already",
}


def read_ids(text: str) -> Iterator[str]:
    """The ids in a text, one a line; blank lines and comments are passed over."""
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def in_words(outcome: Outcome[int | str, TriggerResult]) -> str:
    """What became of an instance."""
    match outcome:
        case Success(value=result):
            return WORDS[result.kind]
        case Failure(error=DuplicateInstance()):
            return "stands in the file twice, triggered once"
        case Failure(error=AmbiguousTrigger() as error):
            return f"LOOK AT IT before you trigger again: {error.reason or error.cause}"
        case Failure(error=error):
            return f"not started: {error}"


async def main(path: str) -> int:
    """Trigger, print what became of each instance, and return the exit code."""
    text = await asyncio.to_thread(Path(path).read_text)
    failed = 0
    async with BackupifyClient.from_env() as client, client.fleet(read_ids(text)).trigger() as outcomes:
        async for outcome in outcomes:
            print(f"instance {outcome.key}: {in_words(outcome)}")
            failed += not outcome.ok and not isinstance(outcome.error, DuplicateInstance)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
