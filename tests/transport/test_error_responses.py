"""The errors of responses other than 2xx."""

import pytest

from backupify_async import NotFound, RateLimited, ServerError
from backupify_async._transport.error_responses import api_error
from backupify_async._transport.request import Request
from tests.support.transport_values import make_response

REQUEST = Request("GET", "/v1/ping", "page=2")


class TestAnApiError:
    def test_names_the_request_and_the_response(self) -> None:
        headers = {"X-Request-Id": "abc-1", "Retry-After": "5"}
        error = api_error(REQUEST, make_response(b"Retry later", 429, headers), "enough")
        assert isinstance(error, RateLimited)
        assert str(error) == (
            "GET /v1/ping answered 429: Retry later (Retry-After: 5 s) (request abc-1); gave up: enough"
        )

    def test_leaves_out_what_the_response_lacks(self) -> None:
        assert str(api_error(REQUEST, make_response(b"", 404))) == "GET /v1/ping answered 404"

    def test_shows_200_bytes_of_the_body(self) -> None:
        error = api_error(REQUEST, make_response(b"x" * 1000, 500))
        assert isinstance(error, ServerError)
        assert error.excerpt == "x" * 200

    def test_can_leave_out_the_body(self) -> None:
        error = api_error(REQUEST, make_response(b"secret", 404), show_body=False)
        assert isinstance(error, NotFound)
        assert error.excerpt == ""

    @pytest.mark.parametrize(
        ("location", "shown"),
        [
            ("https://evil.example:8443/path?token=secret#x", "a redirect to https://evil.example:8443, "),
            ("https://user:secret@evil.example/", "a redirect to https://evil.example, "),
            ("/v2/ping?token=secret", "a redirect to a relative URL, "),
            ("", "a redirect to a relative URL, "),
            ("https://[secret", "a redirect to a relative URL, "),
        ],
    )
    def test_of_a_redirect_shows_only_the_origin_of_its_target(self, location: str, shown: str) -> None:
        error = api_error(REQUEST, make_response(b"moved to /secret", 302, {"Location": location}))
        assert error.excerpt == f"{shown}which is not followed"
        assert "secret" not in str(error)
