"""Builds what a transport sends: the URL, the headers and the time of one sending."""

from collections.abc import Mapping
from datetime import UTC, datetime

from multidict import CIMultiDict
from yarl import URL

from backupify_async._transport.call_state import CallState
from backupify_async._transport.request import AUTHORIZATION
from backupify_async._transport.transport import PreparedRequest
from backupify_async.config import Settings
from backupify_async.version import __version__

_USER_AGENT = f"backupify-async/{__version__}"
_SHORTEST_SECRET = 4  # characters; a shorter header value would blot out half of an error's text


class RequestBuilder:
    """Builds requests to one API.

    Args:
        settings: `base_url`, `headers` and `user_agent` are used here.
    """

    def __init__(self, settings: Settings) -> None:
        self._origin = settings.url.origin()
        self._prefix = settings.url.raw_path.rstrip("/")
        agent = _USER_AGENT if settings.user_agent is None else f"{_USER_AGENT} {settings.user_agent}"
        # A CIMultiDict is what aiohttp copies fastest.
        self._headers = CIMultiDict({"Accept": "application/json", "User-Agent": agent})
        self._headers.update(settings.headers)
        self._secrets = _secret_values(settings.headers)
        self._token: str | None = None
        self._authorized = self._headers
        self._token_secrets = self._secrets

    def forget_token(self) -> None:
        """Drop the headers that carry the token."""
        self._token, self._authorized, self._token_secrets = None, self._headers, self._secrets

    def build(
        self, call: CallState, token: str | None, now: float, secrets: tuple[str, ...] = ()
    ) -> PreparedRequest:
        """The request of a call's next sending, which is sent now.

        Args:
            call: The call; the time of sending is noted in it.
            token: The token; None or "" for a request without one.
            now: The loop's time, in seconds.
            secrets: What else no error may show.
        """
        request, options = call.request, call.options
        if not token:
            headers, secrets = self._headers, secrets + self._secrets
        else:
            if token != self._token:
                self._authorize(token)
            headers, secrets = self._authorized, self._token_secrets
            if request.token_header != AUTHORIZATION:
                headers = self._headers.copy()
                headers[request.token_header] = token
        if request.content_type is not None or options.headers:
            headers = headers.copy()
            headers.update(options.headers)
            secrets += _secret_values(options.headers)
            if request.content_type is not None:
                headers["Content-Type"] = request.content_type
        call.sent_at = sent_at = datetime.now(UTC)
        call.sent_time = now
        path = request.path if request.from_origin else self._prefix + request.path
        if request.query:
            url = URL(f"{self._origin}{path}?{request.query}", encoded=True)
        else:
            url = self._origin.with_path(path, encoded=True)  # half the cost of parsing it
        return PreparedRequest(
            request.method,
            url,
            headers,
            request.body,
            sent_at,
            secrets,
            request.repeatable,
            now,
            call.distrusts or not request.repeatable,
            options.timeouts,
        )

    def _authorize(self, token: str) -> None:
        """Keep the headers that carry a token: they are the same for all requests with it."""
        self._authorized = self._headers.copy()
        self._authorized[AUTHORIZATION] = f"Bearer {token}"
        self._token_secrets = (token, *self._secrets)
        self._token = token


def _secret_values(headers: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(value for value in headers.values() if len(value) >= _SHORTEST_SECRET)
