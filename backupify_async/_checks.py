"""Validation of settings and arguments: attrs validators and plain checks. The messages name the value."""

import math
from collections.abc import Callable
from typing import Any

import attrs

from backupify_async.errors import ConfigurationError


def check_count(name: str, value: object, minimum: int = 1) -> None:
    """Require an integer of at least `minimum`.

    Raises:
        ValueError: It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}, not {value!r}")


def positive_integer(_instance: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    """Validate an integer of at least 1."""
    check_count(attribute.name, value)


def not_negative_integer(_instance: object, attribute: "attrs.Attribute[int]", value: int) -> None:
    """Validate an integer of at least 0."""
    check_count(attribute.name, value, minimum=0)


def _is_finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def check_positive(name: str, value: float) -> None:
    """Require a finite number greater than 0.

    Raises:
        ValueError: It is something else.
    """
    if not _is_finite(value) or value <= 0:
        raise ValueError(f"{name} must be a finite number greater than 0, not {value!r}")


def check_not_negative(name: str, value: float) -> None:
    """Require a finite number of at least 0.

    Raises:
        ValueError: It is something else.
    """
    if not _is_finite(value) or value < 0:
        raise ValueError(f"{name} must be a finite number of at least 0, not {value!r}")


def positive(_instance: object, attribute: "attrs.Attribute[Any]", value: float) -> None:
    """Validate a finite number greater than 0."""
    check_positive(attribute.name, value)


def not_negative(_instance: object, attribute: "attrs.Attribute[float]", value: float) -> None:
    """Validate a finite number of at least 0."""
    check_not_negative(attribute.name, value)


def positive_or_none(instance: object, attribute: "attrs.Attribute[Any]", value: float | None) -> None:
    """Validate a finite number greater than 0, or None."""
    if value is not None:
        positive(instance, attribute, value)


def is_a(kind: type) -> Callable[[object, "attrs.Attribute[Any]", object], None]:
    """A validator for instances of a class."""

    def check(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, kind):
            raise ConfigurationError(f"{attribute.name}: must be a {kind.__name__}(...), not {value!r}")

    return check
