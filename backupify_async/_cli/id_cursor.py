"""How far the ids of a sweep were read: a sweep that ends early reports those that it did not begin."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from backupify_async._cli.id_sources import IdSource
from backupify_async._cli.plurals import count
from backupify_async.client import BackupifyClient
from backupify_async.ids import InstanceId


class IdCursor:
    """Reads ids, and remembers the last one.

    Args:
        source: Where the ids come from.
    """

    def __init__(self, source: IdSource) -> None:
        self._source = source
        self._last: InstanceId | None = None
        self._read = 0
        self._ended = False

    async def read(self, client: BackupifyClient) -> AsyncGenerator[InstanceId, None]:
        """The ids, read lazily.

        Raises:
            Exit: They cannot be read, or one of them is invalid.
        """
        async with aclosing(self._source.read(client)) as ids:
            async for instance_id in ids:
                self._last = instance_id
                self._read += 1
                yield instance_id
        self._ended = True

    def remaining(self) -> str | None:
        """The ids that were not read, in words; None where all were."""
        total = self._source.total
        number = None if total is None or total < self._read else total - self._read
        if self._ended or number == 0:
            return None
        which = "any ids" if number is None else f"the {count(number, 'id')}"
        return f"{which}{f' after {self._last}' if self._read else ''} {self._source.location}"
