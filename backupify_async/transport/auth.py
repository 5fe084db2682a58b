"""Tokens: held, renewed ahead of their end, one renewal at a time for any number of calls.

How a request is sent is the session's matter; this module knows what to ask, reads the answer, and holds the
token.
"""

import asyncio
import copy
import logging
import math
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import attrs
import orjson

from backupify_async.credentials import ASSUMED_LIFE, ClientCredentials, Token, TokenSource
from backupify_async.errors import AuthenticationError, BackupifyError, ConfigurationError
from backupify_async.transport.request import Response

_LOGGER = logging.getLogger("backupify_async.auth")
_MARGIN = 60.0
_REMEMBER_REFUSAL = 60.0  # seconds: 100,000 calls with a wrong secret are not 100,000 wrong logins
_SHORTEST_LIFE = 1.0  # seconds: a token that is over when it comes must not make us ask in a loop
_HOLD_OFF = 1.0  # seconds between attempts to renew ahead, while the present token still holds
# RFC 6749 §5.2: a closed set, so it can be shown; anything else in that body could be an echo of the secret.
_OAUTH_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


async def ask_for_token(
    credentials: ClientCredentials | TokenSource,
    post: Callable[[bytes, tuple[str, ...]], Awaitable[Response]],
) -> Token:
    """Get a new token for these credentials.

    Args:
        credentials: Client credentials, or an object of the caller's that gives tokens.
        post: Posts a form to the token endpoint; its second argument is what no error may show.

    Raises:
        AuthenticationError: There is none to be had.
        ConfigurationError: The file of the secret cannot be read, or is empty.
        BackupifyError: The token endpoint cannot be reached, or failed.
    """
    if isinstance(credentials, ClientCredentials):
        secret = await _read_secret(credentials.secret)
        fields = {
            "client_id": credentials.id,
            "client_secret": secret,
            "grant_type": "client_credentials",
            "scope": "write",
        }
        return read_token(await post(urlencode(fields).encode(), (secret,)))
    try:
        token = await credentials.token()
    except BackupifyError:
        raise
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is us who are cancelled
        raise AuthenticationError(f"the credentials object raised {type(error).__name__}") from error
    if not isinstance(token, Token):
        raise AuthenticationError(f"the credentials object gave a {type(token).__name__} instead of a Token")
    return token


async def _read_secret(secret: str | os.PathLike[str]) -> str:
    """The secret itself; a file is read anew each time, off the event loop, because secrets rotate."""
    if isinstance(secret, str):
        return secret
    try:
        text = (await asyncio.to_thread(Path(secret).read_text, "utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"client secret: cannot read {os.fspath(secret)}: {reason}") from None
    if not text:
        raise ConfigurationError(f"client secret: {os.fspath(secret)} is empty")
    return text


def read_token(response: Response) -> Token:
    """The token in the token endpoint's answer.

    Raises:
        AuthenticationError: There is none. Its message holds nothing of the body, which may hold the secret.
    """
    answer = _json_object(response.body)
    said = f"the token endpoint {response.message.url.path} answered {response.status}"
    if response.status >= 300:
        code = answer.get("error")
        named = f" ({code})" if isinstance(code, str) and code in _OAUTH_ERRORS else ""
        raise AuthenticationError(f"{said}{named}: check client id, client secret and base URL")
    value = answer.get("access_token")
    try:
        life = answer.get("expires_in")
        return Token(value if isinstance(value, str) else "", ASSUMED_LIFE if life is None else life)
    except ConfigurationError:
        raise AuthenticationError(f"{said} without a usable access_token: check the base URL") from None


def _json_object(body: bytes) -> dict[str, object]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


@attrs.frozen
class _Held:
    value: str = attrs.field(repr=False)
    renew_at: float
    ends_at: float


class TokenKeeper:
    """Holds the current token.

    Args:
        ask: Asks for a new token.
        now: A monotonic clock, seconds.
        on_renewed: Told of each new token's life in seconds, None where it has no known end.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[Token]],
        now: Callable[[], float],
        on_renewed: Callable[[float | None], None],
    ) -> None:
        self._ask = ask
        self._now = now
        self._on_renewed = on_renewed
        self._held: _Held | None = None
        self._renewal: asyncio.Task[BackupifyError | None] | None = None
        self._not_before = -math.inf
        self._refusal: AuthenticationError | None = None

    def current(self) -> str | None:
        """The token, if there is one that holds; where it ends soon, a renewal begins beside it."""
        held = self._held
        if held is None:
            return None
        now = self._now()
        if now < held.renew_at:
            return held.value
        if now >= self._not_before:
            self._renew()
        return held.value if now < held.ends_at else None

    async def get(self) -> str:
        """A token that holds, waiting for a new one if need be. Being cancelled stops nobody else's wait.

        Raises:
            AuthenticationError: There is none to be had; remembered for a minute.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        while True:
            value = self.current()
            if value is not None:
                return value
            if self._refusal is not None and self._now() < self._not_before:
                raise copy.copy(self._refusal)
            # A copy for each waiter: one exception raised in a thousand tasks grows a thousand tracebacks.
            error = await asyncio.shield(self._renew())
            if error is not None:
                raise copy.copy(error) from error.__cause__

    def drop(self, value: str) -> None:
        """The server refused this token: forget it, if it is still the current one."""
        if self._held is not None and self._held.value == value:
            self._held = None

    async def close(self) -> None:
        """End a renewal under way, and forget the token."""
        self._held = None
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    def _renew(self) -> asyncio.Task[BackupifyError | None]:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renewed(), name="backupify_async token renewal")
        return self._renewal

    async def _renewed(self) -> BackupifyError | None:
        """Ask for a token, and keep it. An error is returned, since there may be nobody to raise it to."""
        try:
            self._hold(await self._ask())
        except BackupifyError as error:
            refused = isinstance(error, AuthenticationError)
            self._not_before = self._now() + (_REMEMBER_REFUSAL if refused else _HOLD_OFF)
            self._refusal = error if isinstance(error, AuthenticationError) else None
            _LOGGER.warning("no new token: %s", error)
            return error
        return None

    def _hold(self, token: Token) -> None:
        now = self._now()
        self._refusal = None
        if token.expires_in is None:
            self._held = _Held(token.value, math.inf, math.inf)
        else:
            life = max(token.expires_in, _SHORTEST_LIFE)
            margin = min(_MARGIN, life / 5)
            ends_at = now + life
            self._held = _Held(token.value, ends_at - margin, ends_at)
        _LOGGER.info("new token, good for %s s", token.expires_in)
        self._on_renewed(token.expires_in)
