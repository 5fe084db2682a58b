"""What redis-py raises, in words without anything of the URL, which can hold a password."""

import os
import socket
import ssl

from redis.exceptions import (
    AuthenticationError,
    InvalidResponse,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from backupify_async._escaping import printable

_SHOWN = 80  # characters of a text of the server

FAULTS = (RedisError, OSError)
"""What a command can raise: `TimeoutError` is an OSError."""


def why_unavailable(error: BaseException) -> str:
    """Why the server cannot be used, for a message."""
    match error:
        case AuthenticationError():
            return "the Redis server refuses this user name or password"
        case NoPermissionError():
            return "the Redis server denies this user a command or a key"
        case RedisTimeoutError() | TimeoutError():
            return "the Redis server does not respond within a second"
        case RedisConnectionError() | OSError():
            return f"the Redis server cannot be reached ({_cause(error)})"
        case InvalidResponse():
            return "what responds there is not a Redis server"
        case ResponseError():  # it is the server's, which does not repeat a password
            return f"the Redis server refuses a command ({printable(error)[:_SHOWN]})"
        case _:
            return f"the Redis server refuses a command ({type(error).__name__})"


def _cause(error: BaseException) -> str:
    """What the system says: texts of errors name the address."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return str(cause.reason)
        if isinstance(cause, socket.gaierror):
            return "its name cannot be resolved"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    return "the connection was lost"
