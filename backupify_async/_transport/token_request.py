"""Tokens: what to ask for one, and how the answer is read. How it is sent is the session's matter."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import orjson
from multidict import CIMultiDict

from backupify_async._transport.transport import Response
from backupify_async.credentials import ASSUMED_LIFE, ClientCredentials, Token, TokenSource, visible_text
from backupify_async.errors import AuthenticationError, BackupifyError, ConfigurationError

_LONGEST_TYPE = 40  # characters of a token_type that an error shows
_AROUND = " \t\r\n\ufeff"  # what may stand around the secret in a file
_BOM = b"\xef\xbb\xbf"
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
    within: float | None,
) -> Token:
    """Get a new token for these credentials.

    Args:
        credentials: Client credentials, or an object of the caller's that gives tokens.
        post: Posts a form to the token endpoint; its second argument is what no error may show. It knows
            time-outs of its own.
        within: Seconds that the object, or reading the file of the secret, may take; None for no limit.

    Raises:
        AuthenticationError: There is none to be had.
        CredentialsObjectFailed: The caller's object raised, or took too long.
        ConfigurationError: The file of the secret cannot be read, or holds none.
        BackupifyError: The token endpoint cannot be reached, or failed.
    """
    if not isinstance(credentials, ClientCredentials):
        return await _ask_object(credentials, within)
    secret = await _read_secret(credentials.secret, within)
    fields = {
        "client_id": credentials.id,
        "client_secret": secret,
        "grant_type": "client_credentials",
        "scope": "write",
    }
    return read_token(await post(urlencode(fields).encode(), (secret,)))


async def _ask_object(credentials: TokenSource, within: float | None) -> Token:
    limit = asyncio.timeout(within)
    try:
        async with limit:
            token = await credentials.token()
    except BackupifyError:
        raise
    except (Exception, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise  # it is us who are cancelled
        did = (
            f"gave no token within attempt={within:g} s"
            if limit.expired()
            else f"raised {type(error).__name__}"
        )
    else:
        if isinstance(token, Token):
            return token
        raise AuthenticationError(f"the credentials object gave a {type(token).__name__} instead of a Token")
    # Raised out here: what the object raised may hold a secret, and is not even the context of this.
    raise CredentialsObjectFailed(f"the credentials object {did}")


async def _read_secret(secret: str | os.PathLike[str], within: float | None) -> str:
    """The secret itself; a file is read anew each time, off the event loop, because secrets rotate."""
    if isinstance(secret, str):
        return secret
    name = os.fspath(secret)
    limit = asyncio.timeout(within)
    try:
        async with limit:  # it may lie on a network's disk that hangs
            text = await asyncio.to_thread(Path(secret).read_text, "utf-8")
    except OSError as error:  # a TimeoutError is one
        reason = (
            f"it took longer than attempt={within:g} s" if limit.expired() else error.strerror or "no reason"
        )
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    else:
        return visible_text(text.strip(_AROUND), f"client secret in {name}")
    raise ConfigurationError(f"client secret: cannot read {name}: {reason}")


def read_token(response: Response) -> Token:
    """The token in the token endpoint's answer.

    Raises:
        AuthenticationError: There is none. Its message holds nothing of the body, which may hold the secret.
    """
    answer = _json_object(response.body)
    said = f"the token endpoint {response.request.url.path} answered {response.status}"
    if not 200 <= response.status < 300:
        code = answer.get("error")
        named = f" ({code})" if isinstance(code, str) and code in _OAUTH_ERRORS else ""
        raise AuthenticationError(f"{said}{named}: check client id, client secret and base URL")
    kind = answer.get("token_type")
    if isinstance(kind, str) and not kind.strip().lower().startswith("bearer"):  # Apigee says BearerToken
        # RFC 6749 §7.1: a token whose type is not understood must not be used.
        named = response.request.conceal(kind)[:_LONGEST_TYPE]
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
