"""The results of a fan-out, also after it failed, and the errors in them."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backupify_async import AmbiguousTrigger, DecodeError, NotFound, PermissionDenied, TransportError, fan_out
from tests.support.clients import client_of
from tests.support.raw_servers import ONCE, by_method, http
from tests.support.work import AsyncKeys, Keys, Work, drain


class TestAfterASourceThatRaised:
    async def test_its_error_propagates_and_the_results_remain(self) -> None:
        error = OSError("disk")
        sweep = fan_out(Work(0, failing=[2]), Keys([1, 2, 3], error))
        with pytest.raises(OSError, match="disk") as caught:
            await sweep
        assert caught.value is error
        assert sweep.results.values == {1: "did 1", 3: "did 3"}
        assert list(sweep.results.errors) == [2]

    async def test_each_backup_that_was_started_is_in_the_results(self) -> None:
        async with by_method(b"", http(201, b'{"id":7}')) as url, client_of(url) as client:
            sweep = client.fleet(Keys([1, 2, 3], OSError("disk"))).trigger()
            with pytest.raises(OSError, match="disk"):
                await sweep
        assert sorted(sweep.results.values) == [1, 2, 3]


@pytest.mark.looptime
class TestResults:
    async def test_fill_while_the_fan_out_runs(self) -> None:
        sweep = fan_out(Work(1), range(10), concurrency=2)
        waiting = asyncio.ensure_future(sweep)
        await asyncio.sleep(2.5)
        assert sorted(sweep.results.values) == [0, 1, 2, 3]
        assert await waiting is sweep.results

    async def test_of_a_cancelled_fan_out_remain(self) -> None:
        sweep = fan_out(Work(1), range(10), concurrency=2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sweep, 2.5)
        assert sorted(sweep.results.values) == [0, 1, 2, 3]

    async def test_of_a_stream_are_empty(self) -> None:
        sweep = fan_out(Work(1), range(10))
        async with sweep as outcomes:
            await drain(outcomes)
        assert (sweep.results.values, sweep.results.errors) == ({}, {})


class TestAnUnhashableKey:
    @pytest.mark.parametrize("source", [list, AsyncKeys])
    async def test_is_refused_before_it_is_worked_on(self, source: Callable[[list[Any]], Any]) -> None:
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
    """An error, and all its causes and contexts."""
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
    @pytest.mark.parametrize(("response", "kind"), FAILING, ids=[kind.__name__ for _, kind in FAILING])
    async def test_hold_no_traceback_in_results(self, response: bytes, kind: type[Exception]) -> None:
        async with by_method(response, b"") as url, client_of(url, retry=ONCE) as client:
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

    async def test_of_other_classes_keep_their_traceback(self) -> None:
        results = await fan_out(Work(0, failing=[1]), [1])
        assert results.errors[1].__traceback__ is not None
