"""Runs a command in an event loop, and shuts it down in good order on a signal."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable

from backupify_async._cli.event_loop import new_runner
from backupify_async._cli.exit_codes import Exit, ExitCode, most_severe

_SIGNALS = {
    "SIGINT": (ExitCode.INTERRUPTED, "interrupted"),
    "SIGTERM": (ExitCode.TERMINATED, "terminated"),
    "SIGHUP": (ExitCode.HUNG_UP, "hung up"),  # not on Windows
}
# A terminal that is closed sends SIGHUP more than once, and makes writes fail: that is not a second request.
_HURRY = (ExitCode.INTERRUPTED, ExitCode.TERMINATED)


class Shutdown:
    """Ends a command early: on a signal, or when stdout has no reader any more.

    Args:
        task: The command's task. It is cancelled at the first request; or, where `graceful` is set, at the
            first Ctrl-C or SIGTERM after `announced`.

    Attributes:
        graceful: Starts a graceful shutdown; None where the command has nothing to finish.
        announced: Whether the graceful shutdown was announced on stderr: `timeout` sends its signal twice at
            once.
        code: The exit code of the first request; None while there is none.
        message: The reason, for stderr.
    """

    def __init__(self, task: "asyncio.Task[object] | None") -> None:
        self._task = task
        self.graceful: Callable[[], None] | None = None
        self.announced = False
        self._cancelled = False
        self.code: ExitCode | None = None
        self.message = ""

    def request(self, code: ExitCode, message: str = "") -> None:
        """Request that the command ends."""
        if self._task is None:
            return
        first = self.code is None
        if first:
            self.code, self.message = code, message
        if self.graceful is None or (self.announced and code in _HURRY):
            self.cancel()
        elif first:
            self.graceful()

    def cancel(self) -> None:
        """Cancel the command, once: later requests must not interrupt its clean-up, which is short."""
        if self._task is not None and not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def absorb_cancellation(self) -> bool:
        """Whether a cancellation just caught came from here; if so, the task can go on to clean up."""
        if self.code is None or self._task is None:
            return False
        self._task.uncancel()
        return True

    def dismiss(self) -> None:
        """Ignore the request in the exit code: this command ends only by being interrupted."""
        self.code, self._task = None, None


def run_command(command: Callable[[Shutdown], Awaitable[ExitCode]]) -> ExitCode:
    """Run a command; Ctrl-C, SIGTERM and SIGHUP end it, except where this process ignores them.

    Raises:
        Exit: The command ended so, or was interrupted before it could report anything itself.
    """
    with new_runner() as runner:
        return runner.run(_run(command))


async def _run(command: Callable[[Shutdown], Awaitable[ExitCode]]) -> ExitCode:
    shutdown = Shutdown(asyncio.current_task())
    loop = asyncio.get_running_loop()
    handled = []
    for name, (code, message) in _SIGNALS.items():
        number = getattr(signal, name, None)
        # A POSIX shell starts a background job with SIGINT ignored, and nohup ignores SIGHUP.
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue
        with contextlib.suppress(NotImplementedError):  # on Windows, where asyncio itself handles Ctrl-C
            loop.add_signal_handler(number, shutdown.request, code, message)
            handled.append(number)
    try:
        code = await command(shutdown)
        await asyncio.sleep(0)  # a request during the command's last step is raised here
        return code if shutdown.code is None else most_severe(code, shutdown.code)
    except asyncio.CancelledError:
        if not shutdown.absorb_cancellation() or shutdown.code is None:
            raise
        raise Exit(shutdown.code, shutdown.message) from None
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
