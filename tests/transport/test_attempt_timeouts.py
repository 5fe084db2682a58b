"""Time-outs that one timer watches, in virtual time."""

import asyncio

import pytest

from backupify_async import Timeouts
from backupify_async._transport.attempt_timeouts import Watch
from backupify_async._transport.scopes import CancelScope
from tests.support.work import now

pytestmark = pytest.mark.looptime(start=0)


class IncomingBody:
    """A body that grows."""

    def __init__(self) -> None:
        self.total_bytes = 0


async def attempt(
    watch: Watch, seconds: float, body: IncomingBody | None = None, connected_at: float = 0.0
) -> None:
    with watch.scope(now()) as scope:
        await asyncio.sleep(connected_at)
        scope.waits_for()
        if body is not None:
            scope.waits_for(body)
        await asyncio.sleep(seconds - connected_at)


class TestWatch:
    async def test_an_attempt_in_time_is_not_ended(self) -> None:
        watch = Watch(Timeouts(connect=1, read=8, attempt=16))
        await attempt(watch, 7)
        assert now() == 7

    @pytest.mark.parametrize(
        ("timeouts", "body", "why", "when"),
        [
            (Timeouts(connect=1, read=8, attempt=100), None, "read", 8),
            (Timeouts(connect=1, read=None, attempt=8), None, "attempt", 8),
            (Timeouts(connect=1, read=8, attempt=100), IncomingBody(), "read", 8),
        ],
        ids=["no response", "too long", "no body"],
    )
    async def test_an_attempt_that_takes_too_long_is_ended(
        self, timeouts: Timeouts, body: IncomingBody | None, why: str, when: float
    ) -> None:
        with pytest.raises(TimeoutError, match=f"^{why}$"):
            await attempt(Watch(timeouts), 1_000, body)
        assert when <= now() <= when + 1  # at most an eighth later

    async def test_the_read_time_out_begins_after_connecting(self) -> None:
        with pytest.raises(TimeoutError, match=r"^read$"):
            await attempt(Watch(Timeouts(read=8, attempt=100)), 1_000, connected_at=20)
        assert 28 <= now() <= 29

    async def test_a_body_that_keeps_arriving_is_not_ended(self) -> None:
        body = IncomingBody()

        async def grow() -> None:
            for _ in range(10):
                await asyncio.sleep(5)
                body.total_bytes += 1

        growing = asyncio.create_task(grow())
        with pytest.raises(TimeoutError, match="read"):
            await attempt(Watch(Timeouts(connect=1, read=8, attempt=None)), 1_000, body)
        await growing
        assert 58 <= now() <= 60  # a time-out after the last piece, and at most an eighth later

    async def test_without_time_outs_there_is_no_timer(self) -> None:
        await attempt(Watch(Timeouts(read=None, attempt=None)), 1e6)
        assert now() == 1e6

    async def test_the_timer_ends_with_the_work(self) -> None:
        watch = Watch(Timeouts(connect=1, read=8, attempt=8))
        await attempt(watch, 1)
        await asyncio.sleep(10)
        assert watch._timer is None
        await attempt(watch, 1)
        watch.close()
        assert watch._timer is None


class TestAScope:
    async def test_that_is_cancelled_from_outside_stays_cancelled(self) -> None:
        watch = Watch(Timeouts(connect=1, read=8, attempt=8))
        task = asyncio.create_task(attempt(watch, 100))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def test_that_is_ended_and_cancelled_in_one_turn_of_the_loop_is_cancelled(self) -> None:
        async def work() -> str | None:
            scope = CancelScope()
            asyncio.get_running_loop().call_soon(scope.end, "time")
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_soon(task.cancel)
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                return scope.ended_by()
            return "never"

        assert await work() is None

    async def test_that_is_ended_twice_is_ended_once(self) -> None:
        async def work() -> tuple[str | None, int]:
            scope = CancelScope()
            for why in ("first", "second"):
                asyncio.get_running_loop().call_soon(scope.end, why)
            task = asyncio.current_task()
            assert task is not None
            try:
                await asyncio.sleep(100)
            except asyncio.CancelledError:
                return scope.ended_by(), task.cancelling()
            return None, -1

        assert await asyncio.create_task(work()) == ("first", 0)
