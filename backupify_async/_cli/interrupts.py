"""Runs a command in an event loop, and ends it in good order when somebody wants that."""

import asyncio
import contextlib
import errno
import importlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from backupify_async._cli.exit_codes import Exit, ExitCode, most_severe

_SIGNALS = {
    "SIGINT": (ExitCode.INTERRUPTED, "interrupted"),
    "SIGTERM": (ExitCode.TERMINATED, "terminated"),
    "SIGHUP": (ExitCode.HUNG_UP, "hung up"),  # which Windows has not
}
# A terminal that closes sends more than one SIGHUP, and makes writing fail as well: none of them is a second
# wish of somebody who would not wait.
_HURRY = (ExitCode.INTERRUPTED, ExitCode.TERMINATED)
_FILES_OF_UVLOOP = 10  # seven of a loop, two of its signals, and one to spare
_FILES_OF_ASYNCIO = 3  # a selector, and a pair of sockets


class Stop:
    """A request to end a command early: by a signal, or because nobody reads its output.

    Args:
        task: Is cancelled at the first request, or, where that ends it gently, at the first Ctrl-C or SIGTERM
            behind the answer to that.

    Attributes:
        gently: Ends the command in its own time, where it has something to finish; None where it has not.
        answered: Whether somebody was told that it ends so: `timeout` sends its signal twice at once.
        code: The exit code that the first request asks for; None while there is none.
        message: What is to be said about it.
    """

    def __init__(self, task: "asyncio.Task[object] | None") -> None:
        self._task = task
        self.gently: Callable[[], None] | None = None
        self.answered = False
        self._ending = False
        self.code: ExitCode | None = None
        self.message = ""

    def request(self, code: ExitCode, message: str = "") -> None:
        """End the command."""
        if self._task is None:
            return
        first = self.code is None
        if first:
            self.code, self.message = code, message
        if self.gently is None or (self.answered and code in _HURRY):
            self.now()
        elif first:
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
    """Run a command; Ctrl-C, SIGTERM and SIGHUP end it, but for those that this process was to ignore.

    Raises:
        Exit: The command ended so, or was stopped before it could say anything itself.
    """
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(_watched(command))


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop for this process: uvloop's where the extra `fast` is there, else asyncio's.

    Not where a standard stream is closed: libuv aborts once a connection gets a descriptor that it takes for
    one of these. Nor where few files may be open: it aborts, or leaves a loop that cannot be closed. And only
    for the command line, whose own this process is: an application chooses its loop.

    Raises:
        OSError: No more files may be open; asyncio's loop says so too, and a traceback with it.
    """
    free = _free_descriptors(_FILES_OF_UVLOOP)
    if free < _FILES_OF_ASYNCIO:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    if free < _FILES_OF_UVLOOP or None in (sys.stdin, sys.stdout, sys.stderr):
        return asyncio.new_event_loop()
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _free_descriptors(most: int) -> int:
    """How many file descriptors this process has still to give; what is above `most` is not counted."""
    taken: list[int] = []
    with contextlib.suppress(OSError):
        taken.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(most))
    for descriptor in taken:
        os.close(descriptor)
    return len(taken)


async def _watched(command: Callable[[Stop], Awaitable[ExitCode]]) -> ExitCode:
    stop = Stop(asyncio.current_task())
    loop = asyncio.get_running_loop()
    watched = []
    for name, (code, message) in _SIGNALS.items():
        number = getattr(signal, name, None)
        # POSIX shells start what is in the background with SIGINT ignored, and nohup ignores SIGHUP.
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue
        with contextlib.suppress(NotImplementedError):  # on Windows asyncio.run itself sees to Ctrl-C
            loop.add_signal_handler(number, stop.request, code, message)
            watched.append(number)
    try:
        code = await command(stop)
        await asyncio.sleep(0)  # where a request came in the command's last step, it is raised here
        return code if stop.code is None else most_severe(code, stop.code)
    except asyncio.CancelledError:
        if not stop.take_over() or stop.code is None:
            raise
        raise Exit(stop.code, stop.message) from None
    finally:
        for number in watched:
            loop.remove_signal_handler(number)
