"""Checks a user's transport or limiter where the client is made, and not in its first call."""

from backupify_async._checks import check_count, check_part
from backupify_async._transport.transport import Transport
from backupify_async.config import Settings

_TRANSPORT = ("max_concurrency", "open()", "close()", "__call__()")
_LIMITER = (
    "paused_until",
    "blocked_until",
    "earliest()",
    "on_send()",
    "on_cancel()",
    "on_no_response()",
    "on_response()",
    "estimate()",
)


def check_transport(transport: object) -> None:
    """Require what `Transport` has.

    Raises:
        ConfigurationError: It is a class, or a member is missing; the message says which.
        ValueError: Its `max_concurrency` is neither None nor an integer of at least 1.
    """
    advice = "do as `Transport` says; an aiohttp session goes into AiohttpTransport(session=...)"
    check_part("transport", transport, _TRANSPORT, advice)
    max_concurrency = getattr(transport, "max_concurrency", None)
    if max_concurrency is not None:
        check_count("transport.max_concurrency", max_concurrency)


def check_limiter(limiter: object) -> None:
    """Require what `Limiter` has.

    Raises:
        ConfigurationError: It is a class, or a member is missing; the message says which.
    """
    check_part("limiter", limiter, _LIMITER, "do as `Limiter` says; a RateLimit goes into rate_limit=")


def max_in_flight(settings: Settings, transport: Transport) -> int:
    """How many requests can be in flight: as many as both the client and its transport allow."""
    most = transport.max_concurrency
    return settings.max_concurrency if most is None else min(settings.max_concurrency, most)
