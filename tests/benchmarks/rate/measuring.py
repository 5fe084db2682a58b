"""Runs one client against one row of the table of disturbances."""

from collections.abc import Iterator
from random import Random

import attrs

from tests.benchmarks.rate import client, simulation
from tests.benchmarks.rate.disturbance_cases import Disturbance
from tests.benchmarks.rate.disturbed_servers import StrayRefusals
from tests.benchmarks.rate.ideal import IN_FLIGHT, ideal_seconds
from tests.benchmarks.rate.recovery import DEADLINES, Kind, Refusals, refusals, seconds_to_limit, share, span
from tests.benchmarks.rate.run import Run
from tests.benchmarks.rate.servers import Server
from tests.benchmarks.rate.table import STRATEGIES
from tests.benchmarks.rate.timing import Timing

PATIENCE = 900.0
"""Seconds over the ideal after which a run is cut."""


@attrs.frozen
class Outcome:
    """What one client reached.

    Attributes:
        lost: Seconds over the omniscient client; `PATIENCE` if the run was cut.
        refusals: The refusals outside the exempt spans.
        back: Seconds to the limit after each moment that can be judged; None: it was never reached.
        held: Percent of the limit that was used after each moment, from its deadline to the next moment.
        failed: How many calls ended with an error, without the excused ones.
    """

    lost: float
    refusals: Refusals
    back: tuple[tuple[Kind, float | None], ...]
    held: tuple[float, ...]
    failed: int

    @property
    def late(self) -> bool:
        """Whether it reached a limit after the deadline."""
        return any(seconds is None or seconds > DEADLINES[kind] for kind, seconds in self.back)


def measure(
    disturbance: Disturbance, service: Timing, strategy: str, seed: int, *, session: bool = False
) -> Outcome:
    """Run one strategy against the server of a row.

    Args:
        disturbance: The row.
        service: How long servers take.
        strategy: Its name in `STRATEGIES`.
        seed: The seed of all random numbers.
        session: Whether ours is a whole session; then there are no rivals.
    """
    timing = disturbance.timing(service)
    server = disturbance.server(seed, service)
    calls, excused = disturbance.calls, disturbance.excused
    ideal = 0.0
    if calls is not None:
        ideal = ideal_seconds(disturbance.omniscient(seed, service), calls - excused, seed, timing)
    within = disturbance.within if calls is None else ideal + PATIENCE
    if session and calls is not None:
        run = client.run(server, calls, seed, within, excused=excused, timing=timing)
    else:
        controller = STRATEGIES[strategy](Random(seed))
        rivals = disturbance.rivals
        run = simulation.run(
            controller, server, calls, seed, within, excused=excused, timing=timing, rivals=rivals
        )
    unavoidable = frozenset(server.refused_at if isinstance(server, StrayRefusals) else ())
    phases = list(_phases(disturbance, disturbance.omniscient(seed, service), timing, run))
    return Outcome(
        run.seconds - ideal if run.finished else PATIENCE,
        refusals(run.responses, disturbance.moments, run.seconds, unavoidable),
        tuple((phase.kind, phase.back) for phase in phases),
        tuple(phase.held for phase in phases if phase.held is not None),
        max(0, run.failed - excused),
    )


@attrs.frozen
class _Phase:
    """The time between two moments, with fields as in `Outcome`."""

    kind: Kind
    back: float | None
    held: float | None


def _phases(disturbance: Disturbance, server: Server, timing: Timing, run: Run) -> Iterator[_Phase]:
    """The phases that can be judged; those that are too short are left out."""
    accepted = [when for when, status in run.responses if status == 200]
    ends = [*(moment.at for moment in disturbance.moments[1:]), run.seconds]
    period = server.averaged_over()
    for moment, until in zip(disturbance.moments, ends, strict=True):
        if moment.kind not in DEADLINES:
            continue
        begin = moment.at
        while (free := server.free_at(begin)) > begin and moment.kind is Kind.START:
            begin = free  # before that no call can be accepted
        end = min(until, run.seconds)
        allowed = min(server.limit(begin), timing.capacity(IN_FLIGHT))
        back = seconds_to_limit(accepted, begin, end, allowed, period)
        due = begin + DEADLINES[moment.kind]
        long_enough = end - due >= span(allowed, period)
        if back is not None or long_enough:
            held = share(accepted, due, end, allowed) if long_enough else None
            yield _Phase(moment.kind, back, held)
