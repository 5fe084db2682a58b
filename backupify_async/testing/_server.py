"""`SimulatedBackupify`: the server's settings, its life, and what a test can ask it."""

import asyncio
import random
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Self

from aiohttp import web

from backupify_async.testing._application import Porter
from backupify_async.testing._clock import Clock, wall_clock
from backupify_async.testing._faults import Fault
from backupify_async.testing._handlers import ServerContext
from backupify_async.testing._limits import RateLimit
from backupify_async.testing._log import Log, RequestRecord
from backupify_async.testing._service import Service
from backupify_async.testing._settings import ActiveConflict, IdleAnswer, Settings
from backupify_async.testing._state import SimulatedBackup, Tokens, World

_HOST = "127.0.0.1"
_SETTLING = 0.1  # seconds in which a busy machine lets the server's thread act
_PATIENCE = 1.0  # seconds; only a net: the handlers of connections that are gone have been cancelled


class SimulatedBackupify:
    """A Backupify on a loopback port, with state, faults and a log: `async with SimulatedBackupify() as s:`.

    It keeps its state and its port when it is stopped, so that a test can play an outage by `stop()` and
    `start()`. `start` and `stop` belong to the loop that it runs on; all else may be called from another
    thread.

    Args:
        instances: how many backup instances there are; their ids are 1 to n; a customer has three, one of
            each of three backup definitions.
        seed: of all that is random: the backups, the latency, the faults with a probability, the tokens.
        backups: how many backups each instance has at the start; None: the seed decides, from none to a few
            pages.
        client_id: of the only client credentials that are accepted.
        client_secret: likewise.
        token_lifetime: how long a token is good for, in whole seconds.
        token_lag: how long a new token is answered with 401, in seconds of the server's clock, as by nodes
            that do not know it yet.
        newest_token_only: whether a new token ends all that were handed out before it.
        rate_limit: `TokenBucket(...)`, `FixedWindow(...)`, or None. One count for all requests,
            `/oauth/token` and `/v1/ping` among them: Rack::Attack stands in front of the application and
            counts by address.
        latency: seconds of real time between acting and answering, or a (low, high) range of them.
        faults: which requests go wrong, and how; see `Fault`.
        backup_duration: how long a started backup runs, in seconds of the server's clock; `math.inf` never
            ends.
        idle_answer: how get-active says that nothing is running: 404 (with a JSON body), 204, `"null"`,
            `"{}"`, `"[]"`.
        active_conflict: how a trigger is answered while a backup runs: 409, 422, or 200 with the running one.
        envelope: None, or the key under which lists come (`"backups"`); single things come under it without
            its `s`.
        per_page: how many items a page has unless the query says so.
        max_per_page: more than these are not given, whatever the query says.
        forbidden: ids of instances about which all is answered with 403; lists name them all the same.
        link_base: scheme and host that the server puts into its Link headers; by default those the client
            came by.
        date_header: whether answers have a Date header, as behind a proxy.
        date_offset: how far that is ahead of the server's own clock, in seconds.
        list_lag: how long lists do not show a backup that was started, in seconds of the server's clock.
        local_time: None, or how many hours ahead of UTC the server is that writes its dates in its own time
            and without an offset.
        settling: what the property of that name tells; None: what the faults and `list_lag` ask for.
        port: where to listen; 0 takes a free one.
        clock: seconds since the epoch; by default the real time, see `ManualClock`.

    Raises:
        ValueError: for a number out of its range or an answer that is none of those above.
        TypeError: for a count that is no integer.
    """

    def __init__(
        self,
        *,
        instances: int = 50,
        seed: int = 1,
        backups: int | None = None,
        client_id: str = "demo",
        client_secret: str = "demo",  # noqa: S107 - the whole point of a simulated secret is to be known
        token_lifetime: int = 899,
        token_lag: float = 0.0,
        newest_token_only: bool = False,
        rate_limit: RateLimit | None = None,
        latency: float | tuple[float, float] = 0.0,
        faults: Iterable[Fault] = (),
        backup_duration: float = 60.0,
        idle_answer: IdleAnswer = 404,
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
        self._settings = Settings(
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
            idle_answer=idle_answer,
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
        self._world = World(
            instances=settings.instances,
            backups=settings.backups,
            backup_duration=settings.backup_duration,
            seed=settings.seed,
            now=now,
        )
        self._tokens = Tokens(
            settings.token_lifetime, settings.seed, settings.token_lag, settings.newest_token_only
        )
        desk = ServerContext(settings, self._world, self._tokens, self._log.triggers)
        self._service = Service(desk, random.Random(f"faults {settings.seed}"))
        self._porter = Porter(settings, self._service, self._log, random.Random(f"latency {settings.seed}"))
        self._port = settings.port
        self._runner: web.AppRunner | None = None

    def __repr__(self) -> str:
        where = f"http://{_HOST}:{self._port}" if self._port else "not started"
        return f"<SimulatedBackupify {where}, {len(self._world.instances)} instances>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. After a stop it is on the same port, with the same state.

        Raises:
            OSError: if the port is taken.
            RuntimeError: if it is listening already.
        """
        if self._runner is not None:
            raise RuntimeError(f"{self!r} is running already")
        # Handlers end with their connection: so a hanging one ends when its client leaves or we do.
        runner = web.AppRunner(
            self._porter.application(), access_log=None, handler_cancellation=True, shutdown_timeout=_PATIENCE
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
        """Close all connections, also those that wait for an answer, and listen no more. Twice is once."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        for site in runner.sites:
            await site.stop()
        for connection in runner.server.connections if runner.server else ():
            if isinstance(connection.transport, asyncio.Transport):
                connection.transport.abort()  # a plain close would wait for clients that do not read
        await runner.cleanup()

    @property
    def base_url(self) -> str:
        """Scheme, host and port, without a slash at the end.

        Raises:
            RuntimeError: before the first start, unless the port was given.
        """
        if not self._port:
            raise RuntimeError("a SimulatedBackupify has no base_url before it is started")
        return f"http://{_HOST}:{self._port}"

    @property
    def settling(self) -> float:
        """Seconds after which a look shows what came of a lost answer: for `Reconciliation(settling=...)`.

        A client's own default fits a server far away, and makes a test of a lost trigger take half a minute.
        """
        told = self._settings.settling
        return max(_SETTLING, self._settings.list_lag, self._service.faults.latest) if told is None else told

    @property
    def instance_ids(self) -> list[int]:
        """The ids of all instances, ascending."""
        return [instance.id for instance in self._world.instances]

    @property
    def requests(self) -> list[RequestRecord]:
        """All requests that arrived, in their order; a copy. Beyond a million the older half is forgotten."""
        return self._log.records

    @property
    def triggers(self) -> Mapping[int, list[SimulatedBackup]]:
        """The backups that were really started by POST, by instance id; `[]` for an id without any."""
        self._service.catch_up(self._settings.clock())
        return self._log.triggers

    @property
    def tokens_issued(self) -> int:
        """How many tokens have been handed out."""
        return self._tokens.issued

    def issue_token(self) -> str:
        """A token as `/oauth/token` would hand out now, for clients that are given one."""
        return self._tokens.issue(self._settings.clock())

    def expire_tokens(self) -> None:
        """Let all tokens that have been handed out be over."""
        self._tokens.expire_all()

    def add_instance(self, *, backups: int = 0) -> int:
        """Add a backup instance.

        Args:
            backups: how many backups it has, the newest just over.

        Returns:
            Its id.
        """
        return self._world.add(backups=backups, now=self._settings.clock()).id

    def start_backup(self, instance_id: int) -> SimulatedBackup:
        """Start a backup as the nightly schedule would: it runs, but it is none of the `triggers`.

        Args:
            instance_id: of which instance, whatever is running there.

        Returns:
            The backup.

        Raises:
            KeyError: if there is no such instance.
        """
        instance = self._world.instance(instance_id)
        if instance is None:
            raise KeyError(instance_id)
        return self._world.start(instance, self._settings.clock())

    def inject(self, *faults: Fault) -> None:
        """Add faults behind those that are there.

        Args:
            *faults: from now on in force.
        """
        self._service.faults.add(*faults)

    def clear_faults(self) -> None:
        """Drop all faults, the first ones too."""
        self._service.faults.clear()

    async def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests in all have arrived and been decided about, from any loop.

        Args:
            count: how many, from the server's first start on.
        """
        await self._log.reaches(count)
