"""tenacity's strategies for one call, and its loop, entered after a first attempt was made without it."""

import asyncio
from collections.abc import Awaitable, Callable

from tenacity import AsyncRetrying, RetryCallState

from backupify_async._transport.retry_rules import GiveUp, Retry, Verdict
from backupify_async._transport.transport import Response
from backupify_async.errors import BackupifyError


class RetryStrategies:
    """What tenacity asks about one call. Each strategy reads the verdict on the call's last failure.

    Args:
        judge: Gives the verdict on a failure, once for each.
        on_retry: Called with the verdict and the failure before each delay.
    """

    def __init__(
        self, judge: Callable[[BackupifyError], Verdict], on_retry: Callable[[Retry, BackupifyError], None]
    ) -> None:
        self._judge = judge
        self._on_retry = on_retry
        self.verdict: Verdict = GiveUp()

    def retry(self, state: RetryCallState) -> bool:
        """Whether the kind of failure permits a retry."""
        error = _failure(state)
        if error is None:
            return False
        self.verdict = self._judge(error)
        return isinstance(self.verdict, Retry) or (isinstance(self.verdict, GiveUp) and self.verdict.at_limit)

    def stop(self, _state: RetryCallState) -> bool:
        """Whether a limit of the policy is reached."""
        return isinstance(self.verdict, GiveUp)

    def wait(self, _state: RetryCallState) -> float:
        """Seconds until the next attempt."""
        return self.verdict.delay if isinstance(self.verdict, Retry) else 0.0

    def before_sleep(self, state: RetryCallState) -> None:
        """Pay for the retry, and report it."""
        error = _failure(state)
        if isinstance(self.verdict, Retry) and error is not None:
            self._on_retry(self.verdict, error)


def _failure(state: RetryCallState) -> BackupifyError | None:
    """The error of the last attempt; None for a success, and for anything else, such as a cancellation."""
    error = None if state.outcome is None else state.outcome.exception()
    return error if isinstance(error, BackupifyError) else None


async def retry_after_failure(
    retrying: AsyncRetrying, attempt: Callable[[], Awaitable[Response]], error: BackupifyError
) -> Response:
    """Run `await retrying(attempt)`, whose first attempt has already failed.

    Args:
        retrying: The strategies.
        attempt: Makes one attempt.
        error: How the first one failed.

    Raises:
        BackupifyError: The last failure.
    """
    retrying.begin()
    state = RetryCallState(retrying, attempt, (), {})
    state.set_exception((type(error), error, error.__traceback__))
    await retrying.iter(state)  # raises the failure, or sets how long to sleep
    await asyncio.sleep(state.upcoming_sleep)
    return await retrying(attempt)
