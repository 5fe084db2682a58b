"""Calls in a daemon thread, which no exit waits for."""

import asyncio
import threading

import pytest

from backupify_async._cli.daemon_threads import DaemonThread


async def test_calls_run_one_after_the_other_in_one_other_thread() -> None:
    thread = DaemonThread("test")
    threads = await asyncio.gather(*(thread.call(threading.get_ident) for _ in range(5)))
    thread.close()
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


async def test_an_error_of_a_call_is_raised_where_it_is_awaited() -> None:
    thread = DaemonThread("test")
    with pytest.raises(ZeroDivisionError):
        await thread.call(divmod, 1, 0)
    assert await thread.call(divmod, 7, 2) == (3, 1)
    thread.close()


async def test_a_cancelled_caller_does_not_wait_for_a_blocked_call() -> None:
    thread, begun, end = DaemonThread("test"), threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        end.wait()

    call = asyncio.ensure_future(thread.call(block))
    await asyncio.to_thread(begun.wait)
    skipped = asyncio.ensure_future(thread.call(pytest.fail))
    await asyncio.sleep(0)
    call.cancel()
    skipped.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    end.set()
    assert await thread.call(int, "7") == 7
    thread.close()
