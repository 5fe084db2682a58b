"""When the calls of a group count as begun."""

import contextlib
import contextvars

from backupify_async._call_context import CallGroup, begin_call


def test_calls_outside_of_groups_count_one_after_the_other() -> None:
    first, second = begin_call(), begin_call()
    assert 0 < first < second


def test_the_first_calls_of_a_group_count_from_when_it_began() -> None:
    group = CallGroup()
    later = begin_call()
    with group:
        began = [begin_call() for _ in range(8)]
    assert len({*began}) == 1
    assert began[0] < later < begin_call()


def test_further_calls_of_a_group_count_from_when_they_are_made() -> None:
    with CallGroup():
        began = [begin_call() for _ in range(8)]
        later = begin_call()
        assert began[-1] < later < begin_call()


def test_a_group_within_another_is_part_of_it() -> None:
    with CallGroup():
        outer = begin_call()
        with CallGroup():
            assert begin_call() == outer
        assert begin_call() == outer


def test_a_group_ends_with_its_context_however_that_exits() -> None:
    began = []
    with contextlib.suppress(ValueError), CallGroup():
        began.append(begin_call())
        raise ValueError
    assert begin_call() not in began


def test_a_coroutine_that_is_closed_in_another_context_ends_nothing_there() -> None:
    class Never:
        def __await__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
            yield

    async def operate() -> None:
        with CallGroup():
            await Never()

    coroutine = operate()
    contextvars.copy_context().run(coroutine.send, None)
    with CallGroup():
        began = begin_call()
        coroutine.close()
        assert begin_call() == began
