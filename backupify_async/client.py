"""`BackupifyClient`: the front door."""

from collections.abc import AsyncIterable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import aiohttp
import attrs

from backupify_async._resources.backups import Backups, internals
from backupify_async._resources.customers import Customers
from backupify_async._resources.instances import Instances
from backupify_async._transport.aiohttp_transport import AiohttpTransport
from backupify_async._transport.rate import Limiter
from backupify_async._transport.session import Session
from backupify_async._transport.transport import Transport
from backupify_async.config import Settings, SettingsOptions, read_environment
from backupify_async.credentials import ClientCredentials, TokenSource
from backupify_async.errors import ConfigurationError
from backupify_async.events import EventHook
from backupify_async.statistics import Statistics

if TYPE_CHECKING:
    from backupify_async._fleet.fleet import Fleet
    from backupify_async._journal.entries import SweepAccount

__all__ = ["BackupifyClient"]


class BackupifyClient:
    """A client of the Backupify API, for any number of tasks of one event loop.

        async with BackupifyClient(ClientCredentials(id, secret)) as client:
            active = await client.backups.get_active(42)

    Or, in an application that starts and stops: `await client.open()`, and `await client.close()` at the end.
    Calls before that, or from another loop, raise `ConfigurationError`; calls after that `ClientClosed`. A
    closed client does not reopen.

    Args:
        credentials: `ClientCredentials`, `StaticToken`, or any object with `async def token() -> Token`.
        connector: An aiohttp connector of your own, which stays yours: the client does not close it. Triggers
            then share its kept connections, and one that the server is about to close makes a trigger
            ambiguous; without it, each trigger has a fresh connection.
        transport: What sends requests, for this client alone: an `AiohttpTransport` over a
            `aiohttp.ClientSession` of yours, or any object that does what `Transport` says. The client opens
            and closes it. Not together with `connector`.
        limiter: Decides when requests are sent, instead of `rate_limit`: a `Limiter` of your own, or an
            `AdaptiveLimiter` that continues from a saved state. One limiter serves one client.
        on_event: Told of frozen events (`RequestSent`, `Throttled`, ...) as they happen.
        **options: What `Settings` says: `base_url`, `rate_limit`, `retry`, `timeouts`, `reconciliation`,
            `max_concurrency`, `max_body_bytes`, `proxy`, `trust_env`, `tls`, `allow_insecure`, `headers`,
            `user_agent`.

    Attributes:
        backups: List, look at and trigger backups of an instance.
        instances: Which instances there are.
        customers: Which instances a customer has.

    Raises:
        ConfigurationError: Credentials, base URL or proxy cannot work, or both `limiter` and `rate_limit` are
            given; the message says which and why.
        ValueError: A number makes no sense; the message names it.
    """

    def __init__(
        self,
        credentials: ClientCredentials | TokenSource,
        *,
        connector: aiohttp.BaseConnector | None = None,
        transport: Transport | None = None,
        limiter: Limiter | None = None,
        on_event: EventHook | None = None,
        **options: Unpack[SettingsOptions],
    ) -> None:
        if limiter is not None and "rate_limit" in options:
            raise ConfigurationError("both limiter and rate_limit are given: a limiter has its own limit")
        settings = Settings(credentials=credentials, **options)
        if transport is None:
            transport = AiohttpTransport(connector)
        elif connector is not None:
            raise ConfigurationError("connector: give it to the transport")
        self._session = Session(settings, transport, on_event, limiter)
        self.backups: Backups = Backups(self._session)
        self.instances: Instances = Instances(self._session)
        self.customers: Customers = Customers(self._session)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        connector: aiohttp.BaseConnector | None = None,
        transport: Transport | None = None,
        limiter: Limiter | None = None,
        on_event: EventHook | None = None,
        **options: Unpack[SettingsOptions],
    ) -> Self:
        """A client with its credentials from the environment; `Settings.from_env` says which variables.

        Raises:
            ConfigurationError: The environment does not say enough, or too much; the message names the
                variable.
        """
        credentials, options = read_environment(environ, options)
        return cls(
            credentials,
            connector=connector,
            transport=transport,
            limiter=limiter,
            on_event=on_event,
            **options,
        )

    async def open(self) -> Self:
        """Open the client in the running loop. Opening it again does nothing.

        Raises:
            ClientClosed: It was closed.
            ConfigurationError: It is open in another loop.
        """
        await self._session.open()
        return self

    async def close(self) -> None:
        """Close the client: calls and waits under way end with `ClientClosed`. Closing again does nothing."""
        await self._session.close()

    async def drain(self, timeout: float | None = None) -> int:  # noqa: ASYNC109 - it is no error to be late
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
        return await internals(self.backups).triggers.drain.run(timeout)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def fetch_token(self) -> None:
        """Get a token now, if there is none yet: a wrong secret shows here, before a long run begins.

        Raises:
            AuthenticationError: There is none to be had with these credentials.
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
            ids: Instance ids: an iterable or an async iterable of any length, read as the work goes on.
            concurrency: How many instances at once. The client's `max_concurrency` holds over all fleets;
                one that asks for more waits.
            background: Whether other calls of the client pass this fleet's at the gate. It goes on more
                slowly while they do, but never stands still.

        Raises:
            ValueError: `concurrency` is no whole number from 1 up.
            TypeError: `ids` is no iterable, or a str, whose letters are no ids.
        """
        from backupify_async._fleet.fleet import Fleet  # noqa: PLC0415 - sweeps have much that a call needs not

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
        """What is going on now: requests in flight, calls waiting, refusals, the retry budget."""
        shared = internals(self.backups)
        return attrs.evolve(
            self._session.statistics(),
            reconciling=shared.triggers.reconciling,
            waited_for=shared.waits.waited_for,
            answered_from_memory=shared.idle.answered,
        )


BackupifyClient.__module__ = "backupify_async"  # as the errors have it
