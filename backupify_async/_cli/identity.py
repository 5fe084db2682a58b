"""Who the credentials are, and whether the server can be used: the checks of `backupify whoami`."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import attrs

from backupify_async._cli.error_messages import reason
from backupify_async._cli.exit_codes import ExitCode, exit_code_of
from backupify_async.client import BackupifyClient
from backupify_async.errors import (
    AuthenticationError,
    BackupifyError,
    DecodeError,
    NotFound,
    PermissionDenied,
    RateLimited,
    TransportError,
)
from backupify_async.events import TokenRefreshed


@attrs.frozen
class Vendor:
    """The vendor of the credentials, as `GET /v1/vendors/me` names it."""

    id: int | str
    name: str | None = None


@attrs.frozen
class Check:
    """One check.

    Attributes:
        name: What was checked.
        detail: What was found, or why it failed.
        code: The exit code.
        advice: What to do where it failed; "" where it did not.
        value: What a program wants to know of it.
    """

    name: str
    detail: str
    code: ExitCode = ExitCode.SUCCESS
    advice: str = ""
    value: Any = None

    def to_dict(self) -> dict[str, Any]:
        """The check as plain JSON types."""
        return {
            "ok": self.code is ExitCode.SUCCESS,
            "detail": self.detail,
            "advice": self.advice or None,
            "value": self.value,
        }


async def check_access(client: BackupifyClient, tokens: Sequence[TokenRefreshed]) -> AsyncIterator[Check]:
    """Check the server, the token and the vendor, one after the other.

    Args:
        client: The client.
        tokens: The tokens that it has obtained, filled by its event hook.
    """
    yield await _ping(client)
    try:
        await client.fetch_token()
    except BackupifyError as error:
        yield _failed("token", error)
        return
    life = tokens[-1].expires_in if tokens else None
    detail = "from BACKUPIFY_TOKEN, with no known end" if life is None else f"ok, valid for {life:g} s"
    yield Check("token", detail, value=life)
    try:
        vendor = (await client.request("GET", "/v1/vendors/me")).read_as(Vendor)
    except BackupifyError as error:
        yield _failed("vendor", error)
        return
    yield Check("vendor", f"{vendor.name or 'no name'} (id {vendor.id})", value=vendor.id)


async def _ping(client: BackupifyClient) -> Check:
    began = time.monotonic()
    try:
        await client.request("GET", "/v1/ping")
    except BackupifyError as error:
        return _failed("server", error)
    took = time.monotonic() - began
    return Check("server", f"ok, responded in {took:.3f} s", value=round(took, 3))


def _failed(name: str, error: BackupifyError) -> Check:
    return Check(name, f"failed: {reason(error)}", exit_code_of(error), _advice(error))


def _advice(error: BackupifyError) -> str:
    match error:
        case TransportError():
            return "check BACKUPIFY_BASE_URL, the network and the proxy"
        case RateLimited():
            return "the server is throttling: try again later"
        case AuthenticationError():
            return "check BACKUPIFY_CLIENT_ID and BACKUPIFY_CLIENT_SECRET, or BACKUPIFY_TOKEN"
        case PermissionDenied():
            return "the credentials are valid, but not those of a vendor"
        case NotFound() | DecodeError():
            return "check BACKUPIFY_BASE_URL: this may be another server, or a proxy's page"
        case _:
            return "try again; if it stays, ask the server's operators" + (
                " and name the request id" if getattr(error, "request_id", None) else ""
            )
