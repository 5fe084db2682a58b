"""The running event loop, or an error that a user of trio understands."""

import asyncio

from backupify_async.errors import ConfigurationError


def running_loop() -> asyncio.AbstractEventLoop:
    """The running event loop.

    Raises:
        ConfigurationError: No asyncio loop runs here; another library can run a loop.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "no asyncio event loop is running: this client needs asyncio, and does not work with trio"
        ) from None
