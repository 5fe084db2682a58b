"""What an exception of a user's transport or limiter means for the call."""

import asyncio
import contextlib
import math

import pytest

from backupify_async import (
    AmbiguousRequest,
    AmbiguousTrigger,
    BackupifyClient,
    DecodeError,
    Reconciliation,
    RetryPolicy,
    StaticToken,
    Timeouts,
    TransportError,
)
from backupify_async._transport.rate import Estimate, Observation, Ticket
from backupify_async._transport.request import DeliveryUnknown
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.statistics import LimitSource
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, PING, TRIGGER, UNLIMITED, Script

pytestmark = pytest.mark.looptime

TOKEN = "a-token-of-some-length"
ONCE = RetryPolicy(attempts=1)


async def raise_cancelled(_: PreparedRequest) -> Response:
    raise asyncio.CancelledError("a part of the transport was cancelled")


class FailingTransport(FakeTransport):
    """Raises this error for each request."""

    def __init__(self, error: BaseException, cause: BaseException | None = None) -> None:
        super().__init__(Script())
        self.error, self.cause = error, cause

    async def __call__(self, request: PreparedRequest) -> Response:
        raise self.error from self.cause


class FailingLimiter:
    """Sets no limit, and fails to learn from the response to a POST."""

    paused_until = blocked_until = -math.inf

    def earliest(self, at: float, _in_flight: int) -> float:
        return at

    def on_send(self, at: float) -> Ticket:
        return Ticket(at)

    def on_cancel(self, at: float, ticket: Ticket) -> None: ...

    def on_no_response(self, at: float, ticket: Ticket) -> None: ...

    def on_response(self, _ticket: Ticket, observation: Observation) -> None:
        if observation.status == 201:
            raise RuntimeError("the limiter's store is down")

    def estimate(self, _at: float) -> Estimate:
        return Estimate(LimitSource.NONE)


class TestACancelledErrorThatTheCallerDidNotCause:
    async def test_is_a_transport_error_and_is_retried(self) -> None:
        transport = FakeTransport(Script())
        transport.slow = raise_cancelled
        async with session_over(transport) as session:
            assert (await session.send(PING)).status == 200
        assert len(transport.sent) == 2

    async def test_names_where_it_was_raised(self) -> None:
        transport = FakeTransport(Script())
        transport.slow = raise_cancelled
        async with session_over(transport, retry=ONCE) as session:
            with pytest.raises(
                TransportError, match=r"CancelledError was raised in test_transport_exc.*line"
            ):
                await session.send(PING)

    async def test_is_retried_in_a_task_that_cleans_up_after_its_own_cancellation(self) -> None:
        transport = FakeTransport(Script())
        transport.slow = raise_cancelled
        async with session_over(transport) as session:

            async def clean_up() -> int:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(1000)
                return (await session.send(PING)).status

            task = asyncio.create_task(clean_up())
            await asyncio.sleep(1)
            task.cancel()
            assert await task == 200

    async def test_leaves_a_trigger_in_doubt(self) -> None:
        transport = FakeTransport(Script())
        transport.slow = raise_cancelled
        async with session_over(transport) as session:
            with pytest.raises(DeliveryUnknown):
                await session.send(TRIGGER)
        assert len(transport.sent) == 1

    async def test_during_a_token_request_does_not_cancel_the_calls_that_wait_for_it(self) -> None:
        transport = FakeTransport(Script())
        transport.slow = raise_cancelled
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            responses = await asyncio.gather(*[session.send(PING) for _ in range(5)])
        assert {response.status for response in responses} == {200}


class TestACancellationByTheCaller:
    async def test_is_raised(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=5)) as session:
            task = asyncio.create_task(session.send(PING))
            await asyncio.sleep(1)
            task.cancel()
            await asyncio.wait([task])
        assert task.cancelled()

    async def test_by_the_total_time_out_is_a_request_timeout(self) -> None:
        async with session_over(FakeTransport(Script(), round_trip=5), timeouts=Timeouts(total=1)) as session:
            with pytest.raises(TransportError, match="total=1 s"):
                await session.send(PING)


class TestAnErrorFromTheTransportThatQuotesTheToken:
    @pytest.mark.parametrize(
        "error",
        [
            TransportError(f"refused: Authorization: Bearer {TOKEN}"),
            TransportError("refused", gave_up=f"{TOKEN} is bad"),
            DecodeError("not JSON", "/v1/ping", excerpt=f"you sent {TOKEN}"),
        ],
    )
    async def test_is_raised_without_the_token(self, error: TransportError) -> None:
        transport = FailingTransport(error)
        async with session_over(transport, credentials=StaticToken(TOKEN), retry=ONCE) as session:
            with pytest.raises(type(error)) as caught:
                await session.send(PING)
        assert TOKEN not in f"{caught.value} {caught.value.args} {vars(caught.value)}"
        assert "[secret]" in f"{caught.value} {vars(caught.value)}"

    async def test_loses_a_cause_that_quotes_the_token(self) -> None:
        transport = FailingTransport(TransportError("broken"), ValueError(f"Bearer {TOKEN}"))
        async with session_over(transport, credentials=StaticToken(TOKEN), retry=ONCE) as session:
            with pytest.raises(TransportError, match="broken") as caught:
                await session.send(PING)
        assert caught.value.__cause__ is None

    async def test_loses_a_group_of_causes_one_of_which_quotes_the_token(self) -> None:
        first = ValueError("no route")
        first.__cause__ = KeyError(TOKEN)
        transport = FailingTransport(TransportError("broken"), ExceptionGroup("two ways", [first]))
        async with session_over(transport, credentials=StaticToken(TOKEN), retry=ONCE) as session:
            with pytest.raises(TransportError, match="broken") as caught:
                await session.send(PING)
        assert caught.value.__cause__ is None

    async def test_loses_a_cause_that_cannot_be_printed(self) -> None:
        class Unprintable(Exception):
            def __str__(self) -> str:
                raise RuntimeError("not ready")

        transport = FailingTransport(TransportError("broken"), Unprintable())
        async with session_over(transport, credentials=StaticToken(TOKEN), retry=ONCE) as session:
            with pytest.raises(TransportError, match="broken") as caught:
                await session.send(PING)
        assert caught.value.__cause__ is None

    async def test_is_raised_without_the_token_in_a_field_that_the_message_does_not_show(self) -> None:
        class Refused(TransportError):
            def __init__(self) -> None:
                super().__init__("refused")
                self.headers = {"Authorization": f"Bearer {TOKEN}"}
                self.raw = (401, f"Bearer {TOKEN}".encode())
                self.add_note(f"Bearer {TOKEN}")

        transport = FailingTransport(Refused())
        async with session_over(transport, credentials=StaticToken(TOKEN), retry=ONCE) as session:
            with pytest.raises(Refused) as caught:
                await session.send(PING)
        assert caught.value.headers == {"Authorization": "Bearer [secret]"}
        assert caught.value.raw == (401, b"Bearer [secret]")
        assert caught.value.__notes__ == ["Bearer [secret]"]

    async def test_keeps_a_cause_that_does_not_quote_the_token(self) -> None:
        cause = ValueError("the peer closed")
        transport = FailingTransport(TransportError("broken"), cause)
        async with session_over(transport, credentials=StaticToken(TOKEN), retry=ONCE) as session:
            with pytest.raises(TransportError, match="broken") as caught:
                await session.send(PING)
        assert caught.value.__cause__ is cause


class TestALimiterThatRaisesAfterTheRequestWasSent:
    async def test_leaves_a_request_that_is_not_repeatable_in_doubt(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 201, {"id": 1}))
        client = BackupifyClient(StaticToken(TOKEN), transport=transport, limiter=FailingLimiter())
        async with client:
            with pytest.raises(
                AmbiguousRequest, match="RuntimeError was raised in test_transport_exceptions"
            ):
                await client.request("POST", "/v1/customers", form={"name": "a"})
        assert len(transport.sent) == 1

    async def test_leaves_a_trigger_in_doubt_that_the_server_accepted(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 201 if request.method == "POST" else 404))
        settled = Reconciliation(settling=1, patience=1)
        client = BackupifyClient(
            StaticToken(TOKEN), transport=transport, limiter=FailingLimiter(), reconciliation=settled
        )
        async with client:
            with pytest.raises(AmbiguousTrigger) as caught:
                await client.backups.trigger(1)
        assert caught.value.trigger.accepted
        assert [request.method for _, request in transport.sent].count("POST") == 1

    async def test_is_raised_for_a_repeatable_request(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 201))
        async with session_over(transport, limiter=FailingLimiter()) as session:
            with pytest.raises(RuntimeError, match="store is down"):
                await session.send(PING)
