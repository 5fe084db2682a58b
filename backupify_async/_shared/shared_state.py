"""`SharedState`: where the processes of one account share what they learn."""

import os
from collections.abc import Mapping
from typing import Any, Literal, SupportsIndex

import attrs

from backupify_async._shared.locations import make_store, read_location
from backupify_async._shared.machine import require_unix
from backupify_async.errors import ConfigurationError

SHARED = "BACKUPIFY_SHARED"
ACCOUNT = "BACKUPIFY_SHARED_ACCOUNT"
_SCOPES = ("account", "address")


@attrs.frozen(repr=False)
class SharedState:
    """Where several processes share the rate limit that they learn, and their token.

        from backupify_async import BackupifyClient, SharedState

        async with BackupifyClient.from_env(shared=SharedState("/run/backupify")) as client:
            ...

    All clients with the same location, server and account send as one: at the limit of the server and not
    above it, each with its share. The next run begins at the limit that the last one knew. With
    `ClientCredentials` they also have one token, which is sealed with the client secret; that needs the extra
    `shared`. While the store is away, each client sends at its share of the last rate, and requests tokens
    for itself.

    Args:
        location: A directory, for the processes of one machine; or the URL of a Redis server, for those of
            many machines (extra `redis`): `redis://`, `rediss://` (TLS) or `unix://`, as in redis-py. A
            missing directory is created for this user alone; processes of several users need one that is
            writable by a common group (mode 0770).
        scope: What the server limits. "account": the account, so that all machines share. "address": each
            address by itself, so that only the clients of one machine share, also by Redis.
        account: A name of the account, the same in all its clients. By default the client id. It is needed
            with `StaticToken` and with a token source of yours, and where several client ids share a limit.

    Raises:
        ConfigurationError: The location cannot be used, or an extra is not installed; the message says what
            to do, and shows no password.
    """

    location: str | os.PathLike[str]
    scope: Literal["account", "address"] = attrs.field(default="account", kw_only=True)
    account: str | None = attrs.field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        location = read_location(self.location)
        if self.scope not in _SCOPES:
            raise ConfigurationError(f'scope: must be "account" or "address", not {self.scope!r}')
        if self.account is not None and (not isinstance(self.account, str) or not self.account.strip()):
            raise ConfigurationError("account: must be a name, or None for the client id")
        if not location.is_url:
            require_unix()
        make_store(self.location, "unused")  # to meet its errors here

    def __repr__(self) -> str:
        account = "" if self.account is None else f", account={self.account!r}"
        return f"SharedState({read_location(self.location).shown!r}, scope={self.scope!r}{account})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        if read_location(self.location).has_password:
            raise TypeError("this SharedState holds a password and refuses to be pickled or copied")
        return super().__reduce_ex__(protocol)


def read_shared(environ: Mapping[str, str]) -> SharedState | None:
    """Read the environment: `BACKUPIFY_SHARED`, and the optional `BACKUPIFY_SHARED_ACCOUNT`.

    Raises:
        ConfigurationError: A value cannot be used; the message names the variable.
    """
    location, account = environ.get(SHARED), environ.get(ACCOUNT)
    if not location:
        return None
    try:
        return SharedState(location, account=account or None)
    except ConfigurationError as error:
        problem = error.problem
    raise ConfigurationError(f"{SHARED}: {problem}")
