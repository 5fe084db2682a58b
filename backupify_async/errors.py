"""The errors: one tree.

    BackupifyError
    ├── ConfigurationError          settings or credentials that cannot work
    │   └── MissingCredentials      the environment holds no credentials
    ├── ClientClosed                the client was closed, before or during the call
    │   └── ClientDraining          the client starts no new triggers: this one was not sent
    ├── AuthenticationError         no token could be obtained, or the server refuses it
    ├── TransportError              no complete response was received
    │   ├── ConnectionFailed        no connection was established: nothing was sent
    │   └── RequestTimeout          a time-out of `Timeouts` expired
    ├── APIError                    the server refused the request
    │   ├── BadRequest              400
    │   ├── Unauthorized            401, also an AuthenticationError
    │   ├── PermissionDenied        403
    │   ├── NotFound                404
    │   ├── Conflict                409
    │   ├── UnprocessableEntity     422
    │   ├── RateLimited             429
    │   └── ServerError             5xx
    ├── DecodeError                 the response is malformed, or not what the API returns
    ├── PaginationError             the pages of a list cannot be followed to their end
    │   └── UnsafeLink              a Link leads to another origin
    ├── AmbiguousRequest            a request may or may not have been carried out
    │   └── AmbiguousTrigger        a backup may or may not have been started
    ├── DuplicateInstance           an instance is twice in one sweep of triggers
    ├── JournalError                the journal of a sweep cannot be read or written
    ├── WaitTimeout                 a backup was not over when the wait for it timed out
    ├── WaitFailed                  a sweep triggered a backup, but stopped waiting for its end
    └── FanOutAborted               a fan-out stopped early

The fields of an error are the arguments of its class. Every error survives `pickle` and `copy`. None holds a
token or a secret.
"""

from backupify_async._errors.base import (
    AuthenticationError,
    BackupifyError,
    ClientClosed,
    ClientDraining,
    ConfigurationError,
    JournalError,
    MissingCredentials,
)
from backupify_async._errors.operations import (
    AmbiguousRequest,
    AmbiguousTrigger,
    DuplicateInstance,
    FanOutAborted,
    WaitFailed,
    WaitTimeout,
)
from backupify_async._errors.requests import (
    APIError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    DecodeError,
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
)

__all__ = [
    "APIError",
    "AmbiguousRequest",
    "AmbiguousTrigger",
    "AuthenticationError",
    "BackupifyError",
    "BadRequest",
    "ClientClosed",
    "ClientDraining",
    "ConfigurationError",
    "Conflict",
    "ConnectionFailed",
    "DecodeError",
    "DuplicateInstance",
    "FanOutAborted",
    "JournalError",
    "MissingCredentials",
    "NotFound",
    "PaginationError",
    "PermissionDenied",
    "RateLimited",
    "RequestTimeout",
    "ServerError",
    "TransportError",
    "Unauthorized",
    "UnprocessableEntity",
    "UnsafeLink",
    "WaitFailed",
    "WaitTimeout",
]

for _name in __all__:
    globals()[_name].__module__ = "backupify_async"  # where users import it from
