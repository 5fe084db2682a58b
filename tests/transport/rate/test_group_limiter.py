"""A limiter that goes from process to process while calls are in flight."""

import json

import pytest

from backupify_async._transport.rate import Observation, Ticket
from backupify_async._transport.rate.group_limiter import GroupLimiter
from backupify_async.config import RateLimit, RetryPolicy
from tests.support.rate_simulation import LEARNING, OK, SERVERS, Run


class HandedOn:
    """A limiter that is written and read again between any two calls of its methods."""

    def __init__(self, limit: RateLimit = LEARNING) -> None:
        self._limit = limit
        self._numbers: dict[Ticket, int] = {}
        limiter = GroupLimiter(limit, RetryPolicy(), 64)
        self._text = json.dumps((limiter.state(), limiter.calls({})), allow_nan=False)

    def _read(self) -> tuple[GroupLimiter, dict[int, Ticket]]:
        state, calls = json.loads(self._text)
        return GroupLimiter.restore(state, calls, self._limit, RetryPolicy())

    def _write(self, limiter: GroupLimiter, tickets: dict[int, Ticket]) -> None:
        self._text = json.dumps((limiter.state(), limiter.calls(tickets)), allow_nan=False)

    def earliest(self, now: float, in_flight: int) -> float:
        limiter, tickets = self._read()
        when = limiter.earliest(now, in_flight)
        self._write(limiter, tickets)
        return when

    def on_send(self, now: float) -> Ticket:
        limiter, tickets = self._read()
        number = len(self._numbers) + 1
        tickets[number] = limiter.on_send(now)
        self._write(limiter, tickets)
        ticket = Ticket(now)
        self._numbers[ticket] = number
        return ticket

    def on_cancel(self, now: float, ticket: Ticket) -> None:
        limiter, tickets = self._read()
        limiter.on_cancel(now, tickets.pop(self._numbers[ticket]))
        self._write(limiter, tickets)

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        limiter, tickets = self._read()
        limiter.on_no_response(now, tickets.pop(self._numbers[ticket]))
        self._write(limiter, tickets)

    def on_response(self, ticket: Ticket, observation: Observation) -> None:
        limiter, tickets = self._read()
        limiter.on_response(tickets.pop(self._numbers[ticket]), observation)
        self._write(limiter, tickets)


@pytest.mark.parametrize("kind", SERVERS)
def test_that_is_handed_on_at_every_step_sends_at_the_same_times_as_one_that_stays(kind: str) -> None:
    stays = Run(GroupLimiter(LEARNING, RetryPolicy(), 64), SERVERS[kind]()).until_accepted(300)
    handed_on = Run(HandedOn(), SERVERS[kind]()).until_accepted(300)
    assert handed_on.sent == stays.sent


def test_keeps_its_ceiling_when_it_is_handed_on() -> None:
    run = Run(HandedOn(RateLimit(20, burst=1)), lambda at: OK).until_accepted(100)
    assert run.sent[99] == pytest.approx(99 / 20)


def test_hears_of_a_call_that_was_sent_before_it_was_there() -> None:
    limiter = GroupLimiter(LEARNING, RetryPolicy(), 64)
    first, before = limiter.on_send(1.0), limiter.on_sent_before(0.5)
    limiter.on_response(first, Observation(1.0, 1.1, 429))
    limiter.on_response(before, Observation(0.5, 1.2, 200))
    assert limiter.sent == 2
    assert limiter.earliest(1.2, 0) < 1.3  # the probe of a first refusal


@pytest.mark.parametrize("calls", [{}, {"ordered": 3}, {"ordered": [[1, 2.0]]}, {"probe": 7}, {"order": []}])
def test_calls_in_flight_that_cannot_be_read_are_refused(calls: dict[str, object]) -> None:
    limiter = GroupLimiter(LEARNING, RetryPolicy(), 64)
    whole = {**limiter.calls({}), **calls} if calls else {"cap": None}
    with pytest.raises(ValueError, match="not a limiter's calls"):
        GroupLimiter.restore(limiter.state(), whole, LEARNING, RetryPolicy())
