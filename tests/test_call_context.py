"""When the calls of an operation count as begun."""

import contextlib
import contextvars

from backupify_async._call_context import Operation, begin_call


def test_calls_outside_of_operations_count_one_after_the_other() -> None:
    first, second = begin_call(), begin_call()
    assert 0 < first < second


def test_the_first_calls_of_an_operation_count_from_when_it_began() -> None:
    operation = Operation()
    later = begin_call()
    with operation:
        began = [begin_call() for _ in range(8)]
    assert len({*began}) == 1
    assert began[0] < later < begin_call()


def test_further_calls_of_an_operation_count_from_when_they_are_made() -> None:
    with Operation():
        began = [begin_call() for _ in range(8)]
        later = begin_call()
        assert began[-1] < later < begin_call()


def test_an_operation_within_another_is_part_of_it() -> None:
    with Operation():
        outer = begin_call()
        with Operation():
            assert begin_call() == outer
        assert begin_call() == outer


def test_an_operation_ends_with_its_context_however_that_exits() -> None:
    began = []
    with contextlib.suppress(ValueError), Operation():
        began.append(begin_call())
        raise ValueError
    assert begin_call() not in began


def test_a_coroutine_that_is_closed_in_another_context_ends_nothing_there() -> None:
    class Never:
        def __await__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
            yield

    async def operate() -> None:
        with Operation():
            await Never()

    coroutine = operate()
    contextvars.copy_context().run(coroutine.send, None)
    with Operation():
        began = begin_call()
        coroutine.close()
        assert begin_call() == began
