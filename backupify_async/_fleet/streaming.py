"""The workers of a fan-out, and the stream of their outcomes.

Theory of operation. A fan-out has up to `concurrency` workers, each a task that takes the next key, calls
the function and delivers the outcome; a worker that got a key starts the next worker, so three keys start
four tasks however large `concurrency` is. Where the keys come from an async iterable, one lock serves the
workers as they read them.

The consumer sets the pace. A key counts as *held* from the moment it is taken until its outcome is handed
out, and a worker waits before it takes a key while as many are held as the window allows: `concurrency`, or
twice that. So memory is bounded by the window, for any number of keys. It is twice with `ordered=True`, where
outcomes behind a slow head wait for it; and with `ahead=True`, for calls that only look, and may be made in
vain: a worker that waits until its outcome was taken costs one more turn of the loop for each key, and calls
end and begin in waves that are large enough to wake the garbage collector.

The workers belong to the `async with` block and not to the iteration: an async generator that owned them
could be left suspended, and they with it (PEP 789). Leaving the block cancels what is in flight, and waits.

It ends in one of three ways: the keys end; the source of the keys raises; or it stops early, by
`max_failures` or because an error makes going on pointless. Each time, what was begun is finished and
handed out first.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

from backupify_async._call_context import ATTEMPTS, AttemptCount
from backupify_async._fleet.outcomes import Failure, Outcome, Success
from backupify_async._tasks import cancel_and_wait, forget_frames
from backupify_async.errors import BackupifyError, FanOutAborted

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class Outcomes(Generic[K, T]):
    """The outcomes of a fan-out that is under way: `async for outcome in outcomes`, in one task.

    After the block was left early, `leftover` and `unfinished` account for what was begun.
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
        self._hashable = False
        self._outer_count: AttemptCount | None = None
        self._async_keys: AsyncIterator[K] | None = aiter(keys) if isinstance(keys, AsyncIterable) else None
        self._keys: Iterator[K] = iter(()) if isinstance(keys, AsyncIterable) else iter(keys)
        self._concurrency = concurrency
        self._ordered = ordered
        self._max_failures = max_failures
        self._stop_at = stop_at
        self._window = 2 * concurrency if ordered or ahead else concurrency
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turn_to_read = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._at_work = 0
        self._taken = 0
        self._in_flight: dict[int, K] = {}
        self._ready: OrderedDict[int, Outcome[K, T]] = OrderedDict()
        self._handed_out = 0
        self._succeeded = 0
        self._failures = 0
        self._news = asyncio.Event()
        self._no_more_keys = False
        self._left = False
        self._failure: BaseException | None = None
        self._stopped: str | None = None

    def __aiter__(self) -> "Outcomes[K, T]":
        return self

    async def __anext__(self) -> Outcome[K, T]:
        while True:
            outcome = self._next_ready()
            if outcome is not None:
                self._handed_out += 1
                self._succeeded += outcome.ok
                self._let_one_go_on()
                return outcome
            if self._at_work == 0:
                raise self._end_of_outcomes()
            self._news.clear()
            await self._news.wait()

    @property
    def leftover(self) -> list[Outcome[K, T]]:
        """Outcomes that came and were not handed out, in the order of their keys."""
        return [self._ready[index] for index in sorted(self._ready)]

    @property
    def unfinished(self) -> list[K]:
        """Keys that were begun and have no outcome: in flight, or cut off when the block was left."""
        return list(self._in_flight.values())

    def require_hashable_keys(self) -> None:
        """Refuse a key that cannot be hashed when it is read: it could not stand in `Results`."""
        self._hashable = True

    def stop(self, reason: str) -> None:
        """Take no more keys. What was begun is finished and handed out; then `FanOutAborted` tells why."""
        if not self._no_more_keys:
            self._stop(reason)

    def begin(self) -> None:
        """Start the first worker."""
        self._outer_count = ATTEMPTS.get()
        self._start_worker()

    async def end(self) -> None:
        """Cancel what is in flight, wait for its end whatever happens, and close an async source."""
        self._left = self._no_more_keys = True
        try:
            await cancel_and_wait(self._workers)
        finally:
            close = getattr(self._async_keys, "aclose", None)
            if close is not None:
                await close()

    def _next_ready(self) -> Outcome[K, T] | None:
        if self._ordered:
            return self._ready.pop(self._handed_out, None)
        return self._ready.popitem(last=False)[1] if self._ready else None

    def _end_of_outcomes(self) -> BaseException:
        """What ends the iteration: the source's own error, an early stop, or nothing more to come. Once."""
        failure, self._failure = self._failure, None
        reason, self._stopped = self._stopped, None
        if failure is not None:
            return failure
        if reason is not None:
            return FanOutAborted(reason, self._succeeded, self._handed_out - self._succeeded)
        return StopAsyncIteration()

    def _start_worker(self) -> None:
        self._at_work += 1
        # Not create_task: a factory of eager tasks would run the worker before it is counted.
        loop = asyncio.get_running_loop()
        worker = asyncio.Task(self._work(), loop=loop, name="backupify_async fan-out")
        worker.add_done_callback(self._worker_ended)
        self._workers.append(worker)

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        """Count it out. What it raised is the source's error, or a fault of ours: never an end in silence."""
        self._at_work -= 1
        self._news.set()
        self._let_one_go_on()  # it may have been let go on itself, and left by another way
        failure = asyncio.CancelledError() if worker.cancelled() else worker.exception()
        if failure is not None and not self._left:
            self._failure = self._failure or failure
            self._no_more_keys = True

    async def _work(self) -> None:
        """Take keys and deliver their outcomes, until there are no more keys or nobody wants more."""
        task = asyncio.current_task()
        while not self._no_more_keys:
            if self._async_keys is None:
                if self._is_full:
                    await self._wait_for_room()
                taken = self._take()
            else:
                taken = await self._take_in_turn(self._async_keys)
            if taken is None:
                return
            if len(self._workers) < self._concurrency:
                self._start_worker()
            index, key = taken
            self._deliver(index, await self._call(key, task))

    @property
    def _is_full(self) -> bool:
        """Whether as many keys are held as the window allows."""
        return self._taken - self._handed_out >= self._window

    async def _wait_for_room(self) -> None:
        """Wait while the window is full; who has waited longest looks first."""
        while self._is_full and not self._no_more_keys:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn

    def _let_one_go_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else it was cancelled
                turn.set_result(None)
                return

    def _take(self) -> tuple[int, K] | None:
        """The next key of a sync source and its number; None where there is none, or none is wanted."""
        if self._no_more_keys:
            return None
        try:
            key = next(self._keys)
        except StopIteration:
            self._no_more_keys = True
        except BaseException:
            self._no_more_keys = True
            raise
        return None if self._no_more_keys else self._hold(key)

    async def _take_in_turn(self, source: AsyncIterator[K]) -> tuple[int, K] | None:
        """As `_take`, of an async source, which one worker reads at a time."""
        async with self._turn_to_read:
            await self._wait_for_room()
            if self._no_more_keys:
                return None
            self._reader = asyncio.current_task()
            try:
                key = await anext(source)
            except StopAsyncIteration:
                self._no_more_keys = True
            except BaseException as error:
                self._no_more_keys = True
                if not isinstance(error, asyncio.CancelledError) or self._stopped is None:
                    raise  # else we were waiting for a key that nobody wants any more
            finally:
                self._reader = None
            return None if self._no_more_keys else self._hold(key)

    def _hold(self, key: K) -> tuple[int, K]:
        if self._hashable and not isinstance(key, Hashable):
            self._no_more_keys = True
            raise TypeError(f"a key that is awaited must be hashable, and {key!r} is not: stream instead")
        index = self._taken
        self._taken += 1
        self._in_flight[index] = key
        return index, key

    async def _call(self, key: K, task: asyncio.Task[object] | None) -> Outcome[K, T]:
        count = AttemptCount()
        ATTEMPTS.set(count)
        loop = asyncio.get_running_loop()
        began = loop.time()
        failure: BaseException | None = None
        try:
            value = await self._function(key)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if self._left and isinstance(error, asyncio.CancelledError):
                raise
            failure = error  # whatever it is, it is this key's outcome
        if task is not None and task.cancelling() and not self._left:
            await self._shrug_off_cancellation(task)
        if self._outer_count is not None:
            self._outer_count.sent += count.sent  # a fan-out within a fan-out sends for the outer key too
        if isinstance(failure, BackupifyError):
            forget_frames(failure)
        try:
            if failure is None:
                return Success(key, value, count.sent, loop.time() - began)
            return Failure(key, failure, count.sent, loop.time() - began)
        finally:
            failure = None  # else its traceback holds this frame, and this frame it

    async def _shrug_off_cancellation(self, task: asyncio.Task[object]) -> None:
        """A function that cancelled the worker it ran in has not cancelled the fan-out.

        Where somebody cancelled all tasks of the loop, this lets the consumer's end come first.
        """
        while task.cancelling():
            task.uncancel()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if self._left:
                raise

    def _deliver(self, index: int, outcome: Outcome[K, T]) -> None:
        del self._in_flight[index]
        self._ready[index] = outcome
        self._news.set()
        if not outcome.ok and self._stopped is None:
            reason = self._reason_to_stop(outcome.error)
            if reason is not None:
                self._stop(reason)

    def _stop(self, reason: str) -> None:
        self._stopped = reason
        self._no_more_keys = True
        if self._reader is not None:
            self._reader.cancel()

    def _reason_to_stop(self, error: BaseException) -> str | None:
        self._failures += 1
        if self._stop_at is not None and (reason := self._stop_at(error)) is not None:
            return reason
        if self._max_failures is not None and self._failures > self._max_failures:
            return f"more than max_failures={self._max_failures} keys failed; the last of them: {error}"
        return None
