import asyncio
import threading

import pytest

from backupify_async._cli.daemon_threads import DaemonThread


async def test_calls_are_made_one_after_the_other_in_one_other_thread() -> None:
    thread = DaemonThread("test")
    made = await asyncio.gather(*(thread.call(threading.get_ident) for _ in range(5)))
    thread.close()
    assert len(set(made)) == 1
    assert made[0] != threading.get_ident()


async def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    thread = DaemonThread("test")
    with pytest.raises(ZeroDivisionError):
        await thread.call(divmod, 1, 0)
    assert await thread.call(divmod, 7, 2) == (3, 1)
    thread.close()


async def test_a_cancelled_caller_does_not_wait_for_a_call_that_blocks() -> None:
    thread, begun, end = DaemonThread("test"), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        end.wait()

    call = asyncio.ensure_future(thread.call(block))
    await asyncio.to_thread(begun.wait)
    never_made = asyncio.ensure_future(thread.call(pytest.fail))
    await asyncio.sleep(0)
    call.cancel()
    never_made.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    end.set()
    assert await thread.call(int, "7") == 7
    thread.close()
