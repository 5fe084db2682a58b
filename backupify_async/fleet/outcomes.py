"""What became of the keys of a fan-out: one `Outcome` each, or all of them as `Results`."""

from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


@attrs.frozen
class Outcome(Generic[K, T]):
    """What became of one key.

    Attributes:
        key: The key, as it came.
        value: What the function returned; None where it failed.
        error: What it raised; None where it succeeded.
        attempts: How many requests a `BackupifyClient` sent for it, pages and retries included.
        elapsed: Seconds from taking the key to the outcome, waiting for the rate limit included.
    """

    key: K
    value: T | None
    error: BaseException | None
    attempts: int
    elapsed: float

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.error is None


@attrs.frozen
class Results(Generic[K, T]):
    """What became of all keys. A key that came twice stands here with its later value and its later error.

    Attributes:
        values: What succeeded, by key.
        errors: What failed, by key.
    """

    values: dict[K, T]
    errors: dict[K, BaseException]

    def raise_errors(self) -> None:
        """Raise all errors together, if there are any.

        Raises:
            BaseExceptionGroup: One or more keys failed; an `ExceptionGroup`, unless one was cancelled.
        """
        if self.errors:
            raise BaseExceptionGroup(f"{len(self.errors)} keys failed", list(self.errors.values()))

    def add(self, outcome: Outcome[K, T]) -> None:
        """Put an outcome where it belongs."""
        if outcome.error is not None:
            self.errors[outcome.key] = outcome.error
        else:
            self.values[outcome.key] = outcome.value  # type: ignore[assignment] # it succeeded: it is a T
