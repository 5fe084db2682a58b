"""Runs clients in virtual time without an event loop, each with `IN_FLIGHT` workers.

A worker is a generator. It yields the time at which it continues, or `AT_GATE` or `AT_GATE_AGAIN` while it
waits for its turn to send. The present time is sent to it.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import count
from random import Random
from typing import Protocol

import attrs

from backupify_async._transport.rate import Ticket
from tests.benchmarks.rate.ideal import IN_FLIGHT
from tests.benchmarks.rate.run import Run
from tests.benchmarks.rate.servers import LOST, Headers, Server
from tests.benchmarks.rate.timing import PLAIN, Timing

AT_GATE, AT_GATE_AGAIN = -2.0, -1.0
Worker = Generator[float, float, None]


class Strategy(Protocol):
    """How a client handles a limit that it does not know."""

    others_first: int | None
    """How many other calls are sent before a refused one; None: all that wait."""

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call can be sent; a time in the past means now."""
        ...

    def on_send(self, now: float) -> Ticket:
        """Count a call that is sent now. Returns its ticket."""
        ...

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        """Learn from a response. A call that is sent again keeps its number."""
        ...

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """Learn that a call got no response."""
        ...

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        """Seconds that a call waits by itself after this many failures, the last one with this status."""
        ...


class EventQueue:
    """Future events, ordered by time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Schedule an action."""
        heapq.heappush(self._heap, (when, next(self._numbers), action))

    def run(self, until: float, done: Callable[[], bool]) -> bool:
        """Run events until `done`, or until the time is over. Returns whether it is done."""
        while self._heap and not done():
            self.now, _, action = heapq.heappop(self._heap)
            if self.now > until:
                return False
            action()
        return done()


class Client:
    """All workers of one client: those that wait for a time, and those that wait at its gate.

    At the gate the oldest call is first. With `Strategy.others_first`, refused calls have a second queue,
    which is first after that many others: so the probe after a refusal is another call.
    """

    def __init__(
        self,
        events: EventQueue,
        strategy: Strategy,
        server: Server,
        calls: Iterator[int],
        *,
        timing: Timing,
        random: Random,
        until: float = math.inf,
    ) -> None:
        self.accepted = 0
        self.result = Run()
        self._events = events
        self._way = strategy
        self._server = server
        self._timing = timing
        self._random = random
        self._calls = calls
        self._until = until
        self._turns: deque[Worker] = deque()
        self._again: deque[Worker] = deque()
        self._timer_at = math.inf
        self._others = self._in_flight = 0

    def start(self, workers: int = IN_FLIGHT) -> None:
        """Start the workers."""
        for _ in range(workers):
            worker = self._work()
            turn = next(worker, None)
            if turn is None:
                break  # fewer calls than workers
            self._schedule(worker, turn)
        self._open_gate()

    def _continue(self, worker: Worker) -> None:
        try:
            when = worker.send(self._events.now)
        except StopIteration:
            return
        self._schedule(worker, when)

    def _schedule(self, worker: Worker, when: float) -> None:
        if when == AT_GATE:
            self._turns.append(worker)
        elif when == AT_GATE_AGAIN:
            self._again.append(worker)
        else:
            self._events.at(when, lambda: self._resume(worker))

    def _resume(self, worker: Worker) -> None:
        self._continue(worker)
        self._open_gate()

    def _on_timer(self) -> None:
        if self._events.now == self._timer_at:  # else another timer has replaced it
            self._timer_at = math.inf
            self._open_gate()

    def _open_gate(self) -> None:
        now = self._events.now
        while self._turns or self._again:
            earliest = self._way.earliest(now, self._in_flight)
            if earliest > now:
                if earliest < self._timer_at:
                    self._timer_at = earliest
                    self._events.at(earliest, self._on_timer)
                return
            self._continue(self._next())

    def _next(self) -> Worker:
        enough = self._others >= (self._way.others_first or 0)
        if self._again and (enough or not self._turns):
            self._others = 0
            return self._again.popleft()
        self._others += 1
        return self._turns.popleft()

    def _work(self) -> Worker:
        strategy, timing, responses = self._way, self._timing, self.result.responses
        again = AT_GATE if strategy.others_first is None else AT_GATE_AGAIN
        for call in self._calls:
            failures = 0
            turn = AT_GATE
            while True:
                now = yield turn
                if now >= self._until:
                    return
                ticket = strategy.on_send(now)
                self._in_flight += 1
                half = timing.half_round_trip(self._random)
                now = yield now + half
                status, headers = self._server.respond(now, call)
                responses.append((now, status))
                now = yield now + timing.service(status) + half
                if status == LOST:
                    strategy.on_no_response(now, ticket)
                else:
                    strategy.on_response(now, ticket, status, headers, call)
                self._in_flight -= 1
                if status == 200:
                    break
                failures += 1
                turn = again
                if not self._again:
                    self._others = 0
                wait = strategy.back_off(failures, status, headers)
                if wait:
                    yield now + wait
            self.accepted += 1


@attrs.frozen
class Rival:
    """Another client of the same server, which always has calls to send.

    Attributes:
        strategy: How it handles the limit.
        begin: When it sends its first call, in seconds.
        end: From when on it sends no more calls.
        workers: How many calls it sends at once.
    """

    strategy: Callable[[Random], Strategy]
    begin: float = 0.0
    end: float = math.inf
    workers: int = IN_FLIGHT


def run(
    strategy: Strategy,
    server: Server,
    calls: int | None,
    seed: int,
    within: float,
    *,
    excused: int = 0,
    timing: Timing = PLAIN,
    rivals: Sequence[Rival] = (),
) -> Run:
    """Send calls, as `client.run` does with a session.

    Args:
        strategy: How the client handles the limit.
        server: The server.
        calls: How many; None: as many as the time permits.
        seed: The seed of all random numbers.
        within: Seconds after which the run is cut.
        excused: How many of the calls need not be accepted.
        timing: How long network and server take.
        rivals: Other clients of the server.
    """
    events = EventQueue()
    turns = count() if calls is None else iter(range(calls))
    client = Client(events, strategy, server, turns, timing=timing, random=Random(seed))
    events.at(0.0, client.start)
    others = []
    for number, rival in enumerate(rivals):
        random = Random(f"{seed} {number}")
        work = count(-1, -1)  # not a number of the first client's calls
        other = Client(
            events, rival.strategy(random), server, work, timing=timing, random=random, until=rival.end
        )
        events.at(rival.begin, partial(other.start, rival.workers))
        others.append(other)
    enough = math.inf if calls is None else calls - excused
    client.result.finished = events.run(within, lambda: client.accepted >= enough)
    client.result.seconds = events.now
    client.result.rivals = [other.result for other in others]
    return client.result
