"""An asyncio client for the Backupify API: list, watch and trigger backups across many instances at once.

    async with BackupifyClient.from_env() as client:
        async with client.fleet(ids).get_active() as outcomes:
            async for outcome in outcomes:
                print(outcome.key, outcome.value if outcome.ok else outcome.error)

`BackupifyClient` is the front door; `errors` draws the tree of errors; `backupify_async.testing` is a
simulated Backupify for your own tests. What sweeps, journals and events need is imported on first use.
"""

import importlib
import typing

from backupify_async import errors as _errors
from backupify_async.client import BackupifyClient
from backupify_async.config import RateLimit, Reconciliation, RetryPolicy, Settings, Timeouts
from backupify_async.credentials import ClientCredentials, StaticToken, Token, TokenSource
from backupify_async.errors import (
    AmbiguousTrigger,
    APIError,
    AuthenticationError,
    BackupifyError,
    BadRequest,
    ClientClosed,
    ClientDraining,
    ConfigurationError,
    Conflict,
    ConnectionFailed,
    DecodeError,
    DuplicateInstance,
    FanOutAborted,
    JournalError,
    NotFound,
    PaginationError,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    ServerError,
    TransportError,
    Unauthorized,
    UnprocessableEntity,
    UnsafeLink,
    WaitFailed,
    WaitTimeout,
)
from backupify_async.models import Backup, BackupInstance, TriggerKind, TriggerResult, WaitKind, WaitResult
from backupify_async.pages import Page
from backupify_async.pagination import Paginator
from backupify_async.polling import PollPolicy
from backupify_async.statistics import LimitSource, Statistics
from backupify_async.version import __version__

if typing.TYPE_CHECKING:
    from backupify_async.events import (
        Event,
        EventHook,
        RequestSent,
        ResponseReceived,
        RetryScheduled,
        Throttled,
        TokenRefreshed,
    )
    from backupify_async.fleet.fan_out import FanOut, fan_out
    from backupify_async.fleet.fleet import Fleet
    from backupify_async.fleet.outcomes import Failure, Outcome, Results, Success
    from backupify_async.fleet.streaming import Outcomes
    from backupify_async.journal.journal import Journal

__all__ = [
    "APIError",
    "AmbiguousTrigger",
    "AuthenticationError",
    "Backup",
    "BackupInstance",
    "BackupifyClient",
    "BackupifyError",
    "BadRequest",
    "ClientClosed",
    "ClientCredentials",
    "ClientDraining",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "DecodeError",
    "DuplicateInstance",
    "Event",
    "EventHook",
    "Failure",
    "FanOut",
    "FanOutAborted",
    "Fleet",
    "Journal",
    "JournalError",
    "LimitSource",
    "NotFound",
    "Outcome",
    "Outcomes",
    "Page",
    "PaginationError",
    "Paginator",
    "PermissionDenied",
    "PollPolicy",
    "RateLimit",
    "RateLimited",
    "Reconciliation",
    "RequestSent",
    "RequestTimeout",
    "ResponseReceived",
    "Results",
    "RetryPolicy",
    "RetryScheduled",
    "ServerError",
    "Settings",
    "StaticToken",
    "Statistics",
    "Success",
    "Throttled",
    "Timeouts",
    "Token",
    "TokenRefreshed",
    "TokenSource",
    "TransportError",
    "TriggerKind",
    "TriggerResult",
    "Unauthorized",
    "UnprocessableEntity",
    "UnsafeLink",
    "WaitFailed",
    "WaitKind",
    "WaitResult",
    "WaitTimeout",
    "__version__",
    "fan_out",
]

_ROOMS = {
    "Event": "events",
    "EventHook": "events",
    "Failure": "fleet.outcomes",
    "FanOut": "fleet.fan_out",
    "Fleet": "fleet.fleet",
    "Journal": "journal.journal",
    "Outcome": "fleet.outcomes",
    "Outcomes": "fleet.streaming",
    "RequestSent": "events",
    "ResponseReceived": "events",
    "Results": "fleet.outcomes",
    "RetryScheduled": "events",
    "Success": "fleet.outcomes",
    "Throttled": "events",
    "TokenRefreshed": "events",
    "fan_out": "fleet.fan_out",
}

if not typing.TYPE_CHECKING:  # or a type checker would believe any name to be there

    def __getattr__(name: str) -> object:
        if name not in _ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# Errors and client show themselves under the name that users import. Not the models: cattrs and attrs look
# a model's annotations up in the module that it says it is from.
for _error in vars(_errors).values():
    if isinstance(_error, type) and issubclass(_error, BackupifyError):
        _error.__module__ = __name__
BackupifyClient.__module__ = __name__
del _error, _errors
