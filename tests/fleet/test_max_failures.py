"""A fan-out that stops early: after `max_failures`, or at an error that all other calls would get too."""

import asyncio
import pickle
from typing import Any

import pytest

from backupify_async import FanOut, FanOutAborted, fan_out
from tests.support.work import AsyncKeys, Keys, Work, drain, now, other_tasks

pytestmark = pytest.mark.looptime


class TestMaxFailures:
    @pytest.mark.parametrize("accepted", [0, 1, 3])
    async def test_stops_at_one_failure_more_than_accepted(self, accepted: int) -> None:
        work = Work(failing=range(100))
        with pytest.raises(FanOutAborted, match=f"max_failures={accepted}") as raised:
            await fan_out(work, range(100), concurrency=1, max_failures=accepted)
        assert (raised.value.failed, work.begun) == (accepted + 1, list(range(accepted + 1)))

    async def test_that_is_not_exceeded_stops_nothing(self) -> None:
        results = await fan_out(Work(failing=[1, 2]), range(10), max_failures=2)
        assert (len(results.values), len(results.errors)) == (8, 2)

    async def test_that_is_none_accepts_any_number(self) -> None:
        assert len((await fan_out(Work(failing=range(100)), range(100))).errors) == 100

    async def test_lets_calls_in_flight_finish_and_begins_no_more(self) -> None:
        work = Work(lambda key: 1 + 10 * key, failing=[0])
        source = Keys(range(100))
        with pytest.raises(FanOutAborted):
            await fan_out(work, source, concurrency=4, max_failures=0)
        assert (work.ended, source.taken, now()) == ([0, 1, 2, 3], 4, 31)

    async def test_raises_an_error_with_the_results_so_far_if_awaited(self) -> None:
        with pytest.raises(FanOutAborted) as raised:
            await fan_out(Work(lambda key: key, failing=[2]), [1, 2, 3, 4], concurrency=2, max_failures=0)
        error = raised.value
        assert (error.values, set(error.errors)) == ({1: "did 1", 3: "did 3"}, {2})
        assert (error.succeeded, error.failed) == (2, 1)
        assert "2 succeeded, 1 failed" in str(error)

    @pytest.mark.parametrize("ordered", [False, True])
    async def test_raises_an_error_with_the_counts_after_the_outcomes_of_a_stream(
        self, ordered: bool
    ) -> None:
        work = Work(lambda key: 1 + key / 10, failing=[1])
        async with fan_out(work, range(100), concurrency=3, max_failures=0, ordered=ordered) as outcomes:
            found, error = await drain(outcomes)
        assert [outcome.key for outcome in found] == [0, 1, 2, 3]
        assert isinstance(error, FanOutAborted)
        assert (error.succeeded, error.failed, error.values, error.errors) == (3, 1, {}, {})

    async def test_names_the_failure_that_stopped_it(self) -> None:
        with pytest.raises(FanOutAborted, match="the last error: 7"):
            await fan_out(Work(failing=[7]), range(100), max_failures=0)

    async def test_raises_its_error_once(self) -> None:
        async with fan_out(Work(failing=[0]), range(9), concurrency=1, max_failures=0) as outcomes:
            await anext(outcomes)
            with pytest.raises(FanOutAborted):
                await anext(outcomes)
            assert [outcome async for outcome in outcomes] == []

    async def test_raises_an_error_that_pickles_with_its_results(self) -> None:
        with pytest.raises(FanOutAborted) as raised:
            await fan_out(Work(failing=[1]), [0, 1], max_failures=0)
        again = pickle.loads(pickle.dumps(raised.value))
        assert (again.values, repr(again.errors)) == ({0: "did 0"}, "{1: LookupError(1)}")


class TestASlowSource:
    @pytest.mark.parametrize("ordered", [False, True])
    async def test_does_not_delay_a_stop(self, ordered: bool) -> None:
        async def source() -> Any:
            yield 1
            await asyncio.sleep(1000)
            yield 2

        with pytest.raises(FanOutAborted):
            await fan_out(Work(failing=[1]), source(), max_failures=0, ordered=ordered)
        assert (now(), other_tasks()) == (1, set())

    async def test_is_closed_after_a_stop(self) -> None:
        source = AsyncKeys(range(10), seconds=10)
        with pytest.raises(FanOutAborted):
            await fan_out(Work(1, failing=[0]), source, max_failures=0)
        assert (source.closed, now()) == (True, 11)

    async def test_with_a_key_ready_at_the_stop_begins_no_call(self) -> None:
        work = Work(10, failing=[0])
        with pytest.raises(FanOutAborted):
            await fan_out(work, AsyncKeys(range(10), seconds=10), max_failures=0)
        assert len(work.begun) <= 2

    async def test_that_ignores_its_cancellation_begins_no_call(self) -> None:
        class Stubborn(AsyncKeys):
            async def __anext__(self) -> Any:
                try:
                    return await super().__anext__()
                except asyncio.CancelledError:
                    return "one more"

        work = Work(1, failing=[0])
        with pytest.raises(FanOutAborted):
            await fan_out(work, Stubborn([0, 1], seconds=100), max_failures=0)
        assert work.begun == [0]


class TestAReasonToStop:
    async def test_stops_at_once_whatever_number_of_failures_is_accepted(self) -> None:
        def reason_to_stop(error: BaseException) -> str | None:
            return "closed for today" if isinstance(error, LookupError) else None

        work = Work(failing=[3])
        stopping: FanOut[int, str] = FanOut(
            work, range(100), concurrency=1, max_failures=50, stop_at=reason_to_stop
        )
        with pytest.raises(FanOutAborted, match="closed for today") as raised:
            await stopping
        assert (work.begun, raised.value.succeeded) == ([0, 1, 2, 3], 3)

    async def test_that_is_none_stops_nothing(self) -> None:
        stopping: FanOut[int, str] = FanOut(
            Work(failing=[3]), range(10), concurrency=1, stop_at=lambda _error: None
        )
        assert len((await stopping).errors) == 1
