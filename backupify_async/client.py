"""`BackupifyClient`: all that the API offers begins here."""

import copy
import os
from collections.abc import AsyncIterable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import aiohttp
import attrs

from backupify_async._resources.any_operation import AnyOperation
from backupify_async._resources.backups import Backups, Internals, internals
from backupify_async._resources.customers import Customers
from backupify_async._resources.instances import Instances
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.rate import Limiter
from backupify_async._transport.session import Session
from backupify_async._transport.transport import Transport
from backupify_async._transport.user_parts import check_limiter, check_transport, max_in_flight
from backupify_async.config import RetryPolicy, Settings, SettingsOptions, Timeouts, read_environment
from backupify_async.credentials import ClientCredentials, TokenSource
from backupify_async.errors import ConfigurationError
from backupify_async.events import EventHook
from backupify_async.statistics import Statistics

if TYPE_CHECKING:
    from backupify_async._fleet.fleet import Fleet
    from backupify_async._journal.entries import SweepAccount
    from backupify_async._shared.shared_state import SharedState
    from backupify_async._shared.sharing import Sharing

__all__ = ["BackupifyClient"]


class BackupifyClient(AnyOperation):
    """A client of the Backupify API, for any number of tasks of one event loop.

        from backupify_async import BackupifyClient, ClientCredentials

        async with BackupifyClient(ClientCredentials("my-id", "my-secret")) as client:
            active = await client.backups.get_active(42)

    Or, in an application that starts and stops: `await client.open()`, and `await client.close()` at the end.
    Calls before that, or from another loop, raise `ConfigurationError`; calls after that `ClientClosed`. A
    closed client does not reopen.

    Args:
        credentials: `ClientCredentials`, `StaticToken`, or any object with `async def token() -> Token`.
        connector: An aiohttp connector of yours, which the client does not close. Triggers then share its
            kept connections; one that the server closes at the same moment makes a trigger ambiguous. By
            default, each trigger has a new connection.
        transport: Sends the requests of this client: an `AiohttpTransport` over an `aiohttp.ClientSession` of
            yours, or your own `Transport`. The client opens and closes it. Not together with `connector`.
        limiter: Decides when requests are sent, instead of `rate_limit`: a `Limiter` of your own, or an
            `AdaptiveLimiter` that continues from a saved state. One limiter serves one client.
        shared: Where several processes share their limit and their token: a `SharedState`. Not together with
            `limiter` or `RateLimit(adaptive=False)`; `RateLimit(per_second=...)` is then a ceiling for all.
        on_event: Called with each event (`RequestSent`, `Throttled`, ...) as it happens.
        **options: The fields of `Settings`: `base_url`, `rate_limit`, `retry`, `timeouts`, `reconciliation`,
            `max_concurrency`, `max_body_bytes`, `proxy`, `trust_env`, `tls`, `allow_insecure`, `headers`,
            `user_agent`.

    Attributes:
        backups: List, get, trigger and wait for the backups of an instance.
        instances: List and get the instances.
        customers: List the instances of a customer.

    Raises:
        ConfigurationError: A setting or a part of yours cannot work, or two exclude each other; the message
            says which and why.
        ValueError: A number is invalid; the message names it.
    """

    def __init__(
        self,
        credentials: ClientCredentials | TokenSource,
        *,
        connector: aiohttp.BaseConnector | None = None,
        transport: Transport | None = None,
        limiter: Limiter | None = None,
        shared: "SharedState | None" = None,
        on_event: EventHook | None = None,
        **options: Unpack[SettingsOptions],
    ) -> None:
        if limiter is not None and "rate_limit" in options:
            raise ConfigurationError("both limiter and rate_limit are given: a limiter has its own limit")
        if limiter is not None and shared is not None:
            raise ConfigurationError("both limiter and shared are given: a limiter has its own limit")
        settings = Settings(credentials=credentials, **options)
        if transport is None:
            transport = AiohttpTransport(connector)
        elif connector is not None:
            raise ConfigurationError("connector: give it to the transport")
        check_transport(transport)
        if limiter is not None:
            check_limiter(limiter)
        self._owns_session = True
        most = max_in_flight(settings, transport)
        self._sharing = sharing = None if shared is None else _sharing(shared, settings, most, on_event)
        if sharing is None:
            self._use(Session(settings, transport, on_event, limiter))
        else:
            self._use(Session(settings, transport, on_event, sharing.limiter, sharing.share_token))

    def _use(self, session: Session, shared: Internals | None = None) -> None:
        self._session = session
        self.backups: Backups = Backups(session, shared)
        self.instances: Instances = Instances(session)
        self.customers: Customers = Customers(session)
        self._drain = internals(self.backups).triggers.drain

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        connector: aiohttp.BaseConnector | None = None,
        transport: Transport | None = None,
        limiter: Limiter | None = None,
        shared: "SharedState | None" = None,
        on_event: EventHook | None = None,
        **options: Unpack[SettingsOptions],
    ) -> Self:
        """A client with credentials from the environment; see `Settings.from_env` for the variables.

        `BACKUPIFY_SHARED`, a directory or the URL of a Redis server, stands for `shared=SharedState(...)`,
        with `BACKUPIFY_SHARED_ACCOUNT` as its account.

        Raises:
            ConfigurationError: A variable is missing, or contradicts another; the message names it.
        """
        credentials, options = read_environment(environ, options)
        if shared is None:
            shared = _shared_by(os.environ if environ is None else environ, limiter)
        return cls(
            credentials,
            connector=connector,
            transport=transport,
            limiter=limiter,
            shared=shared,
            on_event=on_event,
            **options,
        )

    async def open(self) -> Self:
        """Open the client in the running loop. Opening it again does nothing.

        Raises:
            ClientClosed: The client was closed.
            ConfigurationError: It is open in another loop.
        """
        if self._owns_session:
            await self._session.open()
        else:
            self._session.require_open()
        return self

    async def close(self) -> None:
        """Close the client: pending calls and waits raise `ClientClosed`. Closing it again does nothing.

        If a part of yours continues after its cancellation, this waits 10 s for it.
        """
        if self._owns_session:
            await self._session.close()

    async def drain(self, timeout: float | None = None) -> int:  # noqa: ASYNC109 - a late drain returns a count and raises nothing
        """Send no more triggers, and wait until the outcome of each pending one is known.

        Fan-outs of triggers end with `FanOutAborted`, after the outcomes of what was begun. Triggers that
        were not sent yet raise `ClientDraining`. All other calls go on. Close the client afterwards.

        Args:
            timeout: Seconds to wait at most; 0 to not wait, None for no limit.

        Returns:
            How many triggers are still pending, with an unknown outcome.

        Raises:
            ValueError: `timeout` is not a number from 0 up; nothing is drained.
        """
        return await self._drain.run(timeout)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        background: bool | None = None,
        on_event: EventHook | None = None,
    ) -> Self:
        """A client with other options for its calls, on the same session.

        Token, rate and concurrency limits, retry budget, connections and drain are shared. It costs no
        connection, and closing it closes nothing.

        Args:
            timeouts: The time-outs of its calls.
            retry: How its calls are retried; `budget`, `max_outage` and `max_retry_after` are always the
                client's: they concern all calls.
            headers: Headers beside those of this client; one of the same name replaces this client's.
            background: Whether other calls go first.
            on_event: Called with the events of its requests, instead of this client's hook.

        Raises:
            ConfigurationError: A value has another type; or a header cannot be sent, or the client sets it.
        """
        options = self._session.options.replaced(
            timeouts=timeouts, retry=retry, headers=headers, background=background, on_event=on_event
        )
        client = copy.copy(self)
        client._owns_session = False  # noqa: SLF001 - its own class
        client._use(self._session.with_options(options), internals(self.backups))  # noqa: SLF001
        return client

    async def fetch_token(self) -> None:
        """Get a token now, if there is none, so that a wrong secret shows before a long run begins.

        Raises:
            AuthenticationError: No token could be obtained with these credentials.
            BackupifyError: The token endpoint cannot be reached, or failed.
        """
        await self._session.fetch_token()

    def fleet(
        self,
        ids: Iterable[int | str] | AsyncIterable[int | str],
        *,
        concurrency: int = 32,
        background: bool = False,
    ) -> "Fleet":
        """Many instances at once.

        Args:
            ids: Instance ids: an iterable or async iterable of any length, read as the work goes on.
            concurrency: How many instances at once. The client's `max_concurrency` limits all fleets.
            background: Whether other calls of the client go first; the fleet then slows, but never stops.

        Raises:
            ValueError: `concurrency` is not a whole number from 1 up.
            TypeError: `ids` is not an iterable, or is a str.
        """
        from backupify_async._fleet.fleet import Fleet  # noqa: PLC0415 - a single call does not need them

        return Fleet(
            self.backups,
            ids,
            concurrency=concurrency,
            background=background,
            is_blocked=self._session.is_blocked,
            account=self._account(),
        )

    def _account(self) -> "SweepAccount":
        from backupify_async._journal.entries import SweepAccount  # noqa: PLC0415 - only sweeps have one

        settings = self._session.settings
        credentials = settings.credentials
        client_id = credentials.id if isinstance(credentials, ClientCredentials) else None
        return SweepAccount(str(settings.url).rstrip("/"), client_id)

    def statistics(self) -> Statistics:
        """A snapshot: requests in flight, waiting calls, refusals, the learned limit, the retry budget."""
        inner = internals(self.backups)
        return attrs.evolve(
            self._session.statistics(),
            reconciling=inner.triggers.reconciling,
            waited_for=inner.waits.waited_for,
            answered_from_memory=inner.idle.answered,
            store_away=None if self._sharing is None else self._sharing.store_away,
        )


def _sharing(shared: "SharedState", settings: Settings, most: int, on_event: EventHook | None) -> "Sharing":
    from backupify_async._shared.sharing import Sharing  # noqa: PLC0415 - only those who share pay

    return Sharing(shared, settings, most, on_event)


def _shared_by(environ: Mapping[str, str], limiter: Limiter | None) -> "SharedState | None":
    """What `BACKUPIFY_SHARED` names."""
    if not environ.get("BACKUPIFY_SHARED"):
        return None
    if limiter is not None:
        raise ConfigurationError("limiter has its own limit: leave it out, or unset BACKUPIFY_SHARED")
    from backupify_async._shared.shared_state import read_shared  # noqa: PLC0415 - as above

    return read_shared(environ)


BackupifyClient.__module__ = "backupify_async"  # as the errors have it
