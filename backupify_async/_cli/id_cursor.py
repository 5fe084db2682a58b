"""How far the ids of a sweep were read, so that a sweep that ends early can name those it never began."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from backupify_async._cli.ids import Ids
from backupify_async._cli.text import count
from backupify_async.client import BackupifyClient
from backupify_async.ids import InstanceId


class IdCursor:
    """Reads ids, and knows which was the last.

    Args:
        ids: Where they come from.
    """

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._last: InstanceId | None = None
        self._read = 0
        self._ended = False

    async def read(self, client: BackupifyClient) -> AsyncGenerator[InstanceId, None]:
        """The ids, read as they are wanted.

        Raises:
            Exit: They cannot be read, or one of them is none.
        """
        async with aclosing(self._ids.read(client)) as source:
            async for instance_id in source:
                self._last = instance_id
                self._read += 1
                yield instance_id
        self._ended = True

    def rest(self) -> str | None:
        """The ids that were not read, in words; None where there are none."""
        total = self._ids.total
        left = None if total is None or total < self._read else total - self._read
        if self._ended or left == 0:
            return None
        which = "any ids" if left is None else f"the {count(left, 'id')}"
        return f"{which}{f' after {self._last}' if self._read else ''} {self._ids.where}"
