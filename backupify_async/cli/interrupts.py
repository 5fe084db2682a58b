"""Runs a command in an event loop, and ends it in good order when somebody wants that."""

import asyncio
import contextlib
import importlib
import signal
import sys
from collections.abc import Awaitable, Callable

from backupify_async.cli.exits import Exit, ExitCode, gravest

_SIGNALS = {
    signal.SIGINT: (ExitCode.INTERRUPTED, "interrupted"),
    signal.SIGTERM: (ExitCode.TERMINATED, "terminated"),
}


class Stop:
    """A request to end a command early: by a signal, or because nobody reads its output.

    Args:
        task: Is cancelled at the first request, or, where that ends it gently, at the second.

    Attributes:
        gently: Ends the command in its own time, where it has something to finish; None where it has not.
        code: The exit code that the first request asks for; None while there is none.
        message: What is to be said about it.
    """

    def __init__(self, task: "asyncio.Task[object] | None") -> None:
        self._task = task
        self.gently: Callable[[], None] | None = None
        self._ending = False
        self.code: ExitCode | None = None
        self.message = ""

    def request(self, code: ExitCode, message: str = "") -> None:
        """End the command."""
        if self._task is None:
            return
        again = self.code is not None
        if not again:
            self.code, self.message = code, message
        if self.gently is None or code is ExitCode.CLOSED_PIPE or again:
            self.now()
        else:
            self.gently()

    def now(self) -> None:
        """End it at once. What follows changes nothing, for that takes no time."""
        if self._task is not None and not self._ending:
            self._ending = True
            self._task.cancel()

    def take_over(self) -> bool:
        """Whether a cancellation just caught was ours; if it was, the task may go on and clean up."""
        if self.code is None or self._task is None:
            return False
        self._task.uncancel()
        return True

    def forget(self) -> None:
        """Let the request be no reason for an exit code: being stopped is how this command ends."""
        self.code, self._task = None, None


def run_command(command: Callable[[Stop], Awaitable[ExitCode]]) -> ExitCode:
    """Run a command; Ctrl-C and SIGTERM cancel it.

    Raises:
        Exit: The command ended so, or was stopped before it could say anything itself.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_watched(command))


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop for this process: uvloop's where the extra `fast` is there, else asyncio's.

    Not where a standard stream is closed: libuv aborts once a connection gets a descriptor that it takes for
    one of these. And only for the command line, whose own this process is: an application chooses its loop.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        return asyncio.new_event_loop()
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


async def _watched(command: Callable[[Stop], Awaitable[ExitCode]]) -> ExitCode:
    stop = Stop(asyncio.current_task())
    loop = asyncio.get_running_loop()
    watched = []
    for number, (code, message) in _SIGNALS.items():
        with contextlib.suppress(NotImplementedError):  # on Windows asyncio.run itself sees to Ctrl-C
            loop.add_signal_handler(number, stop.request, code, message)
            watched.append(number)
    try:
        code = await command(stop)
        await asyncio.sleep(0)  # where a request came in the command's last step, it is raised here
        return code if stop.code is None else gravest(code, stop.code)
    except asyncio.CancelledError:
        if not stop.take_over() or stop.code is None:
            raise
        raise Exit(stop.code, stop.message) from None
    finally:
        for number in watched:
            loop.remove_signal_handler(number)
