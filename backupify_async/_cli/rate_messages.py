"""The client's rate, and the server's limit, in words."""

from datetime import UTC, datetime

from backupify_async.statistics import LimitSource, SpeedReason, Statistics

_FOUND_FROM = {
    LimitSource.HEADERS: "the quota in the headers",
    LimitSource.WINDOW: "Retry-After",
    LimitSource.IN_FLIGHT: "its limit of calls in flight",
    LimitSource.HISTORY: "429 responses alone",
}


def rate_status(now: Statistics, *, verbose: bool) -> list[str]:
    """Why calls are sent as fast as they are, for the status line; if verbose, also the server's limit."""
    limited = now.speed_reason is not SpeedReason.NOT_LIMITED
    text = now.speed_reason.value
    if (down := _seconds_down(now)) is not None:
        text = f"server down for {down} s"
    elif paused := _seconds_paused(now):
        text = f"paused for {paused} s: {text}"
    away = [store_away] if (store_away := store_message(now)) else []
    if not verbose or now.limit_per_second is None or not limited:
        return [*away, text] if verbose or limited else away
    return [*away, text, f"about {now.limit_per_second:,.1f}/s ({now.limit_source.value})"]


def store_message(now: Statistics) -> str:
    """Whether the store of --shared is away; "" where it is not."""
    if now.store_away is None:
        return ""
    return f"shared store away for {_seconds_since(now.store_away)} s"


def limit_summary(now: Statistics) -> str:
    """The server's limit and its source, for the summary."""
    if now.limit_source is LimitSource.NONE or now.limit_per_second is None:
        return "server's limit unknown"
    rate = f"{now.limit_per_second:,.1f}/s"
    stray = now.limit_source is LimitSource.HISTORY and now.speed_reason is SpeedReason.NOT_LIMITED
    if stray or now.speed_reason is SpeedReason.FINDING:
        return f"server's limit unknown: it accepted about {rate}"
    return f"server's limit about {rate} ({now.limit_source.value})"


def limit_explanation(now: Statistics) -> str:
    """The server's limit and how the client found it, for the demo."""
    if now.limit_per_second is None or now.limit_source is LimitSource.NONE:
        return "not found: too few calls were throttled"
    return (
        f"about {now.limit_per_second:.0f} calls/s, found by the client from {_FOUND_FROM[now.limit_source]}"
    )


def _seconds_paused(now: Statistics) -> int:
    """Seconds until calls are sent again; 0 where that is only the time between two calls."""
    if now.paused_until is None:
        return 0
    return max(0, round((now.paused_until - datetime.now(UTC)).total_seconds()))


def _seconds_down(now: Statistics) -> int | None:
    """Seconds since the server went down; None where it is up."""
    return None if now.down_since is None else _seconds_since(now.down_since)


def _seconds_since(then: datetime) -> int:
    return max(0, round((datetime.now(UTC) - then).total_seconds()))
