"""The events and log records of a session: in order, and without a secret."""

import asyncio
import logging

import pytest

from backupify_async import (
    LimitChanged,
    RequestSent,
    ResponseReceived,
    RetryPolicy,
    RetryScheduled,
    Settings,
    Throttled,
    TokenRefreshed,
    Unauthorized,
)
from backupify_async._transport.session import Session
from backupify_async.events import Event, EventHook, emit
from tests.support.fake_transport import FakeTransport
from tests.support.scripted import DEMO, PING, Script, Step, after
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime


@pytest.fixture(autouse=True)
def longest_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", upper_bound)


async def events_of(
    *steps: Step, hook: EventHook | None = None, tokens: tuple[Step, ...] = ()
) -> list[Event]:
    """The events of one call, to which the server responds with these steps."""
    events: list[Event] = []
    transport = FakeTransport(Script(*steps, tokens=tokens), round_trip=0.25)
    settings = Settings(credentials=DEMO, base_url="http://127.0.0.1", retry=RetryPolicy(base=1))
    session = Session(settings, transport, hook or events.append)
    await session.open()
    try:
        await session.send(PING)
    finally:
        await session.close()
    return events


GET = ("GET", "/v1/ping")
POST = ("POST", "/oauth/token")
TOKEN = [RequestSent(*POST, 1), ResponseReceived(*POST, 1, 200, 0.25), TokenRefreshed(899)]
DONE = [RequestSent(*GET, 2), ResponseReceived(*GET, 2, 200, 0.25)]


class TestEvents:
    async def test_of_a_success(self) -> None:
        assert await events_of() == [*TOKEN, RequestSent(*GET, 1), ResponseReceived(*GET, 1, 200, 0.25)]

    async def test_of_a_retry(self) -> None:
        failed = [RequestSent(*GET, 1), ResponseReceived(*GET, 1, 500, 0.25)]
        scheduled = RetryScheduled(*GET, 1, 1.0, "GET /v1/ping answered 500")
        assert await events_of(500) == [*TOKEN, *failed, scheduled, *DONE]

    async def test_of_a_429(self) -> None:
        events = await events_of((429, after("5")))
        begin, (throttled, changed, scheduled) = events[3:5], events[5:8]
        assert begin == [RequestSent(*GET, 1), ResponseReceived(*GET, 1, 429, 0.25)]
        assert isinstance(throttled, Throttled)
        assert (throttled.method, throttled.path, throttled.retry_after) == (*GET, 5.0)
        assert isinstance(changed, LimitChanged)
        assert scheduled == RetryScheduled(*GET, 1, 5.0, "GET /v1/ping answered 429 (Retry-After: 5 s)")

    async def test_of_a_429_say_when_the_pause_ends(self) -> None:
        events = await events_of((429, after("5")))
        (offset,) = (event.paused_until.utcoffset() for event in events if isinstance(event, Throttled))
        assert offset is not None
        assert not offset

    async def test_of_a_call_that_is_sent_again_after_a_401(self) -> None:
        refused = [RequestSent(*GET, 1), ResponseReceived(*GET, 1, 401, 0.25)]
        assert await events_of(401) == [*TOKEN, *refused, *TOKEN, *DONE]

    async def test_of_a_retried_token_request(self) -> None:
        events = await events_of(tokens=(500,))
        assert events[:3] == [
            RequestSent(*POST, 1),
            ResponseReceived(*POST, 1, 500, 0.25),
            RetryScheduled(*POST, 1, 1.0, "POST /oauth/token answered 500"),
        ]

    async def test_hold_no_secret(self) -> None:
        events = await events_of(500, 429, 401, tokens=(500,))
        assert {type(event) for event in events} == {
            RequestSent,
            ResponseReceived,
            RetryScheduled,
            Throttled,
            LimitChanged,
            TokenRefreshed,
        }
        assert not [event for event in events if "s3cret" in repr(event) or "token-" in repr(event)]


class TestTheHook:
    async def test_that_raises_is_logged_and_harms_no_call(self, caplog: pytest.LogCaptureFixture) -> None:
        events = []

        def hook(event: Event) -> None:
            events.append(event)
            raise LookupError("a bug of the user's")

        await events_of(500, 429, hook=hook)
        records = [record for record in caplog.records if record.name == "backupify_async.events"]
        assert len(records) == len(events) > 8
        assert records[0].getMessage() == "the on_event hook raised at RequestSent"
        assert records[0].exc_info is not None

    async def test_that_raises_a_cancellation_is_not_ignored(self) -> None:
        def hook(event: Event) -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            emit(hook, TokenRefreshed(1.0))

    async def test_can_be_missing(self, caplog: pytest.LogCaptureFixture) -> None:
        emit(None, TokenRefreshed(1.0))
        assert caplog.records == []


async def test_the_log_holds_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unauthorized):
        await events_of(500, 429, *[401] * 99, tokens=(500, 429))
    ours = [record for record in caplog.records if record.name.startswith("backupify_async")]
    assert {record.name for record in ours} >= {"backupify_async.session", "backupify_async.auth"}
    assert not [
        record for record in ours if "s3cret" in record.getMessage() or "token-" in record.getMessage()
    ]
