"""Validation of settings and arguments: attrs validators and plain checks. The messages name the value."""

import inspect
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
        check_is_a(attribute.name, value, kind)

    return check


def check_is_a(name: str, value: object, kind: type) -> None:
    """Require an instance of a class.

    Raises:
        ConfigurationError: It is something else.
    """
    if not isinstance(value, kind):
        raise ConfigurationError(f"{name}: must be a {kind.__name__}(...), not {value!r}")


def boolean(_instance: object, attribute: "attrs.Attribute[bool]", value: object) -> None:
    """Validate True or False: "false" in a variable would count as true."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{attribute.name}: must be True or False, not {value!r}")


def hook_or_none(_instance: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Validate a function that is called and not awaited, or None."""
    name = attribute.name
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name}: must be a function of one event, not {value!r}")
    if inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(getattr(value, "__call__", None)):  # noqa: B004
        raise ConfigurationError(f"{name}: must not be a coroutine function, which would not be awaited")


def check_part(name: str, part: object, needed: tuple[str, ...], advice: str) -> None:
    """Require a part of the user's that can do what its protocol says.

    Args:
        name: The name of the argument.
        part: The part.
        needed: The members that it needs, the methods with parentheses.
        advice: What to do, at the end of the message.

    Raises:
        ConfigurationError: It is a class, or a member is missing; the message names all that are missing.
    """
    if isinstance(part, type):
        raise ConfigurationError(f"{name}: is the class {part.__name__}: give an instance of it")
    missing = [member for member in needed if not _has(part, member)]
    if missing:
        raise ConfigurationError(f"{name}: {type(part).__name__} has no {', '.join(missing)}: {advice}")


def _has(part: object, member: str) -> bool:
    if member.endswith("()"):
        return callable(getattr(part, member[:-2], None))
    return hasattr(type(part), member) or hasattr(part, member)  # a property may need a running loop
