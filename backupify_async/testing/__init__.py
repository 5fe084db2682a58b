"""A simulated Backupify on a real socket, with faults and a request log, for your own tests.

`async with SimulatedBackupify(instances=50, seed=1) as server:` starts it on a loopback port. The pytest
fixture `backupify` is one that runs in its own thread. The simulation shares no code with the client, so that
a mistake cannot cancel itself out.

Names are imported on first use: pytest loads the plugin in every run, and must not pay for `aiohttp.web`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backupify_async.testing._clock import ManualClock
    from backupify_async.testing._faults import Fault
    from backupify_async.testing._limits import FixedWindow, TokenBucket
    from backupify_async.testing._log import RequestRecord
    from backupify_async.testing._server import SimulatedBackupify
    from backupify_async.testing._state import SimulatedBackup
    from backupify_async.testing._thread import running_in_thread

__all__ = [
    "Fault",
    "FixedWindow",
    "ManualClock",
    "RequestRecord",
    "SimulatedBackup",
    "SimulatedBackupify",
    "TokenBucket",
    "running_in_thread",
]

_ROOMS = {
    "Fault": "_faults",
    "FixedWindow": "_limits",
    "ManualClock": "_clock",
    "RequestRecord": "_log",
    "SimulatedBackup": "_state",
    "SimulatedBackupify": "_server",
    "TokenBucket": "_limits",
    "running_in_thread": "_thread",
}


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
