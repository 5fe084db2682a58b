"""Work that can be ended from outside, as `asyncio.timeout` ends it, but without a timer for each piece."""

import asyncio


class Piece:
    """A piece of work in the task that makes this."""

    __slots__ = ("_cancelling", "_task", "_why")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that awaits runs in one
        self._task = task
        self._cancelling = task.cancelling()
        self._why: str | None = None

    def end(self, why: str) -> None:
        """Cancel it, once."""
        if self._why is None:
            self._why = why
            self._task.cancel()

    def over(self, kind: type[BaseException] | None) -> None:
        """It is over, as an exception of that kind says, or None.

        Raises:
            TimeoutError: What ended it, where nothing else did.
        """
        if self._why is not None:
            why = self.ended_by()
            if why is not None and (kind is None or kind is asyncio.CancelledError):
                raise TimeoutError(why) from None

    def ended_by(self) -> str | None:
        """What ended it, where that alone cancelled it: then the task is not cancelled any more."""
        why, self._why = self._why, None
        return why if why is not None and self._task.uncancel() <= self._cancelling else None
