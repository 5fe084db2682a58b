"""Fetches a token: from the token endpoint with client credentials, or from a source of the user's own."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import orjson

from backupify_async._tasks import is_callers_cancellation
from backupify_async._transport.transport import Response
from backupify_async.credentials import ASSUMED_LIFE, ClientCredentials, Token, TokenSource, visible_text
from backupify_async.errors import AuthenticationError, BackupifyError, ConfigurationError

_LONGEST_TYPE = 40  # characters of a token_type that an error shows
_AROUND = " \t\r\n\ufeff"  # characters that can surround the secret in a file
_BOM = b"\xef\xbb\xbf"
# RFC 6749 §5.2: a closed set, which can be shown; anything else in that body could be an echo of the secret.
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


class TokenSourceFailed(Exception):
    """The user's token source raised or timed out. That can pass, and is not remembered."""


async def request_token(
    credentials: ClientCredentials | TokenSource,
    send: Callable[[bytes, tuple[str, ...]], Awaitable[Response]],
    timeout: float | None,  # noqa: ASYNC109 - the errors name it
) -> Token:
    """Fetch a new token.

    Args:
        credentials: Client credentials, or the user's token source.
        send: Sends a form to the token endpoint, within its own time-outs; its second argument is what no
            error must show.
        timeout: Seconds for the token source, or for reading the secret's file; None for no limit.

    Raises:
        AuthenticationError: The credentials yield no token.
        TokenSourceFailed: The token source raised, or took too long.
        ConfigurationError: The secret's file cannot be read, or contains no secret.
        BackupifyError: The token endpoint cannot be reached, or failed.
    """
    if not isinstance(credentials, ClientCredentials):
        return await _ask_source(credentials, timeout)
    secret = await read_secret(credentials.secret, timeout)
    fields = {
        "client_id": credentials.id,
        "client_secret": secret,
        "grant_type": "client_credentials",
        "scope": "write",
    }
    return read_token(await send(urlencode(fields).encode(), (secret,)))


async def _ask_source(credentials: TokenSource, seconds: float | None) -> Token:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            token = await credentials.token()
    except BackupifyError:
        raise
    except (Exception, asyncio.CancelledError) as error:
        if is_callers_cancellation(error):
            raise
        what = (
            f"returned no token within attempt={seconds:g} s"
            if limit.expired()
            else f"raised {type(error).__name__}"
        )
    else:
        if isinstance(token, Token):
            return token
        raise AuthenticationError(f"the token source returned a {type(token).__name__} instead of a Token")
    # Raised outside the handler: the source's exception can contain a secret, and must not be the context.
    raise TokenSourceFailed(f"the token source {what}")


async def read_secret(secret: str | os.PathLike[str], seconds: float | None) -> str:
    """The client secret. A file is read each time, because secrets rotate, and in a thread.

    Args:
        secret: The secret, or the path of its file.
        seconds: How long reading can take; None for no limit.

    Raises:
        ConfigurationError: The file cannot be read, or contains no secret.
    """
    if isinstance(secret, str):
        return secret
    name = os.fspath(secret)
    limit = asyncio.timeout(seconds)
    try:
        async with limit:  # the file can be on a network disk that hangs
            text = await asyncio.to_thread(Path(secret).read_text, "utf-8")
    except OSError as error:  # a TimeoutError is one
        reason = (
            f"it took longer than attempt={seconds:g} s" if limit.expired() else error.strerror or "no reason"
        )
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    else:
        return visible_text(text.strip(_AROUND), f"client secret in {name}")
    raise ConfigurationError(f"client secret: cannot read {name}: {reason}")


def read_token(response: Response) -> Token:
    """Read the token in a response of the token endpoint.

    Raises:
        AuthenticationError: There is none. The message shows nothing of the body, which can echo the secret.
    """
    fields = _json_object(response.body)
    response_text = f"the token endpoint {response.request.url.path} answered {response.status}"
    if not 200 <= response.status < 300:
        code = fields.get("error")
        named = f" ({code})" if isinstance(code, str) and code in _OAUTH_ERRORS else ""
        raise AuthenticationError(f"{response_text}{named}: check client id, client secret and base URL")
    kind = fields.get("token_type")
    if isinstance(kind, str) and not kind.strip().lower().startswith("bearer"):  # Apigee says BearerToken
        # RFC 6749 §7.1: a token whose type is not understood must not be used.
        named = response.request.conceal(kind)[:_LONGEST_TYPE]
        raise AuthenticationError(
            f"{response_text} with a token of type {named!r}: only bearer tokens can be used"
        )
    value = fields.get("access_token")
    try:
        life = fields.get("expires_in")
        return Token(value if isinstance(value, str) else "", ASSUMED_LIFE if life is None else life)
    except ConfigurationError:
        raise AuthenticationError(
            f"{response_text} without a usable access_token: check the base URL"
        ) from None


def _json_object(body: bytes) -> dict[str, object]:
    try:
        fields = orjson.loads(body.removeprefix(_BOM))  # RFC 8259 §8.1: parsers can ignore it
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}
