"""Runs clients in virtual time without an event loop: each as many workers as we have places.

A worker is a generator. It yields the time at which it goes on, or `AT_GATE` or `AGAIN` where it waits for
its turn to leave; it is sent the present time.
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

AT_GATE, AGAIN = -2.0, -1.0
Worker = Generator[float, float, None]


class Way(Protocol):
    """How a client lives with a limit."""

    others_first: int | None
    """How many others a refused call lets go first, and none else; None: it stands behind all others."""

    def earliest(self, now: float, in_flight: int) -> float:
        """When the next call may leave; it may have passed."""
        ...

    def on_send(self, now: float) -> Ticket:
        """Count a call that leaves now; return what tells its answer from others: a ticket."""
        ...

    def on_response(self, now: float, ticket: Ticket, status: int, headers: Headers, call: int) -> None:
        """Learn from an answer to a call, which has the same number when it is sent again."""
        ...

    def on_no_response(self, now: float, ticket: Ticket) -> None:
        """Learn that a call got no answer."""
        ...

    def back_off(self, failures: int, status: int, headers: Headers) -> float:
        """Seconds that a call stays away by itself which has failed so often, at last with this status."""
        ...


class Agenda:
    """What is going to happen, by its time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Let something happen."""
        heapq.heappush(self._heap, (when, next(self._numbers), action))

    def run(self, until: float, done: Callable[[], bool]) -> bool:
        """Go on until it is done, or time is over; return whether it is done."""
        while self._heap and not done():
            self.now, _, action = heapq.heappop(self._heap)
            if self.now > until:
                return False
            action()
        return done()


class Client:
    """All workers of one client: those that wait for a time, and those that wait at its gate.

    The gate is first come, first served; or refused calls have a line of their own, before the others, of
    whom so many go first: the probe behind a refusal is to be another call.
    """

    def __init__(
        self,
        agenda: Agenda,
        way: Way,
        server: Server,
        calls: Iterator[int],
        *,
        timing: Timing,
        random: Random,
        until: float = math.inf,
    ) -> None:
        self.passed = 0
        self.result = Run()
        self._agenda = agenda
        self._way = way
        self._server = server
        self._timing = timing
        self._random = random
        self._calls = calls
        self._until = until
        self._turns: deque[Worker] = deque()
        self._again: deque[Worker] = deque()
        self._bell = math.inf
        self._others = self._in_flight = 0

    def start(self, workers: int = IN_FLIGHT) -> None:
        """Let the workers begin."""
        for _ in range(workers):
            worker = self._work()
            turn = next(worker, None)
            if turn is None:
                break  # there are fewer calls than workers
            self._place(worker, turn)
        self._open_gate()

    def _go_on(self, worker: Worker) -> None:
        try:
            when = worker.send(self._agenda.now)
        except StopIteration:
            return
        self._place(worker, when)

    def _place(self, worker: Worker, when: float) -> None:
        if when == AT_GATE:
            self._turns.append(worker)
        elif when == AGAIN:
            self._again.append(worker)
        else:
            self._agenda.at(when, lambda: self._resume(worker))

    def _resume(self, worker: Worker) -> None:
        self._go_on(worker)
        self._open_gate()

    def _ring(self) -> None:
        if self._agenda.now == self._bell:  # else another bell has replaced it
            self._bell = math.inf
            self._open_gate()

    def _open_gate(self) -> None:
        now = self._agenda.now
        while self._turns or self._again:
            earliest = self._way.earliest(now, self._in_flight)
            if earliest > now:
                if earliest < self._bell:
                    self._bell = earliest
                    self._agenda.at(earliest, self._ring)
                return
            self._go_on(self._next())

    def _next(self) -> Worker:
        enough = self._others >= (self._way.others_first or 0)
        if self._again and (enough or not self._turns):
            self._others = 0
            return self._again.popleft()
        self._others += 1
        return self._turns.popleft()

    def _work(self) -> Worker:
        way, timing, answers = self._way, self._timing, self.result.answers
        again = AT_GATE if way.others_first is None else AGAIN
        for call in self._calls:
            failures = 0
            turn = AT_GATE
            while True:
                now = yield turn
                if now >= self._until:
                    return
                ticket = way.on_send(now)
                self._in_flight += 1
                half = timing.half_round_trip(self._random)
                now = yield now + half
                status, headers = self._server.ask(now, call)
                answers.append((now, status))
                now = yield now + timing.service(status) + half
                if status == LOST:
                    way.on_no_response(now, ticket)
                else:
                    way.on_response(now, ticket, status, headers, call)
                self._in_flight -= 1
                if status == 200:
                    break
                failures += 1
                turn = again
                if not self._again:
                    self._others = 0
                wait = way.back_off(failures, status, headers)
                if wait:
                    yield now + wait
            self.passed += 1


@attrs.frozen
class Rival:
    """Another client of the same server, which always has work while it is there.

    Attributes:
        way: How it lives with the limit.
        begin: When it comes, in seconds.
        end: When it goes: nothing is sent any more.
        workers: How many calls it has at once.
    """

    way: Callable[[Random], Way]
    begin: float = 0.0
    end: float = math.inf
    workers: int = IN_FLIGHT


def run(
    way: Way,
    server: Server,
    calls: int | None,
    seed: int,
    within: float,
    *,
    excused: int = 0,
    timing: Timing = PLAIN,
    rivals: Sequence[Rival] = (),
) -> Run:
    """Send calls, as `client.run` does in a session.

    Args:
        way: How the client lives with the limit.
        server: What it meets.
        calls: How many; None: as many as there is time for.
        seed: Of all that is random.
        within: Seconds after which it is cut off.
        excused: How many of the calls need not pass.
        timing: How long network and server take.
        rivals: Other clients of the server.
    """
    agenda = Agenda()
    turns = count() if calls is None else iter(range(calls))
    client = Client(agenda, way, server, turns, timing=timing, random=Random(seed))
    agenda.at(0.0, client.start)
    others = []
    for number, rival in enumerate(rivals):
        random = Random(f"{seed} {number}")
        work = count(-1, -1)  # never a number of the first client's
        other = Client(agenda, rival.way(random), server, work, timing=timing, random=random, until=rival.end)
        agenda.at(rival.begin, partial(other.start, rival.workers))
        others.append(other)
    enough = math.inf if calls is None else calls - excused
    client.result.finished = agenda.run(within, lambda: client.passed >= enough)
    client.result.seconds = agenda.now
    client.result.rivals = [other.result for other in others]
    return client.result
