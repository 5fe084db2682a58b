"""Members that share a token, and the server that gives it."""

import asyncio
import contextlib
import itertools
import math
import secrets
from collections.abc import AsyncIterator

import attrs

from backupify_async import AuthenticationError, ClientCredentials, Token
from backupify_async._shared.sealing import TokenSeal
from backupify_async._shared.shared_token import SharedToken
from backupify_async._transport.token_keeper import TokenKeeper
from tests.shared.stores import KEY
from tests.support.memory_store import MemoryHub, MemoryStore

SECRET = f"secret-{secrets.token_hex(16)}"
CREDENTIALS = ClientCredentials("ops", SECRET)
LIFE = 100.0  # seconds; a token is due after 80


def loop_time() -> float:
    return asyncio.get_running_loop().time()


@attrs.define
class Server:
    """A token endpoint; only tokens that have not ended and were not revoked are valid."""

    life: float | None = LIFE
    takes: float = 0.2
    requests: list[float] = attrs.field(factory=list)
    failures: int = 0
    ends: dict[str, float] = attrs.field(factory=dict)

    async def request(self) -> Token:
        self.requests.append(loop_time())
        await asyncio.sleep(self.takes)
        if self.failures > 0:
            self.failures -= 1
            raise AuthenticationError("no")
        value = f"token-{secrets.token_hex(8)}"
        self.ends[value] = loop_time() + (self.life or math.inf)
        return Token(value, self.life)

    def accepts(self, value: str) -> bool:
        return loop_time() < self.ends[value]

    def revoke_all(self) -> None:
        self.ends = dict.fromkeys(self.ends, -math.inf)


def gaps(times: list[float]) -> list[float]:
    return [later - earlier for earlier, later in itertools.pairwise(times)]


class Group:
    """Members of one group, each with a keeper."""

    def __init__(self, server: Server, hub: MemoryHub) -> None:
        self.server = server
        self.hub = hub
        self.keepers: list[TokenKeeper] = []

    async def join(self, secret: str = SECRET) -> TokenKeeper:
        async def make_seal() -> TokenSeal:
            return TokenSeal(secret, origin="https://api.example.com", client_id="ops", place=KEY)

        store = MemoryStore(self.hub)
        shared = SharedToken(self.server.request, store, make_seal, loop_time)
        await store.open(shared.on_change)
        keeper = TokenKeeper(shared.fetch, loop_time, lambda life: None)
        self.keepers.append(keeper)
        return keeper

    async def tokens(self) -> list[str]:
        return await asyncio.gather(*(keeper.get() for keeper in self.keepers))


@contextlib.asynccontextmanager
async def grouped(server: Server, hub: MemoryHub, members: int = 8) -> AsyncIterator[Group]:
    group = Group(server, hub)
    for _ in range(members):
        await group.join()
    try:
        yield group
    finally:
        for keeper in group.keepers:
            await keeper.close()
