"""A store that knows whether it can be reached, and reports announcements to all who listen."""

from collections.abc import Callable
from datetime import UTC, datetime

from backupify_async._shared.store import LIMIT, Change, StateStore, StoreUnavailable
from backupify_async.errors import ConfigurationError
from backupify_async.events import EventHook, SharedStoreAway, SharedStoreBack, emit


class WatchedStore:
    """Passes on what another `StateStore` does.

    Args:
        store: The other store.
        on_event: Called when it is away, and when it is back.
    """

    def __init__(self, store: StateStore, on_event: EventHook | None = None) -> None:
        self._store = store
        self._hook = on_event
        self.listeners: list[Callable[[], None]] = []
        """Called when another member has announced something."""
        self.away_since: datetime | None = None
        """Since when the store cannot be used, UTC; None if it can."""

    async def open(self, on_change: Callable[[], None]) -> None:
        """Connect. See `StateStore`."""
        self.listeners.append(on_change)
        await self._store.open(self._report)

    async def turn(self, name: str, change: Change) -> None:
        """Change a value. See `StateStore`."""
        if name != LIMIT:  # whose turns are frequent
            await self._store.turn(name, change)
            return
        try:
            await self._store.turn(name, change)
        except (StoreUnavailable, ConfigurationError) as error:
            self.report_away(str(error))
            raise
        if self.away_since is not None:
            self._back(self.away_since)

    async def announce(self) -> None:
        """Wake the other members. See `StateStore`."""
        await self._store.announce()

    async def close(self) -> None:
        """Disconnect. See `StateStore`."""
        await self._store.close()

    def _report(self) -> None:
        for listener in self.listeners:
            listener()

    def report_away(self, reason: str) -> None:
        """Note that it is away: also for who gave up a turn, which for the store was only cancelled."""
        if self.away_since is None:
            self.away_since = datetime.now(UTC)
            emit(self._hook, SharedStoreAway(reason))

    def _back(self, since: datetime) -> None:
        seconds = (datetime.now(UTC) - since).total_seconds()
        self.away_since = None
        emit(self._hook, SharedStoreBack(seconds))
