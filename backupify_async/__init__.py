"""An asyncio client for the Backupify API: list, watch and trigger backups across many instances at once.

    from backupify_async import BackupifyClient

    async with BackupifyClient.from_env() as client:
        async with client.fleet([41, 42, 43]).get_active() as outcomes:
            async for outcome in outcomes:
                print(outcome.key, outcome.value if outcome.ok else outcome.error)

Start with `BackupifyClient`. `errors` shows the tree of errors, and `backupify_async.testing` has a simulated
Backupify for your own tests.

Names are imported on first use. pytest loads the plugin of every installed package, and must not pay for
aiohttp here; and `backupify` can report why an import failed. `BackupifyClient` imports all that a call
needs, also when it fails: nothing is imported on a failure path.
"""

from backupify_async.version import __version__

TYPE_CHECKING = False  # type checkers recognise the name; `typing` takes ten times as long to import

if TYPE_CHECKING:
    from backupify_async._endpoints.api_response import APIResponse
    from backupify_async._fleet.fan_out import FanOut, fan_out
    from backupify_async._fleet.fleet import Fleet
    from backupify_async._fleet.outcomes import Failure, Outcome, Results, Success
    from backupify_async._fleet.streaming import Outcomes
    from backupify_async._journal.entries import EntryState, JournalEntry, SweepAccount, SweepInfo
    from backupify_async._journal.journal import Journal
    from backupify_async._journal.store import JournalStore
    from backupify_async._paging.page import Page
    from backupify_async._paging.paginator import Paginator
    from backupify_async._shared.shared_state import SharedState
    from backupify_async._transport.aiohttp_transport import AiohttpTransport
    from backupify_async._transport.rate import (
        AsyncLimiter,
        Estimate,
        Limiter,
        Observation,
        OpenableLimiter,
        Ticket,
    )
    from backupify_async._transport.rate.adaptive import AdaptiveLimiter
    from backupify_async._transport.rate.headers import Quota
    from backupify_async._transport.transport import PreparedRequest, Response, Transport
    from backupify_async.client import BackupifyClient
    from backupify_async.config import RateLimit, Reconciliation, RetryPolicy, Settings, Timeouts
    from backupify_async.credentials import ClientCredentials, StaticToken, Token, TokenSource
    from backupify_async.errors import (
        AmbiguousRequest,
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
        MissingCredentials,
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
    from backupify_async.events import (
        Event,
        EventHook,
        LimitChanged,
        RequestSent,
        ResponseReceived,
        RetryScheduled,
        SharedStoreAway,
        SharedStoreBack,
        Throttled,
        TokenRefreshed,
        TriggerStopped,
    )
    from backupify_async.ids import InstanceId
    from backupify_async.models import (
        Backup,
        BackupInstance,
        SentTrigger,
        TriggerKind,
        TriggerResult,
        WaitKind,
        WaitResult,
    )
    from backupify_async.polling import PollPolicy
    from backupify_async.statistics import LimitSource, SpeedReason, Statistics

__all__ = [
    "APIError",
    "APIResponse",
    "AdaptiveLimiter",
    "AiohttpTransport",
    "AmbiguousRequest",
    "AmbiguousTrigger",
    "AsyncLimiter",
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
    "EntryState",
    "Estimate",
    "Event",
    "EventHook",
    "Failure",
    "FanOut",
    "FanOutAborted",
    "Fleet",
    "InstanceId",
    "Journal",
    "JournalEntry",
    "JournalError",
    "JournalStore",
    "LimitChanged",
    "LimitSource",
    "Limiter",
    "MissingCredentials",
    "NotFound",
    "Observation",
    "OpenableLimiter",
    "Outcome",
    "Outcomes",
    "Page",
    "PaginationError",
    "Paginator",
    "PermissionDenied",
    "PollPolicy",
    "PreparedRequest",
    "Quota",
    "RateLimit",
    "RateLimited",
    "Reconciliation",
    "RequestSent",
    "RequestTimeout",
    "Response",
    "ResponseReceived",
    "Results",
    "RetryPolicy",
    "RetryScheduled",
    "SentTrigger",
    "ServerError",
    "Settings",
    "SharedState",
    "SharedStoreAway",
    "SharedStoreBack",
    "SpeedReason",
    "StaticToken",
    "Statistics",
    "Success",
    "SweepAccount",
    "SweepInfo",
    "Throttled",
    "Ticket",
    "Timeouts",
    "Token",
    "TokenRefreshed",
    "TokenSource",
    "Transport",
    "TransportError",
    "TriggerKind",
    "TriggerResult",
    "TriggerStopped",
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

# Where each name comes from, if not from `errors`.
_ROOMS = {
    "APIResponse": "_endpoints.api_response",
    "AdaptiveLimiter": "_transport.rate.adaptive",
    "AiohttpTransport": "_transport.aiohttp_transport",
    "AsyncLimiter": "_transport.rate.limiter",
    "Backup": "models",
    "BackupInstance": "models",
    "BackupifyClient": "client",
    "ClientCredentials": "credentials",
    "EntryState": "_journal.entries",
    "Estimate": "_transport.rate.limiter",
    "Event": "events",
    "EventHook": "events",
    "Failure": "_fleet.outcomes",
    "FanOut": "_fleet.fan_out",
    "Fleet": "_fleet.fleet",
    "InstanceId": "ids",
    "Journal": "_journal.journal",
    "JournalEntry": "_journal.entries",
    "JournalStore": "_journal.store",
    "LimitChanged": "events",
    "LimitSource": "statistics",
    "Limiter": "_transport.rate.limiter",
    "Observation": "_transport.rate.limiter",
    "OpenableLimiter": "_transport.rate.limiter",
    "Outcome": "_fleet.outcomes",
    "Outcomes": "_fleet.streaming",
    "Page": "_paging.page",
    "Paginator": "_paging.paginator",
    "PollPolicy": "polling",
    "Quota": "_transport.rate.headers",
    "PreparedRequest": "_transport.transport",
    "RateLimit": "config",
    "Reconciliation": "config",
    "RequestSent": "events",
    "Response": "_transport.transport",
    "ResponseReceived": "events",
    "Results": "_fleet.outcomes",
    "RetryPolicy": "config",
    "RetryScheduled": "events",
    "SentTrigger": "models",
    "Settings": "config",
    "SharedState": "_shared.shared_state",
    "SharedStoreAway": "events",
    "SharedStoreBack": "events",
    "SpeedReason": "statistics",
    "StaticToken": "credentials",
    "Statistics": "statistics",
    "Success": "_fleet.outcomes",
    "SweepAccount": "_journal.entries",
    "SweepInfo": "_journal.entries",
    "Throttled": "events",
    "Ticket": "_transport.rate.ticket",
    "Timeouts": "config",
    "Token": "credentials",
    "TokenRefreshed": "events",
    "TokenSource": "credentials",
    "Transport": "_transport.transport",
    "TriggerKind": "models",
    "TriggerResult": "models",
    "TriggerStopped": "events",
    "WaitKind": "models",
    "WaitResult": "models",
    "fan_out": "_fleet.fan_out",
}

if not TYPE_CHECKING:  # otherwise type checkers would accept any name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib  # noqa: PLC0415 - as above

        value = getattr(importlib.import_module(f"{__name__}.{_ROOMS.get(name, 'errors')}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


del TYPE_CHECKING
