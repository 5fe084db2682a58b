"""One token for all members: fetched from the store, or requested by the one member that has the lease."""

import asyncio
import contextlib
import hashlib
import logging
import math
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from backupify_async._shared.store import TOKEN, StateStore, Stored, StoreUnavailable
from backupify_async._shared.token_lease import (
    LEASE,
    Renew,
    TokenRecord,
    Use,
    Wait,
    after_cancellation,
    after_failure,
    decide,
    extend_lease,
    read_record,
    take_lease,
    write_record,
)
from backupify_async._tasks import cancel_and_wait
from backupify_async._transport.held_token import HeldToken, hold
from backupify_async._transport.token_keeper import Fetch
from backupify_async._transport.token_request import read_secret
from backupify_async.credentials import ClientCredentials, Token

if TYPE_CHECKING:
    from backupify_async._shared.sealing import TokenSeal

_LOGGER = logging.getLogger("backupify_async.shared")
_BETWEEN_TURNS = 0.05  # seconds: announcements are frequent, and most are about the limit
_REMEMBERED = 16  # rejected tokens


class SharedToken:
    """Fetches the token that all members share. Its `fetch` takes the place of a keeper's.

    Args:
        request: Requests a token from the API.
        store: The store, which is open.
        make_seal: Makes the seal, from the client secret as it is at present.
        now: The loop's clock, seconds.
    """

    def __init__(
        self,
        request: Fetch,
        store: StateStore,
        make_seal: "Callable[[], Awaitable[TokenSeal]]",
        now: Callable[[], float],
    ) -> None:
        self._request = request
        self._store = store
        self._make_seal = make_seal
        self._now = now
        self._member = ""
        self._given: HeldToken | None = None
        self._rejected: deque[bytes] = deque(maxlen=_REMEMBERED)  # digests
        self._news = asyncio.Event()

    def on_change(self) -> None:
        """Another member has announced something."""
        self._news.set()

    async def fetch(self) -> Token:
        """A token that is not due yet. Where the store is away, this member requests one for itself.

        It is called when the token that it returned last is due; earlier only if the API rejected that one,
        which is not taken from the store again.

        Raises:
            BackupifyError: As by `request`.
        """
        self._member = self._member or secrets.token_hex(8)  # not before: a client can be made before a fork
        if self._given is not None and self._now() < self._given.refresh_at:
            self._rejected.append(_digest(self._given.value))
        try:
            token = await self._from_store(await self._make_seal())
        except StoreUnavailable as error:
            _LOGGER.warning("the token is not shared at present: %s", error)
            token = await self._request()
        self._given = hold(token, self._now())
        return token

    async def _from_store(self, seal: "TokenSeal") -> Token:
        while True:
            self._news.clear()
            found = await self._ask(seal)
            if isinstance(found, Token):
                return found
            if found == 0.0:
                return await self._renew(seal)
            await self._wait_for_news(found)

    async def _ask(self, seal: "TokenSeal") -> Token | float:
        """The token to use; or how many seconds to wait for it; or 0.0 if this member has the lease."""
        found: Token | float = 0.0

        def change(stored: Stored) -> bytes | None:
            nonlocal found
            record = read_record(stored)
            value = seal.open(record.sealed) if record.sealed else ""
            rejected = _digest(value) in self._rejected
            held = self._given is not None and value == self._given.value
            match decide(record, stored.now, self._member, rejected=rejected, held=held):
                case Use():
                    life = record.ends_at - stored.now
                    found = Token(value, life if math.isfinite(life) else None)
                case Wait(until):
                    found = max(until - stored.now, _BETWEEN_TURNS)
                case Renew():
                    found = 0.0
                    leased = take_lease(record, stored.now, self._member, rejected=rejected)
                    return write_record(leased, stored)
            return None

        await self._store.turn(TOKEN, change)
        return found

    async def _renew(self, seal: "TokenSeal") -> Token:
        """Request a token, and share it."""
        extending = asyncio.create_task(self._extend_lease(), name="backupify_async shared token")
        try:
            token = await self._request()
        except (Exception, asyncio.CancelledError) as error:
            await cancel_and_wait([extending])
            cancelled = isinstance(error, asyncio.CancelledError)
            await self._share(partial(self._change, after_cancellation if cancelled else after_failure))
            raise
        finally:
            extending.cancel()
        held = hold(token, self._now())
        sealed = seal.seal(token.value)

        def record(stored: Stored) -> bytes:
            offset = stored.now - self._now()
            return write_record(TokenRecord(sealed, held.refresh_at + offset, held.ends_at + offset), stored)

        await self._share(record)
        return token

    async def _share(self, change: Callable[[Stored], bytes | None]) -> None:
        try:
            await self._store.turn(TOKEN, change)
            await self._store.announce()
        except StoreUnavailable as error:
            _LOGGER.warning("the token is not shared at present: %s", error)

    async def _extend_lease(self) -> None:
        """Keep the lease, for as long as a slow token endpoint takes."""
        while True:
            await asyncio.sleep(LEASE / 2)
            with contextlib.suppress(StoreUnavailable):
                await self._store.turn(TOKEN, partial(self._change, extend_lease))

    def _change(
        self, decide_change: Callable[[TokenRecord, float, str], TokenRecord | None], stored: Stored
    ) -> bytes | None:
        record = decide_change(read_record(stored), stored.now, self._member)
        return None if record is None else write_record(record, stored)

    async def _wait_for_news(self, seconds: float) -> None:
        await asyncio.sleep(min(_BETWEEN_TURNS, seconds))
        if not self._news.is_set():
            try:
                async with asyncio.timeout(max(seconds - _BETWEEN_TURNS, 0.0)):
                    await self._news.wait()
            except TimeoutError:
                return


def share_token(
    request: Fetch,
    credentials: ClientCredentials,
    store: StateStore,
    *,
    origin: str,
    place: str,
    now: Callable[[], float],
    secret_timeout: float | None,
) -> SharedToken | None:
    """Share the token of these credentials, if the extra `shared` is installed; else say once that it is not.

    Args:
        request: Requests a token from the API.
        credentials: The credentials.
        store: The store, which is open by the time of the first request.
        origin: The API.
        place: The store's key.
        now: The loop's clock, seconds.
        secret_timeout: Seconds for reading the secret's file; None for no limit.
    """
    try:
        from backupify_async._shared.sealing import TokenSeal  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        _say_not_shared()
        return None

    async def make_seal() -> TokenSeal:
        secret = await read_secret(credentials.secret, secret_timeout)
        return TokenSeal(secret, origin=origin, client_id=credentials.id, place=place)

    return SharedToken(request, store, make_seal, now)


@cache
def _say_not_shared() -> None:
    _LOGGER.warning(
        "each process requests a token for itself: to share it, install cryptography "
        "(pip install '.[shared]' in the checkout of backupify-async)"
    )


def _digest(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
