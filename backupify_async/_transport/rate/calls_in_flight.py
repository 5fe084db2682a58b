"""The calls in flight of an adaptive limiter, to and from plain JSON types.

`state` writes what was learned; this is the rest, which only a limiter that moves from one process to another
while calls are in flight needs. A call that has ended is part of it while earlier ones are waited for.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence

import attrs

from backupify_async._transport.rate.reorder_buffer import ReorderBuffer
from backupify_async._transport.rate.state import LimiterState
from backupify_async._transport.rate.ticket import CallOutcome, Ticket

_OUTCOMES = tuple(CallOutcome)
_NOT_IN_FLIGHT = 0  # in place of an id

Row = tuple[int, float, int, bool, int]
"""A ticket: its id, and its attributes in their order, the outcome as a number."""


@attrs.frozen
class CallsInFlight:
    """The calls in flight as plain values.

    Attributes:
        ordered: Those that hold others back, or are held back, in the order of sending.
        others: All others.
        latency: Of the `ReorderBuffer`.
        probe: Where the lockout's probe is among all of them; None without one.
        cap: How many calls can be in flight.
        due: Of the ceiling's `Gcra`; None for any time.
    """

    ordered: Sequence[Row] = ()
    others: Sequence[Row] = ()
    latency: float | None = None
    probe: int | None = None
    cap: int = 1
    due: float | None = None


def write_calls(state: LimiterState, tickets: Mapping[int, Ticket], due: float) -> dict[str, object]:
    """The calls in flight as JSON types.

    Args:
        state: What the limiter has learned.
        tickets: The calls in flight by their ids, which are positive.
        due: When the ceiling allows the next call.
    """
    pacer, ids = state.pacer, {ticket: number for number, ticket in tickets.items()}
    ordered, probe = dict.fromkeys(pacer.order.tickets), pacer.probe
    others = [ticket for ticket in ids if ticket not in ordered]
    if probe is not None and probe not in ids and probe not in ordered:
        others.append(probe)
    every = [*ordered, *others]
    calls = CallsInFlight(
        [_row(ticket, ids) for ticket in ordered],
        [_row(ticket, ids) for ticket in others],
        pacer.order.latency,
        None if probe is None else every.index(probe),
        state.concurrency.cap,
        due if due > -math.inf else None,
    )
    return attrs.asdict(calls, recurse=False)


def read_calls(plain: Mapping[str, object], state: LimiterState) -> tuple[dict[int, Ticket], float]:
    """Restore the calls in flight into a state. Returns their tickets by id, and when the ceiling is due.

    Raises:
        ValueError: This is not what `write_calls` returned.
    """
    try:
        calls = CallsInFlight(**plain)  # type: ignore[arg-type] # what it is made of shows below
        tickets: dict[int, Ticket] = {}
        every = [_ticket(row, tickets) for row in (*calls.ordered, *calls.others)]
        ordered = deque(every[: len(calls.ordered)])
        probe = None if calls.probe is None else every[calls.probe]
        state.pacer.restore(ReorderBuffer(ordered, calls.latency), probe)
        state.concurrency.cap = int(calls.cap)
        return tickets, -math.inf if calls.due is None else float(calls.due)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        raise ValueError("these are not a limiter's calls in flight") from None


def _row(ticket: Ticket, ids: Mapping[Ticket, int]) -> Row:
    number, outcome = ids.get(ticket, _NOT_IN_FLIGHT), _OUTCOMES.index(ticket.outcome)
    return number, ticket.sent_time, outcome, ticket.overdue, ticket.in_flight


def _ticket(row: Row, tickets: dict[int, Ticket]) -> Ticket:
    number, sent_time, outcome, overdue, in_flight = row
    ticket = Ticket(float(sent_time), _OUTCOMES[outcome], overdue, in_flight)
    if number != _NOT_IN_FLIGHT:
        tickets[number] = ticket
    return ticket
