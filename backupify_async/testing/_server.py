"""`SimulatedBackupify`: settings, start and stop, and what a test can read."""

import asyncio
import random
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from backupify_async.testing._application import RequestHandler
from backupify_async.testing._clock import Clock, wall_clock
from backupify_async.testing._context import ServerContext
from backupify_async.testing._faults import Fault
from backupify_async.testing._limits import ServerLimit
from backupify_async.testing._log import Log, RequestRecord
from backupify_async.testing._service import Service
from backupify_async.testing._settings import ActiveConflict, IdleResponse, ServerSettings
from backupify_async.testing._state import ServerState, SimulatedBackup, Tokens

_HOST = "127.0.0.1"
_SETTLING = 0.1  # seconds, for the thread of the server on a busy machine
_ACCEPT_TURNS = 5  # of the loop: until a connection that was just accepted is known, and is closed too
_SHUTDOWN_TIMEOUT = 1.0  # seconds; a fallback: the handlers of closed connections are cancelled


class SimulatedBackupify:
    """A Backupify on a loopback port with state, faults and a log: `async with SimulatedBackupify() as s:`.

    It keeps its state and its port when it is stopped, so a test can simulate an outage by `stop()` and
    `start()`. Call `start` and `stop` in the event loop that it runs in; everything else also from another
    thread.

    Args:
        instances: The number of backup instances, with the ids 1 to n. A customer has three, one of each of
            the vendor's three backup definitions.
        seed: The seed of the backups, the latency, the tokens, and faults with a probability.
        backups: The initial number of backups of each instance; None for a number by the seed, up to a few
            pages.
        client_id: The only accepted client id.
        client_secret: Its secret.
        token_lifetime: The lifetime of a token, in whole seconds.
        token_lag: How long a new token is answered with 401, in seconds of the server's clock, as by nodes
            that do not know it yet.
        newest_token_only: Whether a new token invalidates all earlier ones.
        rate_limit: `TokenBucket(...)`, `FixedWindow(...)`, or None. It counts all requests, `/oauth/token`
            and `/v1/ping` included: Rack::Attack runs before the application and counts by address.
        latency: Seconds of real time between the operation and its response, or a (low, high) range.
        faults: Which requests fail, and how; see `Fault`.
        backup_duration: The duration of a started backup, in seconds of the server's clock; `math.inf` for
            one that never ends.
        idle_response: The response of get-active without an active backup: 404 (with a JSON body), 204,
            `"null"`, `"{}"` or `"[]"`.
        active_conflict: The status of a trigger while a backup is active: 409, 422, or 200 with that backup.
        envelope: None, or the key that lists are wrapped in (`"backups"`). Single objects are wrapped in the
            same key without its `s`.
        per_page: The items per page without `per_page` in the query.
        max_per_page: The maximum for `per_page`.
        forbidden: The ids of instances with 403 for every operation. Lists contain them anyway.
        link_base: Scheme and host in Link headers; by default those of the request.
        date_header: Whether responses have a Date header, as from a proxy.
        date_offset: By how many seconds that is ahead of the server's clock.
        list_lag: How long lists do not contain a backup that was started, in seconds of the server's clock.
        local_time: None; or the server's offset from UTC in hours: it then sends dates in local time, without
            an offset.
        settling: The value of the property `settling`; None for the value that follows from the faults and
            `list_lag`.
        port: The port to listen on; 0 for a free one.
        clock: Returns the seconds since the epoch; by default the real time. See `ManualClock`.

    Raises:
        ValueError: A number is out of range, or a response is not one of those listed.
        TypeError: A count is not an integer.
    """

    def __init__(
        self,
        *,
        instances: int = 50,
        seed: int = 1,
        backups: int | None = None,
        client_id: str = "demo",
        client_secret: str = "demo",  # noqa: S107 - a simulated secret is no secret
        token_lifetime: int = 899,
        token_lag: float = 0.0,
        newest_token_only: bool = False,
        rate_limit: ServerLimit | None = None,
        latency: float | tuple[float, float] = 0.0,
        faults: Iterable[Fault] = (),
        backup_duration: float = 60.0,
        idle_response: IdleResponse = 404,
        active_conflict: ActiveConflict = 409,
        envelope: str | None = None,
        per_page: int = 20,
        max_per_page: int = 100,
        forbidden: Iterable[int] = (),
        link_base: str | None = None,
        date_header: bool = False,
        date_offset: float = 0.0,
        list_lag: float = 0.0,
        local_time: float | None = None,
        settling: float | None = None,
        port: int = 0,
        clock: Clock | None = None,
    ) -> None:
        self._settings = ServerSettings(
            instances=instances,
            seed=seed,
            backups=backups,
            client_id=client_id,
            client_secret=client_secret,
            token_lifetime=token_lifetime,
            token_lag=token_lag,
            newest_token_only=newest_token_only,
            rate_limit=rate_limit,
            latency=latency,
            faults=faults,
            backup_duration=backup_duration,
            idle_response=idle_response,
            active_conflict=active_conflict,
            envelope=envelope,
            per_page=per_page,
            max_per_page=max_per_page,
            forbidden=forbidden,
            link_base=link_base,
            date_header=date_header,
            date_offset=date_offset,
            list_lag=list_lag,
            local_time=local_time,
            settling=settling,
            port=port,
            clock=clock or wall_clock(),
        )
        self._assemble()

    def _assemble(self) -> None:
        settings, now = self._settings, self._settings.clock()
        self._log = Log()
        self._state = ServerState(
            instances=settings.instances,
            backups=settings.backups,
            backup_duration=settings.backup_duration,
            seed=settings.seed,
            now=now,
        )
        self._tokens = Tokens(
            settings.token_lifetime, settings.seed, settings.token_lag, settings.newest_token_only
        )
        context = ServerContext(settings, self._state, self._tokens, self._log.triggers)
        self._service = Service(context, random.Random(f"faults {settings.seed}"))
        self._handler = RequestHandler(
            settings, self._service, self._log, random.Random(f"latency {settings.seed}")
        )
        self._port = settings.port
        self._runner: web.AppRunner | None = None

    def __repr__(self) -> str:
        where = f"http://{_HOST}:{self._port}" if self._port else "not started"
        return f"<SimulatedBackupify {where}, {len(self._state.instances)} instances>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start to listen. After a stop it has the same port and the same state.

        Raises:
            OSError: The port is in use.
            RuntimeError: It is already running.
        """
        if self._runner is not None:
            raise RuntimeError(f"{self!r} is already running")
        # Handlers end with their connection: a hanging one ends when the client disconnects or the server
        # stops.
        runner = web.AppRunner(
            self._handler.application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_TIMEOUT,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, _HOST, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self._port = runner.addresses[0][1]

    async def stop(self) -> None:
        """Close all connections, also those with pending requests, and stop listening. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in runner.sites:
            await site.stop()
        for _ in range(_ACCEPT_TURNS):
            await asyncio.sleep(0)
        for connection in runner.server.connections if runner.server else ():
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()  # a close would wait for clients that do not read
        await runner.cleanup()

    @property
    def base_url(self) -> str:
        """Scheme, host and port, without a trailing slash.

        Raises:
            RuntimeError: It was never started, and no port was given.
        """
        if not self._port:
            raise RuntimeError("a SimulatedBackupify has no base_url before it is started")
        return f"http://{_HOST}:{self._port}"

    @property
    def settling(self) -> float:
        """Seconds after which the effect of a lost trigger is visible: for `Reconciliation(settling=...)`.

        The default of a client is for a remote server: with it, a test of a lost trigger takes half a minute.
        """
        settling = self._settings.settling
        if settling is not None:
            return settling
        return max(_SETTLING, self._settings.list_lag, self._service.faults.latest)

    @property
    def instance_ids(self) -> list[int]:
        """The ids of all instances, ascending."""
        return [instance.id for instance in self._state.instances]

    @property
    def requests(self) -> list[RequestRecord]:
        """A copy of the received requests, in order. Beyond a million, the older half is dropped."""
        return self._log.records

    @property
    def triggers(self) -> Mapping[int, list[SimulatedBackup]]:
        """The backups that were actually started by POST, by instance id; `[]` for an id without any."""
        self._service.catch_up(self._settings.clock())
        return self._log.triggers

    @property
    def tokens_issued(self) -> int:
        """The number of issued tokens."""
        return self._tokens.issued

    def issue_token(self) -> str:
        """Issue a token as `/oauth/token` does, for a client with a fixed token."""
        return self._tokens.issue(self._settings.clock())

    def expire_tokens(self) -> None:
        """Let all issued tokens expire."""
        self._tokens.expire_all()

    def add_instance(self, *, backups: int = 0) -> int:
        """Add a backup instance. It belongs to the first customer with fewer than three.

        Args:
            backups: The number of its backups, of which the newest has just ended.

        Returns:
            The id.
        """
        return self._state.add(backups=backups, now=self._settings.clock()).id

    def start_backup(self, instance_id: int) -> SimulatedBackup:
        """Start a backup as the nightly schedule does: it is active, but not among the `triggers`.

        Args:
            instance_id: The instance. It can have an active backup already.

        Returns:
            The backup.

        Raises:
            KeyError: There is no such instance.
        """
        instance = self._state.instance(instance_id)
        if instance is None:
            raise KeyError(instance_id)
        return self._state.start(instance, self._settings.clock())

    def inject(self, *faults: Fault) -> None:
        """Add faults after the existing ones. They take effect at once."""
        self._service.faults.add(*faults)

    def clear_faults(self) -> None:
        """Remove all faults, those of the constructor included."""
        self._service.faults.clear()

    async def wait_for_requests(self, count: int) -> None:
        """Wait, in any event loop, until `count` requests were received since the first start."""
        await self._log.reaches(count)
