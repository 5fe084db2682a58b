"""The stores that the contract of `StateStore` is tested on, each by the place where its values are."""

from collections.abc import Callable
from pathlib import Path

from backupify_async._shared.file_store import FileStore
from backupify_async._shared.redis_store import RedisStore
from backupify_async._shared.store import StateStore, Stored
from tests.support.memory_store import MemoryHub, MemoryStore

KEY = "0123456789abcdef"
Place = str | MemoryHub
Factory = Callable[[Place], StateStore]
BETWEEN_PROCESSES = ("file", "redis")


def file_store(place: Place) -> FileStore:
    assert isinstance(place, str)
    return FileStore(Path(place), KEY)


def memory_store(place: Place) -> MemoryStore:
    assert isinstance(place, MemoryHub)
    return MemoryStore(place)


def redis_store(place: Place) -> RedisStore:
    assert isinstance(place, str)
    return RedisStore(place, KEY)


STORES: dict[str, Factory] = {"memory": memory_store, "file": file_store, "redis": redis_store}
"""By name, what creates one member's store at a place."""


def increment(stored: Stored) -> bytes:
    """A change that counts."""
    return b"%d" % (int(stored.value or b"0") + 1)
