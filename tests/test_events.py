"""Events are frozen values, and an error of a hook is logged."""

from datetime import UTC, datetime

import attrs
import pytest

from backupify_async import (
    LimitChanged,
    LimitSource,
    RequestSent,
    ResponseReceived,
    RetryScheduled,
    SharedStoreAway,
    SharedStoreBack,
    SpeedReason,
    Throttled,
    TokenRefreshed,
)
from backupify_async.events import Event, emit

EVENTS: list[Event] = [
    RequestSent("GET", "/x", 1),
    ResponseReceived("GET", "/x", 1, 200, 0.1),
    RetryScheduled("GET", "/x", 1, 0.5, "lost"),
    Throttled("GET", "/x", None, datetime.now(UTC), LimitSource.HISTORY, 10.0),
    LimitChanged(LimitSource.HISTORY, 10.0, SpeedReason.AT_LIMIT, None),
    TokenRefreshed(None),
    SharedStoreAway("the Redis server does not respond"),
    SharedStoreBack(6.0),
]
each = pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)


@each
def test_an_event_is_frozen(event: Event) -> None:
    name = attrs.fields(type(event))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(event, name, None)


@each
def test_an_event_is_a_value(event: Event) -> None:
    assert event == attrs.evolve(event)
    assert hash(event) == hash(attrs.evolve(event))


@each
def test_a_hook_gets_the_event(event: Event) -> None:
    received: list[Event] = []
    emit(received.append, event)
    assert received == [event]


@each
def test_a_hook_that_raises_is_logged_by_the_events_name(
    event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    def hook(_: Event) -> None:
        raise RuntimeError("broken")

    emit(hook, event)
    (record,) = caplog.records
    assert record.getMessage() == f"the on_event hook raised at {type(event).__name__}"
    assert record.levelname == "ERROR"


def test_a_hook_is_optional(caplog: pytest.LogCaptureFixture) -> None:
    emit(None, EVENTS[0])
    assert caplog.records == []
