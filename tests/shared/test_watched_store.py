"""A store that knows whether it can be reached."""

from datetime import UTC, datetime, timedelta

import pytest

from backupify_async import ConfigurationError, SharedStoreAway, SharedStoreBack
from backupify_async._shared.store import Stored, StoreUnavailable
from backupify_async._shared.watched_store import WatchedStore
from backupify_async.events import Event
from tests.shared.members import Wake, opened
from tests.support.memory_store import MemoryHub, MemoryStore


def leave(_: Stored) -> None:
    """A change that changes nothing."""


async def fail(store: WatchedStore, name: str = "limit") -> None:
    with pytest.raises(StoreUnavailable):
        await store.turn(name, leave)


class TestAStoreThatIsAway:
    async def test_is_away_since_its_first_failed_turn(self) -> None:
        hub = MemoryHub()
        store = WatchedStore(MemoryStore(hub))
        async with opened(store):
            await store.turn("limit", leave)
            assert store.away_since is None
            hub.away = True
            await fail(store)
            since = store.away_since
            assert since is not None
            assert datetime.now(UTC) - since < timedelta(seconds=10)
            await fail(store)
            assert store.away_since == since
            hub.away = False
            await store.turn("limit", leave)
            assert store.away_since is None

    async def test_is_an_event_once_and_another_when_it_is_back(self) -> None:
        hub, events = MemoryHub(away=True), list[Event]()
        store = WatchedStore(MemoryStore(hub), events.append)
        async with opened(store):
            await fail(store)
            await fail(store)
            hub.away = False
            await store.turn("limit", leave)
            await store.turn("limit", leave)
        assert [type(event) for event in events] == [SharedStoreAway, SharedStoreBack]
        assert events[0] == SharedStoreAway("the hub is away")
        assert isinstance(events[1], SharedStoreBack)
        assert 0 <= events[1].away_for < 10

    async def test_is_one_that_is_used_wrongly_as_well(self) -> None:
        def misuse(_: Stored) -> None:
            raise ConfigurationError("two versions share this store")

        events = list[Event]()
        store = WatchedStore(MemoryStore(MemoryHub()), events.append)
        async with opened(store):
            with pytest.raises(ConfigurationError):
                await store.turn("limit", misuse)
        assert events == [SharedStoreAway("two versions share this store")]

    async def test_is_not_judged_by_the_token(self) -> None:
        hub = MemoryHub(away=True)
        store = WatchedStore(MemoryStore(hub))
        async with opened(store):
            await fail(store, "token")
            assert store.away_since is None


class TestAnAnnouncement:
    async def test_wakes_all_listeners(self) -> None:
        hub = MemoryHub()
        mine, theirs = WatchedStore(MemoryStore(hub)), WatchedStore(MemoryStore(hub))
        limit, token = Wake(), Wake()
        mine.listeners.append(token)
        async with opened(mine, wake=limit), opened(theirs):
            await theirs.announce()
            await limit.arrived()
            await token.arrived()
        assert (limit.count, token.count) == (1, 1)
