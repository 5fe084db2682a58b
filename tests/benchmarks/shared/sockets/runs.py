"""One run: a server, a place, and members that send for a time, while something may happen."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import attrs

from backupify_async.testing import FixedWindow, RequestRecord, SimulatedBackupify, TokenBucket
from tests.benchmarks.shared.sockets.figures import calls_of
from tests.benchmarks.shared.sockets.member import MemberResult, MemberSettings
from tests.benchmarks.shared.sockets.members import Member, start, started
from tests.benchmarks.shared.sockets.places import Place

RATE, BURST = 83, 17
BUCKET = TokenBucket(RATE, burst=BURST, retry_after=False)
WINDOW = FixedWindow(140, 2)
_LATENCY = (0.005, 0.02)  # seconds
WORKERS = 16


@attrs.frozen
class Run:
    """What happened.

    Attributes:
        records: The calls that the server received.
        tokens: How many tokens it issued.
        begin: When the members began, by the server's clock.
        results: What the members met, in their order, without those that were killed.
    """

    records: list[RequestRecord]
    tokens: int
    begin: float
    results: list[MemberResult]

    @property
    def waits(self) -> list[float]:
        """How long all calls waited for a gate, sorted."""
        return sorted(wait for result in self.results for wait in result.waits)


@attrs.define
class Scene:
    """What can happen in a run."""

    place: Place
    members: list[Member]
    settings: Sequence[MemberSettings]

    async def join(self) -> None:
        """Let one more begin, until the others end."""
        last = self.settings[-1]
        member = await start(attrs.evolve(last, name="late", seconds=last.seconds / 2))
        self.members.append(member)
        member.begin()


Happens = Callable[[Scene], Awaitable[None]]


async def observe(
    place: Place,
    limit: TokenBucket | FixedWindow | None,
    seconds: float,
    *,
    workers: Sequence[int],
    token_lifetime: int = 899,
    port: int = 0,
    happens: Happens | None = None,
) -> Run:
    """Let members send to one server.

    Args:
        place: Where they share.
        limit: The server's limit.
        seconds: How long.
        workers: How many calls each member has at once; 0 for one call after another with a pause.
        token_lifetime: Seconds.
        port: The server's: what is shared belongs to one server.
        happens: Runs meanwhile, from the beginning.
    """
    async with SimulatedBackupify(
        rate_limit=limit, latency=_LATENCY, token_lifetime=token_lifetime, backups=0, port=port
    ) as server:
        settings = [
            MemberSettings(
                name=f"m{number}",
                base_url=server.base_url,
                shared=place.location,
                workers=count,
                seconds=seconds,
            )
            for number, count in enumerate(workers)
        ]
        async with started(settings) as members:
            begin = time.time()
            scene = Scene(place, members, settings)
            happening = asyncio.create_task(_happen(happens, scene))
            await asyncio.sleep(seconds)
            await happening
            results = await asyncio.gather(*(member.result() for member in members))
        return Run(
            calls_of(server.requests),
            server.tokens_issued,
            begin,
            [one for one in results if one is not None],
        )


async def _happen(happens: Happens | None, scene: Scene) -> None:
    if happens is not None:
        await happens(scene)
