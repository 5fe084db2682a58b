"""How a command is stopped, gracefully and at once."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from types import ModuleType

import pytest

from backupify_async._cli import main
from backupify_async._cli.event_loop import new_event_loop
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.shutdown import Shutdown, run_command


async def stopped(shutdown: Shutdown) -> ExitCode:
    shutdown.request(ExitCode.TERMINATED, "terminated")
    shutdown.request(ExitCode.INTERRUPTED, "interrupted")
    await asyncio.Event().wait()
    return ExitCode.SUCCESS


async def stopped_at_its_end(shutdown: Shutdown) -> ExitCode:
    shutdown.request(ExitCode.CLOSED_PIPE)
    return ExitCode.SOME_FAILED


async def cancelled_by_another(shutdown: Shutdown) -> ExitCode:
    assert not shutdown.absorb_cancellation()
    raise asyncio.CancelledError


def test_the_first_request_decides() -> None:
    with pytest.raises(Exit) as caught:
        run_command(stopped)
    assert (caught.value.code, caught.value.message) == (ExitCode.TERMINATED, "terminated")


def test_a_late_request_still_decides_the_exit_code() -> None:
    with pytest.raises(Exit) as caught:
        run_command(stopped_at_its_end)
    assert caught.value.code == ExitCode.CLOSED_PIPE


def test_a_cancellation_from_elsewhere_is_not_absorbed() -> None:
    with pytest.raises(asyncio.CancelledError):
        run_command(cancelled_by_another)


def test_ctrl_c_outside_the_event_loop_has_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("backupify_async._cli.run.app", interrupt)
    assert main(["--version"]) == ExitCode.INTERRUPTED


async def ends_gracefully(shutdown: Shutdown) -> ExitCode:
    done = asyncio.Event()
    shutdown.graceful = done.set
    shutdown.request(ExitCode.TERMINATED, "terminated")
    await done.wait()
    return ExitCode.SOME_FAILED


async def is_stopped_twice(shutdown: Shutdown) -> ExitCode:
    shutdown.graceful = lambda: None
    shutdown.request(ExitCode.TERMINATED, "terminated")
    shutdown.announced = True
    shutdown.request(ExitCode.INTERRUPTED, "interrupted")
    await asyncio.Event().wait()
    return ExitCode.SUCCESS


async def has_a_closed_pipe(shutdown: Shutdown) -> ExitCode:
    done = asyncio.Event()
    shutdown.graceful = done.set
    shutdown.request(ExitCode.CLOSED_PIPE)
    await done.wait()
    return ExitCode.SUCCESS


def gets_more_requests_while_it_ends(
    *more: ExitCode, announced: bool
) -> Callable[[Shutdown], Awaitable[ExitCode]]:
    async def command(shutdown: Shutdown) -> ExitCode:
        shutdown.graceful = lambda: None
        shutdown.request(ExitCode.HUNG_UP, "hung up")
        shutdown.announced = announced
        for code in more:
            shutdown.request(code)
        await asyncio.sleep(0)  # a request that ends it at once cancels it here
        return ExitCode.SUCCESS

    return command


class TestGracefulShutdown:
    def test_a_command_finishes_what_it_does(self) -> None:
        assert run_command(ends_gracefully) == ExitCode.TERMINATED

    def test_the_second_request_ends_it_at_once(self) -> None:
        with pytest.raises(Exit) as caught:
            run_command(is_stopped_twice)
        assert (caught.value.code, caught.value.message) == (ExitCode.TERMINATED, "terminated")

    def test_a_closed_pipe_ends_it_gracefully(self) -> None:
        assert run_command(has_a_closed_pipe) == ExitCode.CLOSED_PIPE

    def test_repeated_hang_ups_do_not_end_it_at_once(self) -> None:
        more = (ExitCode.HUNG_UP, ExitCode.SOME_FAILED, ExitCode.CLOSED_PIPE)
        assert run_command(gets_more_requests_while_it_ends(*more, announced=True)) == ExitCode.HUNG_UP

    def test_signals_before_the_first_one_was_announced_count_as_one(self) -> None:
        more = (ExitCode.TERMINATED, ExitCode.INTERRUPTED)
        assert run_command(gets_more_requests_while_it_ends(*more, announced=False)) == ExitCode.HUNG_UP


class TestIgnoredSignals:
    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_an_inherited_ignored_signal_stays_ignored(self, name: str) -> None:
        number = getattr(signal, name)
        before = signal.signal(number, signal.SIG_IGN)

        async def command(_shutdown: Shutdown) -> ExitCode:
            signal.raise_signal(number)
            await asyncio.sleep(0)
            return ExitCode.SUCCESS

        try:
            assert run_command(command) == ExitCode.SUCCESS
            assert signal.getsignal(number) is signal.SIG_IGN
        finally:
            signal.signal(number, before)


class TestTheLoop:
    def test_is_uvloops_where_uvloop_is_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Fast(asyncio.SelectorEventLoop):
            """In place of uvloop's."""

        uvloop = ModuleType("uvloop")
        monkeypatch.setattr(uvloop, "new_event_loop", Fast, raising=False)
        monkeypatch.setitem(sys.modules, "uvloop", uvloop)
        seen: list[asyncio.AbstractEventLoop] = []

        async def command(_shutdown: Shutdown) -> ExitCode:
            seen.append(asyncio.get_running_loop())
            return ExitCode.SUCCESS

        assert run_command(command) == ExitCode.SUCCESS
        assert [type(loop) for loop in seen] == [Fast]

    @pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
    def test_is_asyncios_where_a_stream_is_closed(self, monkeypatch: pytest.MonkeyPatch, stream: str) -> None:
        monkeypatch.setattr(sys, stream, None)
        loop = new_event_loop()
        loop.close()
        assert type(loop).__module__.startswith("asyncio.")

    def test_is_asyncios_where_uvloop_is_not_installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "uvloop", None)
        loop = new_event_loop()
        loop.close()
        assert type(loop).__module__.startswith("asyncio.")
