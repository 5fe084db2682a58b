"""Fan-outs that end badly, keys and functions that misbehave, and what their failures hold."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from backupify_async import AmbiguousTrigger, DecodeError, NotFound, PermissionDenied, TransportError, fan_out
from tests.support.clients import client_of
from tests.support.raw_servers import ONCE, by_method, http
from tests.support.work import AsyncKeys, Keys, Work, drain, other_tasks


class TestASourceThatRaises:
    async def test_is_heard_and_what_was_done_stays_at_hand(self) -> None:
        error = OSError("disk")
        sweep = fan_out(Work(0, failing=[2]), Keys([1, 2, 3], error))
        with pytest.raises(OSError, match="disk") as caught:
            await sweep
        assert caught.value is error
        assert sweep.results.values == {1: "did 1", 3: "did 3"}
        assert list(sweep.results.errors) == [2]

    async def test_leaves_each_backup_that_it_started_accounted_for(self) -> None:
        async with by_method(b"", http(201, b'{"id":7}')) as url, client_of(url) as client:
            sweep = client.fleet(Keys([1, 2, 3], OSError("disk"))).trigger()
            with pytest.raises(OSError, match="disk"):
                await sweep
        assert sorted(sweep.results.values) == [1, 2, 3]


@pytest.mark.looptime
class TestResults:
    async def test_fill_as_the_work_goes_on(self) -> None:
        sweep = fan_out(Work(1), range(10), concurrency=2)
        waiting = asyncio.ensure_future(sweep)
        await asyncio.sleep(2.5)
        assert sorted(sweep.results.values) == [0, 1, 2, 3]
        assert await waiting is sweep.results

    async def test_of_a_sweep_that_was_cancelled_stay_at_hand(self) -> None:
        sweep = fan_out(Work(1), range(10), concurrency=2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sweep, 2.5)
        assert sorted(sweep.results.values) == [0, 1, 2, 3]

    async def test_of_a_stream_hold_nothing(self) -> None:
        sweep = fan_out(Work(1), range(10))
        async with sweep as outcomes:
            await drain(outcomes)
        assert (sweep.results.values, sweep.results.errors) == ({}, {})


class TestAKeyThatCannotBeHashed:
    @pytest.mark.parametrize("source", [list, AsyncKeys])
    async def test_is_named_before_it_is_worked_on(self, source: Callable[[list[Any]], Any]) -> None:
        work = Work(0)
        sweep = fan_out(work, source([1, ["odd"], 3]), concurrency=1)
        with pytest.raises(TypeError, match=r"\['odd'\]"):
            await sweep
        assert ["odd"] not in work.begun
        assert sweep.results.values == {1: "did 1"}

    async def test_is_worked_on_in_a_stream(self) -> None:
        keys: list[Any] = [1, ["odd"], 3]
        async with fan_out(Work(0), keys, concurrency=1) as outcomes:
            found, end = await drain(outcomes)
        assert ([(outcome.key, outcome.ok) for outcome in found], end) == (
            [(key, True) for key in keys],
            None,
        )


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and all those behind it."""
    while error is not None:
        yield error
        if error.__cause__ is not error.__context__:
            yield from chain(error.__cause__)
        error = error.__context__


FAILING: list[tuple[bytes, type[Exception]]] = [
    (http(404), NotFound),
    (http(403), PermissionDenied),
    (http(200, b"<html>"), DecodeError),
    (b"", TransportError),
]


class TestErrorsOfAFleet:
    @pytest.mark.parametrize(("answer", "kind"), FAILING, ids=[kind.__name__ for _, kind in FAILING])
    async def test_hold_no_traceback_in_results(self, answer: bytes, kind: type[Exception]) -> None:
        async with by_method(answer, b"") as url, client_of(url, retry=ONCE) as client:
            errors = (await client.fleet(range(3)).latest()).errors
        assert [type(error) for error in errors.values()] == [kind] * 3
        assert [one for error in errors.values() for one in chain(error) if one.__traceback__] == []

    async def test_hold_no_traceback_in_outcomes(self) -> None:
        async with (
            by_method(b"", http(500)) as url,
            client_of(url, retry=ONCE) as client,
            client.fleet([1]).trigger() as outcomes,
        ):
            found, _ = await drain(outcomes)
        assert isinstance(found[0].error, AmbiguousTrigger)
        held = [*chain(found[0].error), *chain(found[0].error.cause)]
        assert [error for error in held if error.__traceback__] == []

    async def test_that_are_none_of_ours_keep_theirs_in_any_fan_out(self) -> None:
        results = await fan_out(Work(0, failing=[1]), [1])
        assert results.errors[1].__traceback__ is not None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
class TestEagerTasks:
    @pytest.fixture(autouse=True)
    async def eager(self) -> None:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))

    @pytest.mark.looptime
    @pytest.mark.parametrize("ordered", [True, False])
    async def test_are_no_more_than_the_bound(self, ordered: bool) -> None:
        work = Work(1)
        results = await fan_out(work, range(40), concurrency=4, ordered=ordered)
        assert (len(results.values), work.most_in_flight) == (40, 4)

    async def test_may_be_thousands(self) -> None:
        work = Work(0)
        results = await fan_out(work, range(6000), concurrency=5000)
        assert len(results.values) == 6000
        assert work.most_in_flight <= 5000

    async def test_that_never_wait_are_thousands_too(self) -> None:
        async def at_once(key: int) -> int:
            return key

        results = await fan_out(at_once, range(6000), concurrency=5000)
        assert len(results.values) == 6000


def cancel_myself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()


async def and_return(key: int) -> int:
    if key == 2:
        cancel_myself()
    return key


async def and_raise(key: int) -> int:
    if key == 2:
        cancel_myself()
        raise LookupError(key)
    return key


async def and_wait(key: int) -> int:
    if key == 2:
        cancel_myself()
    await asyncio.sleep(0)
    return key


async def and_swallow_it(key: int) -> int:
    if key == 2:
        cancel_myself()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            return key
    return key


async def and_raise_behind_it(key: int) -> int:
    if key == 2:
        cancel_myself()
        try:
            await asyncio.sleep(0)
        finally:
            raise LookupError(key)
    return key


@pytest.mark.parametrize(
    "function",
    [and_return, and_raise, and_wait, and_swallow_it, and_raise_behind_it],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("concurrency", [1, 3])
class TestAFunctionThatCancelsItsOwnTask:
    async def test_gets_each_key_its_outcome(
        self, function: Callable[[int], Awaitable[int]], concurrency: int
    ) -> None:
        async with fan_out(function, [1, 2, 3, 4, 5], concurrency=concurrency) as outcomes:
            found, end = await drain(outcomes)
        assert end is None
        assert sorted(outcome.key for outcome in found) == [1, 2, 3, 4, 5]
        assert {outcome.key: outcome.value for outcome in found if outcome.key != 2} == {
            1: 1,
            3: 3,
            4: 4,
            5: 5,
        }

    async def test_cancels_nobody_else(
        self, function: Callable[[int], Awaitable[int]], concurrency: int
    ) -> None:
        before = other_tasks()
        await fan_out(function, [1, 2, 3, 4, 5], concurrency=concurrency)
        await asyncio.sleep(0)
        me = asyncio.current_task()
        assert me is not None
        assert (me.cancelling(), other_tasks() - before) == (0, set())
