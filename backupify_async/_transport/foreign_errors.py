"""What an exception of a user's transport or limiter means for the call that met it. Pure."""

import asyncio
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backupify_async._transport.transport import PreparedRequest
from backupify_async.errors import BackupifyError, TransportError

_LIMITS = frozenset({"connect", "read", "attempt", "total"})  # of a `RequestTimeout`: code compares them


def transport_failure(
    error: BaseException, request: PreparedRequest, *, was_cancelled: bool
) -> BackupifyError | None:
    """The failure of a request, by what its transport raised; None where the caller gets that unchanged.

    Args:
        error: What the transport raised.
        request: The request that it was to send.
        was_cancelled: Whether the call was cancelled.
    """
    if isinstance(error, BackupifyError):
        _hide_secrets(error, request)
        return error
    if isinstance(error, asyncio.CancelledError):  # a part of the transport can have been cancelled
        return None if was_cancelled else foreign_exception(error)
    if isinstance(error, Exception) and not request.repeatable:
        return foreign_exception(error)
    return None


def foreign_exception(error: BaseException) -> TransportError:
    """The error for an exception that no user's part should raise; the text of that could hold the token."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    file = Path(frame.f_code.co_filename).name
    return TransportError(f"{type(error).__name__} was raised in {file}, line {line}")


def _hide_secrets(error: BackupifyError, request: PreparedRequest) -> None:
    """Replace the secrets in an error, and drop causes that hold one: a transport can quote a header."""
    if any(_shows_secret(link, request) for link in _chain(error)):
        error.__cause__ = error.__context__ = None
    if not _shows_secret(error, request):
        return
    error.args = _without_secrets(error.args, request)
    for name, value in vars(error).items():
        setattr(error, name, _without_secrets(value, request))


def _shows_secret(error: BaseException, request: PreparedRequest) -> bool:
    """Whether the message of an error, its arguments or its fields, as its notes, hold a secret."""
    try:
        text = f"{error} {error.args} {vars(error)}"
    except Exception:  # noqa: BLE001 - a user's `__str__` can raise anything
        return True
    return request.without_secrets(text) != text


def _without_secrets(value: Any, request: PreparedRequest) -> Any:
    match value:
        case str():
            return value if value in _LIMITS else request.without_secrets(value)
        case bytes():
            return request.without_secrets(value.decode("latin-1")).encode("latin-1")
        case list():
            return [_without_secrets(item, request) for item in value]
        case dict():
            return {key: _without_secrets(item, request) for key, item in value.items()}
        case tuple() if type(value) is tuple:
            return tuple(_without_secrets(item, request) for item in value)
        case _:
            return value


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The causes of an error, each once, with the members of groups."""
    seen, links = {id(error)}, [error.__cause__, error.__context__]
    while links:
        link = links.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            links += [link.__cause__, link.__context__]
            if isinstance(link, BaseExceptionGroup):
                links += link.exceptions
            yield link
