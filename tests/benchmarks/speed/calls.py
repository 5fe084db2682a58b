"""Get-active over many ids: what a call costs in CPU, ours over bare aiohttp, before others are imported."""

import importlib
from asyncio import AbstractEventLoop
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec

from backupify_async._fleet.fleet import Fleet
from tests.benchmarks.speed import peers
from tests.benchmarks.speed.floor import raw_protocol
from tests.benchmarks.speed.measuring import Costs, Figure, Way, costs, keep_memory, ratio
from tests.benchmarks.speed.ours import PLAIN, fan_out
from tests.benchmarks.speed.server import Server
from tests.benchmarks.speed.sizes import Size
from tests.benchmarks.speed.table import Row

_OURS, _FAST, _NOT_ADAPTIVE, _BARE, _FLOOR = "ours", "[fast]", "adaptive=False", "bare", "floor"
_TARGET, _FAST_TARGET = (1.0, 0.88), (0.82, 0.7)


def rows(server: Server, size: Size) -> Iterator[Row]:
    """Over bare aiohttp, in a new process and once it keeps memory; and over the floor."""
    ways = _ways(server.at(), size)
    found = costs(ways, size.pairs)
    yield from _over_bare(found, "")
    learning = Figure.of(
        (ours - plain) / bare
        for ours, plain, bare in zip(found[_OURS], found[_NOT_ADAPTIVE], found[_BARE], strict=True)
    )
    yield Row("CPU that adaptive=True adds to a call, over that of a bare call", learning, 0.02)
    yield Row("CPU of a get-active call, over a raw asyncio.Protocol", ratio(found, _OURS, _FLOOR))
    yield from _microseconds(found, "")
    keep_memory()
    found = costs(ways, size.pairs)
    yield from _over_bare(found, " (memory kept)")
    yield from _microseconds(found, " (memory kept)")


def _over_bare(found: Costs, when: str) -> Iterator[Row]:
    yield Row(f"CPU of a get-active call, over bare aiohttp{when}", ratio(found, _OURS, _BARE), *_TARGET)
    if _FAST in found:
        what = f"the same with [fast], over bare aiohttp without uvloop{when}"
        yield Row(what, ratio(found, _FAST, _BARE), *_FAST_TARGET)
    else:
        print("left out, because it is not installed: uvloop")


def _microseconds(found: Costs, when: str) -> Iterator[Row]:
    for name, way in (("bare aiohttp", _BARE), ("ours", _OURS)):
        yield Row(
            f"CPU of a get-active call of {name} here{when}",
            Figure.of(1e6 * cost for cost in found[way]),
            unit="µs",
        )


def _ways(base_url: str, size: Size) -> list[Way]:
    ours, calls = partial(fan_out, base_url, Fleet.get_active), size.calls
    ways = [
        Way(_BARE, partial(peers.bare_aiohttp, base_url), calls),
        Way(_OURS, ours, calls),
        Way(_NOT_ADAPTIVE, partial(ours, rate_limit=PLAIN), calls),
        Way(_FLOOR, partial(raw_protocol, base_url), calls),
    ]
    if find_spec("uvloop") is not None:
        ways.append(Way(_FAST, ours, calls, new_uvloop))
    return ways


def new_uvloop() -> AbstractEventLoop:
    """A loop of uvloop, which is not always installed."""
    loop: AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
    return loop
