"""Records that can be read and make no sense: they are put aside, and every call ends."""

import asyncio
import copy
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from backupify_async._shared.limiter import SharedLimiter
from backupify_async._shared.record import encode
from backupify_async._transport.gate import Gate, GateBlocked
from tests.shared.records import used_record
from tests.support.faulty_store import FaultyStore, Memory
from tests.support.scripted import now

pytestmark = pytest.mark.looptime

PLAIN: dict[str, Any] = orjson.loads(encode(used_record()))
LIMITER = ("limiter", 0)
Place = tuple[str | int, ...]


def places(inside: Any = PLAIN, begin: Place = ()) -> Iterator[Place]:
    """Where all values in a record are."""
    children = inside.items() if isinstance(inside, dict) else enumerate(inside)
    for key, child in children:
        yield (*begin, key)
        if isinstance(child, dict | list):
            yield from places(child, (*begin, key))


def record_with(place: Place, value: object) -> bytes:
    plain = copy.deepcopy(PLAIN)
    inside: Any = plain
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    return orjson.dumps(plain)


async def call(gate: Gate) -> None:
    try:
        ticket = await gate.acquire()
    except GateBlocked:
        return
    await asyncio.sleep(0.05)
    gate.on_response(now(), ticket, 200, {})
    gate.release(ticket)


async def calls_that_end(value: bytes) -> int:
    """Open a client on this record, and send 30 calls. Returns how many of them end."""
    one = SharedLimiter(FaultyStore(Memory(values={"limit": value})))
    await one.open()
    gate = Gate(one, 64)
    async with asyncio.timeout(600.0):
        ended = await asyncio.gather(*(call(gate) for _ in range(30)))
    one.estimate(now())
    await gate.close()
    await one.close()
    return len(ended)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("version",), []),
        (("scale", 0), "x"),
        (("scale", 0), 1e308),
        (("scale", 3), None),
        (("members", "a", 1), "many"),
        (("members", "a", 2), -1),
        (("slots", 0, 0), 2**63),
        (("last_slot",), 1e308),
        (("times", 0), 1e18),
        (("times", 0), "nan"),
        (("felt_at",), "yesterday"),
        (("limiter",), None),
        ((*LIMITER, "concurrency", "_grown"), "-inf"),
        ((*LIMITER, "concurrency", "_max_concurrency"), 0),
        ((*LIMITER, "pacer", "asked_until"), 1e308),
        ((*LIMITER, "pacer", "_lockout", "probe_at"), "inf"),
        ((*LIMITER, "pacer", "_estimator", "rate"), "inf"),
        (("limiter", 1, "cap"), 2**63),
    ],
)
async def test_every_call_ends_whatever_a_record_says(place: Place, value: object) -> None:
    assert await calls_that_end(record_with(place, value)) == 30


@pytest.mark.slow
@pytest.mark.parametrize("value", [None, "x", -1, 1e308, "nan", "inf"])
async def test_every_call_ends_with_this_value_at_any_place_of_a_record(value: object) -> None:
    for place in places():
        assert await calls_that_end(record_with(place, value)) == 30
