"""Tokens: held, renewed ahead of their end, one renewal at a time for any number of calls.

How a request is sent is the session's matter; this module knows what to ask, reads the answer, and holds the
token.
"""

import asyncio
import copy
import logging
import math
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import attrs
import orjson
from multidict import CIMultiDict

from backupify_async.credentials import ASSUMED_LIFE, ClientCredentials, Token, TokenSource, visible_text
from backupify_async.errors import AuthenticationError, BackupifyError, ConfigurationError
from backupify_async.transport.request import Response

_LOGGER = logging.getLogger("backupify_async.auth")
_MARGIN = 60.0
_REMEMBER_REFUSAL = 60.0  # seconds: 100,000 calls with a wrong secret are not 100,000 wrong logins
_SHORTEST_LIFE = 1.0  # seconds: a token that is over when it comes must not make us ask in a loop
_YOUNG = 10.0  # seconds after a renewal that a 401 brought about, in which no further 401 brings another
_LONGEST_TYPE = 40  # characters of a token_type that an error shows
_AROUND = " \t\r\n\ufeff"  # what may stand around the secret in a file
_BOM = b"\xef\xbb\xbf"
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


class CredentialsObjectFailed(Exception):
    """An object of the caller's raised where it was to give a token: that may pass, and is not remembered."""


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
        CredentialsObjectFailed: The caller's object raised.
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
        raised = type(error).__name__
    else:
        if isinstance(token, Token):
            return token
        raise AuthenticationError(f"the credentials object gave a {type(token).__name__} instead of a Token")
    # Raised out here: what the object raised may hold a secret, and is not even the context of this.
    raise CredentialsObjectFailed(f"the credentials object raised {raised}")


async def _read_secret(secret: str | os.PathLike[str]) -> str:
    """The secret itself; a file is read anew each time, off the event loop, because secrets rotate."""
    if isinstance(secret, str):
        return secret
    name = os.fspath(secret)
    try:
        text = await asyncio.to_thread(Path(secret).read_text, "utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"client secret: cannot read {name}: {reason}") from None
    return visible_text(text.strip(_AROUND), f"client secret in {name}")


def read_token(response: Response) -> Token:
    """The token in the token endpoint's answer.

    Raises:
        AuthenticationError: There is none. Its message holds nothing of the body, which may hold the secret.
    """
    answer = _json_object(response.body)
    said = f"the token endpoint {response.message.url.path} answered {response.status}"
    if not 200 <= response.status < 300:
        code = answer.get("error")
        named = f" ({code})" if isinstance(code, str) and code in _OAUTH_ERRORS else ""
        raise AuthenticationError(f"{said}{named}: check client id, client secret and base URL")
    kind = answer.get("token_type")
    if isinstance(kind, str) and not kind.strip().lower().startswith("bearer"):  # Apigee says BearerToken
        # RFC 6749 §7.1: a token whose type is not understood must not be used.
        named = response.message.conceal(kind)[:_LONGEST_TYPE]
        raise AuthenticationError(f"{said} with a token of type {named!r}: only bearer tokens can be used")
    value = answer.get("access_token")
    try:
        life = answer.get("expires_in")
        return Token(value if isinstance(value, str) else "", ASSUMED_LIFE if life is None else life)
    except ConfigurationError:
        raise AuthenticationError(f"{said} without a usable access_token: check the base URL") from None


def _json_object(body: bytes) -> dict[str, object]:
    try:
        answer = orjson.loads(body.removeprefix(_BOM))  # RFC 8259 §8.1: it may be ignored
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def bearer(token: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The headers that carry a token, of the kind that aiohttp copies least, and what no error may show."""
    return CIMultiDict({"Authorization": f"Bearer {token}"}), (token,)


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
        self._waiters: dict[asyncio.Future[BackupifyError | None], None] = {}  # a set in order
        self._replaced_at = -math.inf
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
            self._renew()
            waiter = asyncio.get_running_loop().create_future()
            self._waiters[waiter] = None
            try:
                error = await waiter
            finally:
                del self._waiters[waiter]
            if error is not None:  # a copy each: one exception raised in a thousand tasks is no help
                raise copy.copy(error) from error.__cause__

    async def another(self, refused: str) -> str | None:
        """The token to try after the server refused one; None where the credentials give the same again.

        A token that a 401 has brought about a moment ago is itself to be tried again: there are servers that
        answer 401 where they mean 403, and a sweep must not log in anew for each such instance.

        Raises:
            AuthenticationError: There is none to be had.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        dropped = self._held is not None and self._held.value == refused
        if dropped:
            if self._now() < self._replaced_at + _YOUNG:
                return refused
            self._held = None
        token = await self.get()
        if token == refused:
            return None
        if dropped:
            self._replaced_at = self._now()
        return token

    async def close(self) -> None:
        """End a renewal under way, and forget the token."""
        self._held = None
        if self._renewal is not None:
            self._renewal.cancel()
            await asyncio.wait([self._renewal])

    def _renew(self) -> None:
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renewed(), name="backupify_async token renewal")
            self._renewal.add_done_callback(self._tell_waiters)

    def _tell_waiters(self, renewal: asyncio.Task[BackupifyError | None]) -> None:
        for waiter in self._waiters:
            if waiter.done():
                continue
            if renewal.cancelled():
                waiter.cancel()
            elif (fault := renewal.exception()) is not None:
                waiter.set_exception(fault)
            else:
                waiter.set_result(renewal.result())

    async def _renewed(self) -> BackupifyError | None:
        """Ask for a token, and keep it. An error is returned, since there may be nobody to raise it to."""
        error: BackupifyError
        try:
            self._hold(await self._ask())
        except CredentialsObjectFailed as failure:
            error, self._refusal, wait = AuthenticationError(str(failure)), None, _HOLD_OFF
        except AuthenticationError as refusal:
            error, self._refusal, wait = refusal, refusal, _REMEMBER_REFUSAL
        except BackupifyError as failure:
            error, self._refusal, wait = failure, None, _HOLD_OFF
        else:
            return None
        self._not_before = self._now() + wait
        _LOGGER.warning("no new token: %s", error)
        return error

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
