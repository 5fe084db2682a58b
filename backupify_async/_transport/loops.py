"""The event loop that runs here."""

import asyncio

from backupify_async.errors import ConfigurationError


def running_loop() -> asyncio.AbstractEventLoop:
    """The running event loop.

    Raises:
        ConfigurationError: asyncio runs none here; another library may run one of its own.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigurationError(
            "no event loop of asyncio runs here: this client is for asyncio only, and not for trio"
        ) from None
