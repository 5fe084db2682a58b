"""The rows of the table: what 8 processes reach, by a directory and by a Redis server."""

import statistics
from collections.abc import Awaitable, Callable, Iterator, Sequence

import attrs

from tests.benchmarks.shared.sockets import places
from tests.benchmarks.shared.sockets.fast_server import speed
from tests.benchmarks.shared.sockets.figures import figures, percentile
from tests.benchmarks.shared.sockets.runs import BUCKET, BURST, RATE, WINDOW, WORKERS, Run, observe
from tests.support.redis_server import free_port

STORES = (places.directory, places.server)
_FIRST_CALLS = 500
_TOKEN_LIFE = 6  # seconds


@attrs.frozen
class Row:
    """A row of the table.

    Attributes:
        name: What was measured.
        place: Where the members share.
        found: The figures.
        must: What they must be.
        ok: Whether they are.
    """

    name: str
    place: str
    found: str
    must: str
    ok: bool


@attrs.frozen
class Scale:
    """How much is measured.

    Attributes:
        processes: How many members.
        part: Of the usual seconds.
    """

    processes: int = 8
    part: float = 1.0


Experiment = Callable[[Scale], "AsyncRows"]
AsyncRows = Awaitable[Sequence[Row]]


async def bucket(scale: Scale) -> list[Row]:
    """A bucket, and the next run of a file store."""
    rows, seconds = [], 30.0 * scale.part
    for make in (places.nowhere, *STORES):
        with make() as place:
            workers, port = [WORKERS] * scale.processes, free_port()
            run = await observe(place, BUCKET, seconds, workers=workers, port=port)
            now = figures(run.records, run.begin, seconds, RATE * seconds + BURST)
            found = f"{now.used:.1f} / {now.refused:.2f} / {now.refused_later:.2f} % / {now.fairness:.3f}"
            ok = now.used >= 95 and now.refused <= 1.3 and now.refused_later <= 0.5 and now.fairness >= 0.98
            must = "≥ 95 / ≤ 1.3 / ≤ 0.5 % / ≥ 0.98"
            name = f"bucket 83/s, {seconds:g} s: used / refused / after 5 s / fairness"
            rows.append(Row(name, place.name, found, must, ok or place.location is None))
            if place.location is not None:
                again = await observe(place, BUCKET, 8.0 * scale.part, workers=workers, port=port)
                count = refused_before(again, _FIRST_CALLS)
                rows.append(
                    Row("next run: refused in the first 500 calls", place.name, f"{count}", "≤ 2", count <= 2)
                )
    return rows


def refused_before(run: Run, calls: int) -> int:
    """How many requests were refused among the first of a run."""
    return sum(record.status == 429 for record in run.records[:calls])


async def window(scale: Scale) -> list[Row]:
    """A window of 140 in 2 s."""
    rows, seconds = [], 60.0 * scale.part
    for make in (places.nowhere, *STORES):
        with make() as place:
            run = await observe(place, WINDOW, seconds, workers=[WORKERS] * scale.processes)
            now = figures(run.records, run.begin, seconds, 140 * seconds / 2)
            found = f"{now.used:.1f} / {now.refused:.2f} %"
            ok = place.location is None or (now.used >= 95 and now.refused <= 2)
            name = f"window 140 per 2 s, {seconds:g} s: used / refused"
            rows.append(Row(name, place.name, found, "≥ 95 / ≤ 2 %", ok))
    return rows


async def not_felt(scale: Scale) -> list[Row]:
    """A limit that is not met."""
    rows, seconds = [], 8.0 * scale.part
    for make in STORES:
        with places.nowhere() as alone, make() as place:
            rates: dict[str, list[float]] = {alone.name: [], place.name: []}
            waits: list[float] = []
            for _ in range(3):
                for where in (alone, place):
                    rate, waited = await speed(where, scale.processes, seconds)
                    rates[where.name].append(rate)
                    waits = waited if where is place else waits
        usual = {name: statistics.median(found) for name, found in rates.items()}
        share, p99 = 100 * usual[place.name] / usual[alone.name], 1000 * percentile(waits, 0.99)
        found = f"{share:.1f} % of {usual[alone.name]:,.0f}/s; {p99:.2f} ms"
        rows.append(
            Row(
                "not felt: speed, of without sharing; p99 of the gate's wait",
                place.name,
                found,
                "≥ 95 %; 1 ms",
                share >= 95 and p99 <= 1,
            )
        )
    return rows


async def web_call(scale: Scale) -> list[Row]:
    """A web application beside sweeps."""
    rows, seconds = [], 30.0 * scale.part
    for make in (places.nowhere, *STORES):
        with make() as place:
            run = await observe(place, BUCKET, seconds, workers=[0, *[WORKERS] * (scale.processes - 1)])
            waits = run.results[0].waits
            p50, p99 = (1000 * percentile(waits, part) for part in (0.5, 0.99))
            name = f"a web call beside {scale.processes - 1} sweeps: p50 / p99 of the gate's wait"
            ok = place.location is None or p99 <= 150
            rows.append(Row(name, place.name, f"{p50:.0f} / {p99:.0f} ms", "≤ 150 ms", ok))
    return rows


async def tokens(scale: Scale) -> list[Row]:
    """Token requests, of a token that lives for some seconds."""
    rows, seconds = [], 15.0 * scale.part
    for make in (places.nowhere, *STORES):
        with make() as place:
            run = await observe(
                place, None, seconds, workers=[0] * scale.processes, token_lifetime=_TOKEN_LIFE
            )
            one = await observe(place, None, seconds, workers=[0], token_lifetime=_TOKEN_LIFE)
            found = f"{run.tokens} in {seconds:g} s, {one.tokens} by one process"
            ok = place.location is None or run.tokens <= one.tokens + 1
            rows.append(Row("token requests", place.name, found, "1 for each renewal", ok))
    return rows


EXPERIMENTS: dict[str, Experiment] = {
    "bucket": bucket,
    "window": window,
    "not felt": not_felt,
    "web": web_call,
    "token": tokens,
}


def named(only: str) -> Iterator[Experiment]:
    """The experiments whose name contains a text."""
    return (run for name, run in EXPERIMENTS.items() if only in name)
