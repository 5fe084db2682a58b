"""The stores that the contract of `JournalStore` is tested on."""

from collections.abc import Callable
from pathlib import Path

from backupify_async import JournalStore
from backupify_async._journal.sqlite_store import SQLiteStore
from tests.support.json_lines_store import JsonLinesStore

Factory = Callable[[Path], JournalStore]
STORES: dict[str, Factory] = {"sqlite": SQLiteStore, "json_lines": JsonLinesStore}
"""What creates each store, by its name, for a journal at a path where nothing is yet."""
