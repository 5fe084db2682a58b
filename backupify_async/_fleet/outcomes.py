"""What became of the keys of a fan-out: one `Outcome` each, or all of them as `Results`.

An outcome is a `Success` or a `Failure`: two classes, so that a type checker knows the value of the one and
the error of the other. Both have the fields of both, so that whoever prints them need not ask.
"""

from collections.abc import Hashable
from typing import Any, ClassVar, Generic, Literal, TypeVar

import attrs

from backupify_async._plain import Plain, plain_fields

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")


class _Either(Plain):
    """What both have."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """`key`, `ok`, `value`, `error`, `attempts` and `elapsed`, as plain JSON types."""
        return plain_fields(self, ("key", "ok", "value", "error", "attempts", "elapsed"))


@attrs.frozen
class Success(_Either, Generic[K, T]):
    """What became of a key for which the function returned.

    Attributes:
        ok: True.
        key: The key, as it came.
        value: What the function returned.
        error: None.
        attempts: How many requests a `BackupifyClient` sent for it, pages and retries included.
        elapsed: Seconds from taking the key to the outcome, waiting for the rate limit included.
    """

    ok: ClassVar[Literal[True]] = True
    error: ClassVar[None] = None
    key: K
    value: T
    attempts: int
    elapsed: float


@attrs.frozen
class Failure(_Either, Generic[K]):
    """What became of a key for which the function raised.

    Attributes:
        ok: False.
        key: The key, as it came.
        value: None.
        error: What the function raised.
        attempts: How many requests a `BackupifyClient` sent for it, pages and retries included.
        elapsed: Seconds from taking the key to the outcome, waiting for the rate limit included.
    """

    ok: ClassVar[Literal[False]] = False
    value: ClassVar[None] = None
    key: K
    error: BaseException
    attempts: int
    elapsed: float


Outcome = Success[K, T] | Failure[K]
"""What became of one key: `outcome.ok` tells which."""


@attrs.frozen
class Results(Plain, Generic[K, T]):
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
        if outcome.ok:
            self.values[outcome.key] = outcome.value
        else:
            self.errors[outcome.key] = outcome.error
