"""The store of many machines: a Redis server.

    {backupify:KEY}:limit    a hash: `value`, and its `revision`, which is random and new with each write
    {backupify:KEY}:TOKEN    the same
    {backupify:KEY}:*:broken what was put aside, for a day
    {backupify:KEY}:wake     the channel of announcements

A turn is two round trips: read, with the server's TIME; and write, if the revision is still the same, else
the script returns what another member wrote, and the change is computed again. A turn runs in its own
task, which goes on when its caller is cancelled: a connection with an unread response would be lost.

URLs are those of redis-py: `redis://`, `rediss://` (TLS) and `unix://`, with user name, password, database
and options such as `?ssl_ca_certs=...`. With a cluster, name any node: all keys are in one hash slot, and the
store follows MOVED to the node that has it. redis-py has no URL for Sentinel: name the primary, or a proxy.

A user with these permissions can do all that is needed, and nothing else:

    ACL SETUSER ops on >SECRET resetkeys ~{backupify:*}:* resetchannels &{backupify:*}:wake
        -@all +evalsha +script|load +type +time +hget +hset +pexpire +rename +publish +subscribe +ping +select
"""

import asyncio
import contextlib
import logging
import os
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, MovedError, NoPermissionError, RedisError

from backupify_async._shared.machine import require_process
from backupify_async._shared.redis_errors import FAULTS, why_unavailable
from backupify_async._shared.redis_listener import RedisListener, hold_off
from backupify_async._shared.store import (
    LIMIT,
    TOKEN,
    BadRecord,
    Change,
    Stored,
    StoreUnavailable,
    note_put_aside,
)
from backupify_async.errors import ConfigurationError

_LOGGER = logging.getLogger("backupify_async.shared")
_PATIENCE = 0.9  # seconds for a turn, of the second that it can take
_LIFE = {LIMIT: 7 * 86_400, TOKEN: 3_600}  # seconds after the last write
_BROKEN_LIFE = 86_400
_FIRST_HOLD_OFF = 0.05  # seconds after a failed try, doubled each time
_LONGEST_HOLD_OFF = 1.0
_TURN = """
local foreign = 0
local kind = redis.call('TYPE', KEYS[1])['ok']
if kind ~= 'hash' and kind ~= 'none' then
    redis.call('RENAME', KEYS[1], KEYS[2])
    redis.call('PEXPIRE', KEYS[2], ARGV[1])
    foreign = 1
end
local revision = redis.call('HGET', KEYS[1], 'revision') or ''
if #ARGV > 1 and revision == ARGV[2] then
    redis.call('HSET', KEYS[1], 'revision', ARGV[3], 'value', ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    return {}
end
local time = redis.call('TIME')
return {time[1], time[2], foreign, revision, redis.call('HGET', KEYS[1], 'value')}
"""
_PUT_ASIDE = """
if redis.call('HGET', KEYS[1], 'revision') == ARGV[2] then
    redis.call('RENAME', KEYS[1], KEYS[2])
    redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
"""


class RedisStore:
    """A `StateStore` on a Redis server.

    Args:
        url: The server, as redis-py spells it.
        key: A name for what is shared: letters and digits.
        token: The name of the token: another one for each client id.

    Raises:
        ConfigurationError: The URL cannot work.
    """

    def __init__(self, url: str, key: str, *, token: str = "token") -> None:  # noqa: S107
        self._key = key
        self._names = {LIMIT: LIMIT, TOKEN: token}
        self._options = connection_options(url)
        self._client = self._any_node = self._connect({})
        self._channel = f"{{backupify:{key}}}:wake"
        self._member = b""
        self._pid = 0  # of the process that opened it
        self._listener: RedisListener | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._problem = ""  # of the last failure
        self._not_before = 0.0
        self._responded_at = 0.0
        self._newer: set[str] = set()  # names for which a value of a later release was put aside

    def __repr__(self) -> str:
        return f"RedisStore({self._key!r})"  # a password with a slash would be taken for a host

    async def open(self, on_change: Callable[[], None]) -> None:
        """Listen for announcements. A server that is away at present is tried again by each turn.

        Raises:
            ConfigurationError: The server refuses this user, or what it must be able to do.
        """
        self._pid = os.getpid()
        self._member = secrets.token_bytes(8)  # not before: a client can be made before a fork
        self._listener = RedisListener(self._any_node, self._channel, self._member, on_change)
        problem: str | None = None
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._listener.open()
                await self._call(_TURN, LIMIT, [_BROKEN_LIFE * 1_000])
        except (AuthenticationError, NoPermissionError) as error:
            problem = why_unavailable(error)
        except FAULTS as error:
            _LOGGER.warning("%s", why_unavailable(error))
        if problem is not None:
            await self.close()
            raise ConfigurationError(f'{problem}: correct the URL or the ACL, which help("{__name__}") shows')

    async def turn(self, name: str, change: Change) -> None:
        """Change a value. See `StateStore`."""
        require_process(self._pid)
        wanted = _Wanted()
        try:
            await self._in_own_task(self._turn(name, change, wanted))
        finally:
            wanted.by_its_caller = False

    async def announce(self) -> None:
        """Wake the other members."""
        require_process(self._pid)
        await self._in_own_task(self._publish())

    async def close(self) -> None:
        """Disconnect. The values stay."""
        if self._listener is not None:
            await self._listener.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._use(self._any_node)
        with contextlib.suppress(*FAULTS):
            await self._any_node.aclose()

    async def _in_own_task(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in a task that survives its caller, unless the server was away a moment ago.

        Raises:
            StoreUnavailable: The server is away, or did not respond in time.
        """
        if asyncio.get_running_loop().time() < self._not_before:
            work.close()
            raise StoreUnavailable(f"{self._problem}, a moment ago")
        task = asyncio.create_task(self._in_time(work), name="backupify_async shared turn")
        self._tasks.add(task)
        task.add_done_callback(self._on_end)
        await asyncio.shield(task)

    def _on_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # else asyncio logs that of a task whose caller was cancelled

    async def _in_time(self, work: Coroutine[Any, Any, None]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(_PATIENCE):
                await work
        except FAULTS as error:
            problem = why_unavailable(error)
        else:
            self._failures, self._not_before, self._responded_at = 0, 0.0, loop.time()
            if self._listener is not None:
                self._listener.on_server_back()
            return
        if self._responded_at > began:  # to another request: the server is there again
            raise StoreUnavailable(problem)
        await self._use(self._any_node)  # the keys may have moved
        with contextlib.suppress(*FAULTS):  # and the name of the server may lead to another by now
            await self._any_node.connection_pool.disconnect(inuse_connections=False)
        self._not_before = loop.time() + hold_off(self._failures, _FIRST_HOLD_OFF, _LONGEST_HOLD_OFF)
        self._failures += 1
        self._problem = problem
        raise StoreUnavailable(problem)

    async def _turn(self, name: str, change: Change, wanted: "_Wanted") -> None:
        arguments: list[int | bytes] = [_BROKEN_LIFE * 1_000]
        while (found := await self._call(_TURN, name, arguments)) and wanted.by_its_caller:
            seconds, microseconds, foreign, revision, value = found
            if foreign:
                self._say_put_aside(name, BadRecord("it is not a value of backupify_async"))
            now = int(seconds) + int(microseconds) / 1e6
            try:
                written = change(Stored(value, now, "", now))
            except BadRecord as bad:
                await self._call(_PUT_ASIDE, name, [_BROKEN_LIFE * 1_000, revision])
                self._say_put_aside(name, bad)
                arguments = arguments[:1]
                continue
            if written is None:
                return
            life = _LIFE[name] * 1_000
            arguments = [_BROKEN_LIFE * 1_000, revision, secrets.token_bytes(8), written, life]

    async def _publish(self) -> None:
        await self._client.publish(self._channel, self._member)

    async def _call(self, script: str, name: str, arguments: Sequence[int | bytes]) -> Any:
        """Run a script on the node that has the key."""
        key = f"{{backupify:{self._key}}}:{self._names[name]}"
        run = self._client.register_script(script)
        try:
            return await run([key, f"{key}:broken"], arguments)
        except MovedError as moved:
            await self._use(self._connect({"host": moved.host, "port": moved.port}))
        return await self._client.register_script(script)([key, f"{key}:broken"], arguments)

    async def _use(self, client: "Redis") -> None:
        """Send to this node from now on."""
        old, self._client = self._client, client
        if old not in (client, self._any_node):
            with contextlib.suppress(*FAULTS):
                await old.aclose()

    def _say_put_aside(self, name: str, bad: BadRecord) -> None:
        _LOGGER.warning(
            "the shared %s cannot be used: %s. It is kept for a day as %s:broken", name, bad, name
        )
        note_put_aside(self._newer, name, bad)

    def _connect(self, node: dict[str, object]) -> "Redis":
        return Redis.from_pool(ConnectionPool(**{**self._options, **node}))


class _Wanted:
    """Whether the caller of a turn still waits for it: else nothing more is written."""

    by_its_caller = True


def connection_options(url: str) -> dict[str, Any]:
    """What redis-py connects with.

    Raises:
        ConfigurationError: The URL cannot work. The message does not hold it, for it can hold a password.
    """
    try:
        options: dict[str, Any] = {**parse_url(url)}
    except (ValueError, RedisError):
        options = {}
    if not options.get("host") and not options.get("path"):
        raise ConfigurationError(
            "this is not the URL of a Redis server: redis://HOST:PORT/DATABASE, or "
            "rediss://USER:PASSWORD@HOST with all but letters and digits in the password written as %XX"
        )
    options.update(
        decode_responses=False,
        protocol=2,  # no HELLO, so that old servers and users with few permissions will do
        driver_info=None,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        health_check_interval=0,
    )
    try:
        ConnectionPool(**options).make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, RedisError):
        options = {}
    if not options:
        raise ConfigurationError(
            "the URL of the Redis server has an option that redis-py does not know, or not with this scheme: "
            "ssl_... needs rediss://"
        )
    return options
