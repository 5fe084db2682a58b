"""What applies to every test: a blocking call in the event loop is an error."""

import asyncio
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

# pytest-asyncio 1.5 asks for the main thread's event loop before its first test. Up to Python 3.13 that
# creates a loop that is never closed, and its ResourceWarning fails the test that runs at that time.
asyncio.set_event_loop(None)

settings.register_profile("few", max_examples=20)


@pytest.fixture(scope="session")
def blockbuster() -> Iterator[BlockBuster]:
    """A blocking call of the package in an event loop raises BlockingError."""
    with blockbuster_ctx("backupify_async") as blockbuster:
        # Where several threads run measured code, coverage itself waits for its lock within that code.
        lock = blockbuster.functions["threading.Lock.acquire"]
        lock.can_block_in("coverage/collector.py", {"lock_data"})
        for function in blockbuster.functions.values():
            # A turn at a file store takes less time than it takes to reach a thread.
            function.can_block_in("_shared/file_store.py", {"__init__", "open", "turn", "announce", "close"})
            function.can_block_in("_shared/wakeups.py", {"open", "wake_others", "close", "_poll"})
        yield blockbuster


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest, blockbuster: BlockBuster) -> Iterator[None]:
    """Detect blocking calls, except in a test that is marked `blocking`."""
    if request.node.get_closest_marker("blocking") is None:
        yield
        return
    blockbuster.deactivate()
    yield
    blockbuster.activate()
