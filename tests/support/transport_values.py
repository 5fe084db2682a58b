"""Requests, responses and refusals without a network, and jitter that is not random."""

from collections.abc import Mapping
from datetime import UTC, datetime

from yarl import URL

from backupify_async import RetryPolicy
from backupify_async._transport.throttling import Refusal
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import respond

PATH = "/v1/backup_instances/42/backups"


def make_request(*secrets: str, path: str = PATH) -> PreparedRequest:
    """A request that is sent with these secrets."""
    return PreparedRequest("GET", URL(f"https://api.example{path}"), {}, None, datetime.now(UTC), secrets)


def make_response(
    body: bytes | object = b"", status: int = 200, headers: Mapping[str, str] | None = None, *secrets: str
) -> Response:
    """The response to a request with these secrets."""
    return respond(make_request(*secrets), status, body, headers)


def make_refusal(retry_after: float) -> Refusal:
    """A refusal of all calls by a 429."""
    return Refusal(429, retry_after, over_cap=retry_after > RetryPolicy().max_retry_after)


def upper_bound(_low: float, high: float) -> float:
    """The longest jitter."""
    return high


def lower_bound(low: float, _high: float) -> float:
    """The shortest jitter."""
    return low
