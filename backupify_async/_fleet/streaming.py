"""The workers of a fan-out, and the stream of their outcomes.

Theory of operation. Up to `concurrency` workers run, each a task that takes a key, calls the function and
delivers the outcome. A worker that got a key starts the next worker: three keys start four tasks.

The consumer sets the pace. A key is *held* from when it is taken until its outcome is handed out. A worker
takes no key while the window is full, so memory does not grow with the number of keys. The window is
`concurrency`, or twice that where outcomes wait for a slow one before them (`ordered`) or where calls may be
made in vain (`ahead`), which saves each key one turn of the loop.

Workers belong to the `async with` block: an async generator that is left suspended would leave them running
(PEP 789). Leaving the block cancels the calls in flight, and waits for them.

A fan-out ends when the keys end, when their source raises, or when it stops early. In each case, the calls
in flight are finished and their outcomes handed out first.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterable, Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

from backupify_async._call_context import ATTEMPTS, AttemptCount
from backupify_async._fleet.key_source import KeySource
from backupify_async._fleet.outcomes import Failure, Outcome, Success
from backupify_async._tasks import cancel_and_wait, forget_frames
from backupify_async.errors import BackupifyError, FanOutAborted

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Outcomes(Generic[K, T]):
    """The outcomes of a fan-out in progress: `async for outcome in outcomes`, in one task.

    After leaving the block early, `leftover` and `unfinished` account for each key that was taken.
    """

    def __init__(
        self,
        function: Callable[[K], Awaitable[T]],
        keys: Iterable[K] | AsyncIterable[K],
        *,
        concurrency: int,
        ordered: bool,
        ahead: bool,
        max_failures: int | None,
        stop_at: Callable[[BaseException], str | None] | None,
    ) -> None:
        self._function = function
        self._keys = KeySource(keys)
        self._concurrency = concurrency
        self._ordered = ordered
        self._max_failures = max_failures
        self._stop_at = stop_at
        self._window = 2 * concurrency if ordered or ahead else concurrency
        self._waiting_for_room: deque[asyncio.Future[None]] = deque()
        self._outer_count: AttemptCount | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._running = 0
        self._in_flight: dict[int, K] = {}
        self._ready: OrderedDict[int, Outcome[K, T]] = OrderedDict()
        self._handed_out = 0
        self._succeeded = 0
        self._failures = 0
        self._changed = asyncio.Event()
        self._ending = False
        self._source_error: BaseException | None = None
        self._stop_reason: str | None = None

    def __aiter__(self) -> "Outcomes[K, T]":
        return self

    async def __anext__(self) -> Outcome[K, T]:
        while True:
            outcome = self._next_ready()
            if outcome is not None:
                self._handed_out += 1
                self._succeeded += outcome.ok
                self._wake_one()
                return outcome
            if self._running == 0:
                raise self._end_of_outcomes()
            self._changed.clear()
            await self._changed.wait()

    @property
    def leftover(self) -> list[Outcome[K, T]]:
        """Outcomes that were not handed out, in the order of their keys."""
        return [self._ready[number] for number in sorted(self._ready)]

    @property
    def unfinished(self) -> list[K]:
        """Keys without an outcome: in flight, or cancelled when the block was left."""
        return list(self._in_flight.values())

    def require_hashable_keys(self) -> None:
        """Refuse a key that is not hashable when it is read: `Results` could not hold it."""
        self._keys.require_hashable()

    def stop(self, reason: str) -> None:
        """Take no more keys. Calls in flight are finished; then `FanOutAborted` says why."""
        if not self._keys.ended:
            self._stop(reason)

    def begin(self) -> None:
        """Start the first worker."""
        self._outer_count = ATTEMPTS.get()
        self._start_worker()

    async def end(self) -> None:
        """Cancel the calls in flight, wait for them in any case, and close an async source."""
        self._ending = self._keys.ended = True
        try:
            await cancel_and_wait(self._workers)
        finally:
            await self._keys.close()

    def _next_ready(self) -> Outcome[K, T] | None:
        if self._ordered:
            return self._ready.pop(self._handed_out, None)
        return self._ready.popitem(last=False)[1] if self._ready else None

    def _end_of_outcomes(self) -> BaseException:
        """What ends the iteration. An error of the source, or an early stop, is raised once."""
        error, self._source_error = self._source_error, None
        reason, self._stop_reason = self._stop_reason, None
        if error is not None:
            return error
        if reason is not None:
            return FanOutAborted(reason, self._succeeded, self._handed_out - self._succeeded)
        return StopAsyncIteration()

    def _start_worker(self) -> None:
        self._running += 1
        # Not create_task: a factory of eager tasks would run the worker before it is counted.
        loop = asyncio.get_running_loop()
        worker = asyncio.Task(self._work(), loop=loop, name="backupify_async fan-out")
        worker.add_done_callback(self._worker_ended)
        self._workers.append(worker)

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        """Count the worker out. What it raised is an error of the source, or a bug: it must not be lost."""
        self._running -= 1
        self._changed.set()
        self._wake_one()  # it may have been woken, and ended without passing that on
        error = asyncio.CancelledError() if worker.cancelled() else worker.exception()
        if error is not None and not self._ending:
            self._source_error = self._source_error or error
            self._keys.ended = True

    async def _work(self) -> None:
        """Take keys and deliver their outcomes, until no more are taken."""
        task = asyncio.current_task()
        while not self._keys.ended:
            if self._keys.is_async:
                taken = await self._keys.take_async(self._wait_for_room)
            else:
                if self._is_full:
                    await self._wait_for_room()
                taken = self._keys.take()
            if taken is None:
                return
            number, key = taken
            self._in_flight[number] = key
            if len(self._workers) < self._concurrency:
                self._start_worker()
            self._deliver(number, await self._call(key, task))

    @property
    def _is_full(self) -> bool:
        """Whether the window has no room for another key."""
        return self._keys.taken - self._handed_out >= self._window

    async def _wait_for_room(self) -> None:
        """Wait while the window is full. The worker that has waited longest is woken first."""
        while self._is_full and not self._keys.ended:
            woken = asyncio.get_running_loop().create_future()
            self._waiting_for_room.append(woken)
            await woken

    def _wake_one(self) -> None:
        while self._waiting_for_room:
            woken = self._waiting_for_room.popleft()
            if not woken.done():  # else it was cancelled
                woken.set_result(None)
                return

    async def _call(self, key: K, task: asyncio.Task[object] | None) -> Outcome[K, T]:
        count = AttemptCount()
        ATTEMPTS.set(count)
        loop = asyncio.get_running_loop()
        started = loop.time()
        failure: BaseException | None = None
        try:
            value = await self._function(key)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if self._ending and isinstance(error, asyncio.CancelledError):
                raise
            failure = error  # any other error is the outcome of this key
        if task is not None and task.cancelling() and not self._ending:
            await self._ignore_cancellation(task)
        if self._outer_count is not None:
            self._outer_count.sent += count.sent  # a fan-out within a fan-out sends for the outer key too
        if isinstance(failure, BackupifyError):
            forget_frames(failure)
        try:
            if failure is None:
                return Success(key, value, count.sent, loop.time() - started)
            return Failure(key, failure, count.sent, loop.time() - started)
        finally:
            failure = None  # break the cycle of its traceback and this frame

    async def _ignore_cancellation(self, task: asyncio.Task[object]) -> None:
        """Go on after a function cancelled the worker it ran in: that does not cancel the fan-out.

        Where all tasks of the loop were cancelled, this lets the consumer's cancellation come first.
        """
        while task.cancelling():
            task.uncancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if self._ending:
                raise

    def _deliver(self, number: int, outcome: Outcome[K, T]) -> None:
        del self._in_flight[number]
        self._ready[number] = outcome
        self._changed.set()
        if not outcome.ok and self._stop_reason is None:
            reason = self._reason_to_stop(outcome.error)
            if reason is not None:
                self._stop(reason)

    def _stop(self, reason: str) -> None:
        self._stop_reason = reason
        self._keys.stop()

    def _reason_to_stop(self, error: BaseException) -> str | None:
        self._failures += 1
        if self._stop_at is not None and (reason := self._stop_at(error)) is not None:
            return reason
        if self._max_failures is not None and self._failures > self._max_failures:
            return f"more than max_failures={self._max_failures} keys failed; the last error: {error}"
        return None
