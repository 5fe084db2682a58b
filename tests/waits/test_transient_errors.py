"""Which errors of a check are transient, and how long the next check is delayed."""

import pytest

from backupify_async._waits.progress import is_transient, requested_delay
from backupify_async.errors import (
    APIError,
    AuthenticationError,
    BackupifyError,
    ClientClosed,
    ConnectionFailed,
    DecodeError,
    NotFound,
    PermissionDenied,
    RateLimited,
    RequestTimeout,
    ServerError,
    Unauthorized,
)


class TestFailedChecks:
    @pytest.mark.parametrize(
        "error",
        [
            ConnectionFailed("no route"),
            RequestTimeout("slow"),
            ServerError(503, "GET", "/x"),
            RateLimited(429, "GET", "/x", retry_after=3600),
            APIError(408, "GET", "/x"),
        ],
    )
    def test_a_failure_of_network_or_server_is_transient(self, error: BackupifyError) -> None:
        assert is_transient(error)

    @pytest.mark.parametrize(
        "error",
        [
            NotFound(404, "GET", "/x"),
            PermissionDenied(403, "GET", "/x"),
            Unauthorized(401, "GET", "/x"),
            AuthenticationError("no token"),
            APIError(302, "GET", "/x"),
            DecodeError("no JSON", "/x"),
            ClientClosed("closed"),
        ],
    )
    def test_a_refusal_is_permanent(self, error: BackupifyError) -> None:
        assert not is_transient(error)

    @pytest.mark.parametrize(
        ("error", "seconds"),
        [
            (None, 0),
            (RequestTimeout("slow"), 0),
            (ServerError(500, "GET", "/x"), 0),
            (RateLimited(429, "GET", "/x", retry_after=60), 60),
            (ServerError(503, "GET", "/x", retry_after=604_800), 90),
        ],
    )
    def test_the_next_check_respects_retry_after(self, error: BackupifyError | None, seconds: float) -> None:
        assert requested_delay(error, longest=90) == seconds
