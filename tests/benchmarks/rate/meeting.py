"""What comes of one client that meets one row of the table of disturbances."""

from collections.abc import Iterator
from random import Random

import attrs

from tests.benchmarks.rate import crowd
from tests.benchmarks.rate.disturbed import Strays
from tests.benchmarks.rate.happenings import Happening
from tests.benchmarks.rate.ideal import IN_FLIGHT, ideal_seconds
from tests.benchmarks.rate.recovery import MUST, Kind, Refusals, refusals, seconds_to_limit, span
from tests.benchmarks.rate.run import Run
from tests.benchmarks.rate.servers import Server
from tests.benchmarks.rate.table import WAYS
from tests.benchmarks.rate.timing import Timing

PATIENCE = 900.0
"""Seconds over the ideal after which a run is cut off."""


@attrs.frozen
class Outcome:
    """What one client reached.

    Attributes:
        lost: Seconds over the omniscient client; `PATIENCE` where it was not done by then.
        refusals: Outside the exempt spans.
        back: Seconds to the limit behind each moment that can be judged; None: it was never reached.
    """

    lost: float
    refusals: Refusals
    back: tuple[tuple[Kind, float | None], ...]

    @property
    def late(self) -> bool:
        """Whether it came back to a limit later than it must."""
        return any(seconds is None or seconds > MUST[kind] for kind, seconds in self.back)


def meet(happening: Happening, service: Timing, way: str, seed: int) -> Outcome:
    """Let one way meet a row's server."""
    timing = happening.timing(service)
    ideal = 0.0
    if happening.calls is not None:
        server = happening.omniscient(seed, service)
        ideal = ideal_seconds(server, happening.calls - happening.excused, seed, timing)
    within = happening.within if happening.calls is None else ideal + PATIENCE
    server = happening.server(seed, service)
    run = crowd.run(
        WAYS[way](Random(seed)),
        server,
        happening.calls,
        seed,
        within,
        excused=happening.excused,
        timing=timing,
        rivals=happening.rivals,
    )
    unavoidable = frozenset(server.refused_at if isinstance(server, Strays) else ())
    counted = refusals(run.answers, happening.moments, run.seconds, unavoidable)
    back = tuple(_back(happening, happening.omniscient(seed, service), timing, run))
    return Outcome(min(run.seconds - ideal, PATIENCE), counted, back)


def _back(
    happening: Happening, server: Server, timing: Timing, run: Run
) -> Iterator[tuple[Kind, float | None]]:
    """Seconds to the limit behind each moment; a piece of the run that is too short to tell is left out."""
    accepted = [when for when, status in run.answers if status == 200]
    ends = [*(moment.at for moment in happening.moments[1:]), run.seconds]
    period = server.averaged_over()
    for moment, until in zip(happening.moments, ends, strict=True):
        if moment.kind not in MUST:
            continue
        begin = moment.at
        while (free := server.free_at(begin)) > begin and moment.kind is Kind.START:
            begin = free  # before that nobody can do anything
        end = min(until, run.seconds)
        allowed = min(server.limit(begin), timing.capacity(IN_FLIGHT))
        seconds = seconds_to_limit(accepted, begin, end, allowed, period)
        if seconds is not None or end - begin >= MUST[moment.kind] + span(allowed, period):
            yield moment.kind, seconds
