"""The outcomes of a fan-out: an `Outcome` for each key, or `Results` for all of them.

An outcome is a `Success` or a `Failure`: two classes, so that a type checker knows that there is a value or
an error. Both have the fields of both, so that code that prints them need not distinguish them.
"""

from collections.abc import Hashable
from typing import Any, ClassVar, Generic, Literal, TypeVar

import attrs

from backupify_async._json_types import ToDict, fields_to_dict

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Either(ToDict):
    """What `Success` and `Failure` have in common."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """`key`, `ok`, `value`, `error`, `attempts` and `elapsed`, as plain JSON types."""
        return fields_to_dict(self, ("key", "ok", "value", "error", "attempts", "elapsed"))


@attrs.frozen
class Success(_Either, Generic[K, T]):
    """The outcome of a key for which the function returned.

    Attributes:
        ok: True.
        key: The key as it was read.
        value: What the function returned.
        error: None.
        attempts: How many requests a `BackupifyClient` sent for it, including pages and retries.
        elapsed: Seconds from taking the key to the outcome, including waits for the rate limit.
    """

    ok: ClassVar[Literal[True]] = True
    error: ClassVar[None] = None
    key: K
    value: T
    attempts: int
    elapsed: float


@attrs.frozen
class Failure(_Either, Generic[K]):
    """The outcome of a key for which the function raised.

    Attributes:
        ok: False.
        key: The key as it was read.
        value: None.
        error: What the function raised.
        attempts: How many requests a `BackupifyClient` sent for it, including pages and retries.
        elapsed: Seconds from taking the key to the outcome, including waits for the rate limit.
    """

    ok: ClassVar[Literal[False]] = False
    value: ClassVar[None] = None
    key: K
    error: BaseException
    attempts: int
    elapsed: float


Outcome = Success[K, T] | Failure[K]
"""The outcome of one key: `outcome.ok` says whether it is a `Success`."""


@attrs.frozen
class Results(ToDict, Generic[K, T]):
    """The outcomes of all keys. A key that came twice has its later value and its later error.

    Attributes:
        values: The values, by key.
        errors: The errors, by key.
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
        """Add the value or the error of an outcome."""
        if outcome.ok:
            self.values[outcome.key] = outcome.value
        else:
            self.errors[outcome.key] = outcome.error
