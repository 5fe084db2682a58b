"""Runs one of the usual ways: as many workers as we have places, in virtual time without an event loop.

A worker is a generator. It yields the time at which it goes on, or `AT_GATE` where it waits, FIFO, for its
turn to leave; it is sent the present time.
"""

import contextlib
import heapq
import math
from collections import deque
from collections.abc import Generator, Iterator
from random import Random

from tests.benchmarks.rate.baselines import RetryOnly
from tests.benchmarks.rate.ideal import IN_FLIGHT, half_round_trip
from tests.benchmarks.rate.run import Run
from tests.benchmarks.rate.servers import Server

AT_GATE = -math.inf
Worker = Generator[float, float, None]


class Crowd:
    """All workers: those that wait for a time, and those that wait at the gate."""

    def __init__(self, way: RetryOnly) -> None:
        self.way = way
        self.now = 0.0
        self._agenda: list[tuple[float, int, Worker | None]] = []
        self._gate: deque[Worker] = deque()
        self._bell = math.inf
        self._count = 0

    def run(self, workers: Iterator[Worker], until: float) -> bool:
        """Let them work; return whether all came to their end in time."""
        for new in workers:
            self._place(new, next(new))
        self._open_gate()
        while self._agenda:
            self.now, _, worker = heapq.heappop(self._agenda)
            if self.now > until:
                return False
            if worker is not None:
                self._go_on(worker)
            elif self.now == self._bell:
                self._bell = math.inf
            else:
                continue  # set for a time that another bell has replaced
            self._open_gate()
        return True

    def _go_on(self, worker: Worker) -> None:
        with contextlib.suppress(StopIteration):
            self._place(worker, worker.send(self.now))

    def _place(self, worker: Worker, when: float) -> None:
        if when == AT_GATE:
            self._gate.append(worker)
        else:
            self._push(when, worker)

    def _push(self, when: float, worker: Worker | None) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, worker))

    def _open_gate(self) -> None:
        while self._gate:
            earliest = self.way.earliest(self.now)
            if earliest > self.now:
                if earliest < self._bell:
                    self._bell = earliest
                    self._push(earliest, None)
                return
            self.way.take(self.now)
            self._go_on(self._gate.popleft())


def run(way: RetryOnly, server: Server, calls: int, seed: int, within: float) -> Run:
    """Send calls in one of the usual ways, as `client.run` does in ours."""
    result = Run()
    random = Random(seed)
    turns = iter(range(calls))
    crowd = Crowd(way)
    workers = (_worker(way, server, random, turns, result) for _ in range(IN_FLIGHT))
    result.finished = crowd.run(workers, within)
    result.seconds = crowd.now
    return result


def _worker(way: RetryOnly, server: Server, random: Random, turns: Iterator[int], result: Run) -> Worker:
    for _ in turns:
        status, refusals = 429, 0
        while status == 429:
            sent_at = yield AT_GATE
            half = half_round_trip(random)
            now = yield sent_at + half
            status, headers = server.ask(now)
            result.answers.append((now, status))
            now = yield now + half
            retry_after = float(headers["Retry-After"]) if "Retry-After" in headers else None
            way.told(now, sent_at, status, retry_after)
            if status == 429:
                refusals += 1
                wait = way.back_off(refusals, retry_after)
                if wait:
                    yield now + wait
