"""What one client shares with others: its limiter, its token, and whether their store can be reached."""

import asyncio
from datetime import datetime

from backupify_async._shared.limiter import SharedLimiter
from backupify_async._shared.locations import make_store, store_key, token_name
from backupify_async._shared.shared_state import ACCOUNT, SHARED, SharedState
from backupify_async._shared.shared_token import share_token
from backupify_async._shared.watched_store import WatchedStore
from backupify_async._transport.token_keeper import Fetch
from backupify_async.config import Settings
from backupify_async.credentials import ClientCredentials, TokenSource
from backupify_async.errors import ConfigurationError
from backupify_async.events import EventHook


class Sharing:
    """What one client shares.

    Args:
        shared: Where.
        settings: The client's settings.
        max_concurrency: How many requests the client can have in flight.
        on_event: Its hook.

    Raises:
        ConfigurationError: The account has no name, or the rate is fixed, or `shared` has another type.
    """

    def __init__(
        self, shared: SharedState, settings: Settings, max_concurrency: int, on_event: EventHook | None
    ) -> None:
        if not isinstance(shared, SharedState):  # a URL, perhaps with a password: it is not shown
            raise ConfigurationError(f"shared: must be a SharedState(...), not a {type(shared).__name__}")
        if not settings.rate_limit.adaptive:
            raise ConfigurationError(
                "rate_limit: adaptive=False cannot be shared (by shared= or BACKUPIFY_SHARED): "
                "RateLimit(per_second=...) without it is a ceiling for all processes together"
            )
        self._settings = settings
        self._origin = str(settings.url).rstrip("/")
        credentials = settings.credentials
        self._key = store_key(self._origin, account_of(shared, credentials), shared.scope)
        token = token_name(credentials.id) if isinstance(credentials, ClientCredentials) else "token"
        self._store = WatchedStore(make_store(shared.location, self._key, token), on_event)
        self.limiter = SharedLimiter(
            self._store, settings.rate_limit, settings.retry, max_concurrency, self._store.report_away
        )
        """The limiter, which opens and closes the store."""

    @property
    def store_away(self) -> datetime | None:
        """Since when the store cannot be used, UTC; None if it can."""
        return self._store.away_since

    def share_token(self, request: Fetch) -> Fetch:
        """Given what requests a token for client credentials, what fetches one that all members share."""
        credentials = self._settings.credentials
        if not isinstance(credentials, ClientCredentials):
            return request
        token = share_token(
            request,
            credentials,
            self._store,
            origin=self._origin,
            place=self._key,
            now=_now,
            secret_timeout=self._settings.timeouts.attempt,
        )
        if token is None:
            return request
        self._store.listeners.append(token.on_change)
        return token.fetch


def account_of(shared: SharedState, credentials: ClientCredentials | TokenSource) -> str:
    """Whose limit it is.

    Raises:
        ConfigurationError: Nothing says so.
    """
    if shared.account is not None:
        return shared.account
    if isinstance(credentials, ClientCredentials):
        return credentials.id
    raise ConfigurationError(
        "account: a token does not say whose it is: name the account, the same in all its processes, by "
        f"SharedState(..., account=...), or by {ACCOUNT} beside {SHARED} or --shared"
    )


def _now() -> float:
    return asyncio.get_running_loop().time()
