"""What comes of one client that meets one row of the table of disturbances."""

from collections.abc import Iterator
from random import Random

import attrs

from tests.benchmarks.rate import client, crowd
from tests.benchmarks.rate.disturbed import Strays
from tests.benchmarks.rate.happenings import Happening
from tests.benchmarks.rate.ideal import IN_FLIGHT, ideal_seconds
from tests.benchmarks.rate.recovery import MUST, Kind, Refusals, refusals, seconds_to_limit, share, span
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
        held: Percent of the limit that was let pass afterwards, from when it must be reached until the next
            moment.
        failed: How many calls ended with an error that need not.
    """

    lost: float
    refusals: Refusals
    back: tuple[tuple[Kind, float | None], ...]
    held: tuple[float, ...]
    failed: int

    @property
    def late(self) -> bool:
        """Whether it came back to a limit later than it must."""
        return any(seconds is None or seconds > MUST[kind] for kind, seconds in self.back)


def meet(happening: Happening, service: Timing, way: str, seed: int, *, session: bool = False) -> Outcome:
    """Let one way meet a row's server.

    Args:
        happening: The row.
        service: What servers take.
        way: Its name in `WAYS`.
        seed: Of all that is random.
        session: Whether ours is a whole session; then there are no rivals.
    """
    timing = happening.timing(service)
    server = happening.server(seed, service)
    calls, excused = happening.calls, happening.excused
    ideal = 0.0
    if calls is not None:
        ideal = ideal_seconds(happening.omniscient(seed, service), calls - excused, seed, timing)
    within = happening.within if calls is None else ideal + PATIENCE
    if session and calls is not None:
        run = client.run(server, calls, seed, within, excused=excused, timing=timing)
    else:
        controller = WAYS[way](Random(seed))
        rivals = happening.rivals
        run = crowd.run(
            controller, server, calls, seed, within, excused=excused, timing=timing, rivals=rivals
        )
    unavoidable = frozenset(server.refused_at if isinstance(server, Strays) else ())
    pieces = list(_pieces(happening, happening.omniscient(seed, service), timing, run))
    return Outcome(
        run.seconds - ideal if run.finished else PATIENCE,
        refusals(run.answers, happening.moments, run.seconds, unavoidable),
        tuple((piece.kind, piece.back) for piece in pieces),
        tuple(piece.held for piece in pieces if piece.held is not None),
        max(0, run.failed - excused),
    )


@attrs.frozen
class _Piece:
    """A run between two moments; its fields as in `Outcome`."""

    kind: Kind
    back: float | None
    held: float | None


def _pieces(happening: Happening, server: Server, timing: Timing, run: Run) -> Iterator[_Piece]:
    """What can be judged: a piece that is too short to tell is left out."""
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
        back = seconds_to_limit(accepted, begin, end, allowed, period)
        due = begin + MUST[moment.kind]
        long_enough = end - due >= span(allowed, period)
        if back is not None or long_enough:
            held = share(accepted, due, end, allowed) if long_enough else None
            yield _Piece(moment.kind, back, held)
