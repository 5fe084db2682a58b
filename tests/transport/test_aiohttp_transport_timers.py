"""The timers of an aiohttp transport end with it."""

import asyncio
import gc
import weakref

import attrs

from backupify_async import AiohttpTransport, Timeouts
from backupify_async._transport.attempt_timeouts import Watch
from tests.support.aiohttp_transports import get, open_transport
from tests.support.raw_servers import http, serving

OK = http(200, b"{}")


def running_timers() -> list[Watch]:
    """The watches whose timer is running."""
    return [watch for watch in gc.get_objects() if isinstance(watch, Watch) and watch._timer is not None]


async def test_timers_of_calls_with_their_own_time_outs_end_with_the_transport() -> None:
    before = weakref.WeakSet(running_timers())
    async with serving(*[OK] * 40) as server:
        transport = AiohttpTransport()
        async with open_transport(server.base_url, transport):
            await transport(get(server.base_url, "/v1/ping"))
            for seconds in range(100, 139):  # more than are remembered
                request = attrs.evolve(
                    get(server.base_url, "/v1/ping"), timeouts=Timeouts(read=seconds, attempt=seconds)
                )
                await transport(request)
            assert len([watch for watch in running_timers() if watch not in before]) == 40
        assert [watch for watch in running_timers() if watch not in before] == []
    await asyncio.sleep(0)
