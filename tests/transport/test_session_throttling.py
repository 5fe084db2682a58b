"""What a session does with responses that refuse a call for now, in virtual time."""

import asyncio
from collections.abc import Callable

import pytest

from backupify_async import PermissionDenied, RateLimited, RetryPolicy, ServerError
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import PING, TRIGGER, UNLIMITED, Script, Step, after, now

THROTTLING = b'{"__type": "com.amazon#ThrottlingException", "message": "Rate exceeded"}'


def get_active(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}/backups/active", instance_id=number)


def refusing_some(numbers: set[str], status: int) -> Callable[[PreparedRequest], Response]:
    """Respond with this status to calls for these instances, and with 200 to all others."""
    return lambda request: respond(request, status if request.url.parts[3] in numbers else 200)


@pytest.mark.looptime
class TestASession:
    async def send(self, session: Session) -> None:
        assert (await session.send(PING)).status == 200

    @pytest.mark.parametrize(
        "step", [503, 420, (403, after("0")), (403, {"RateLimit-Remaining": "0", "RateLimit-Reset": "1"})]
    )
    async def test_a_refusal_costs_neither_an_attempt_nor_budget(self, step: Step) -> None:
        transport = FakeTransport(Script(200, step))
        retry = RetryPolicy(attempts=1, budget=0)
        async with session_over(transport, rate_limit=UNLIMITED, retry=retry) as session:
            await self.send(session)
            await self.send(session)
            concerns_all = step != 503  # a single one shows no limit
            assert (session.statistics().refused, session.statistics().retried) == (concerns_all, 0)

    @pytest.mark.parametrize("sent", [PING, TRIGGER])
    async def test_a_400_that_names_throttling_is_a_refusal_if_the_request_is_repeatable(
        self, sent: Request
    ) -> None:
        responses = [(400, THROTTLING), (200, b"{}")]

        def server(request: PreparedRequest) -> Response:
            return respond(request, *responses.pop(0))

        async with session_over(FakeTransport(server)) as session:
            result = await asyncio.gather(session.send(sent), return_exceptions=True)
        assert isinstance(result[0], Response) is sent.repeatable

    @pytest.mark.parametrize("step", [(503, after("1")), 420, (420, after("1"))])
    async def test_a_trigger_that_got_a_503_or_a_420_is_in_doubt_and_the_limiter_learns_of_it(
        self, step: Step
    ) -> None:
        transport = FakeTransport(Script(200, step))
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            await self.send(session)
            with pytest.raises(DeliveryUnknown):
                await session.send(TRIGGER)
            assert session.statistics().refused == 1
            assert session.statistics().paused_until is not None
        assert len(transport.sent) == 2

    async def test_a_trigger_that_got_a_403_with_retry_after_waits_and_is_sent_again(self) -> None:
        transport = FakeTransport(Script((403, after("7"))))
        async with session_over(transport) as session:
            assert (await session.send(TRIGGER)).status == 200
        assert transport.times == [0, 7]

    async def test_a_403_over_the_cap_is_raised_and_names_the_cap(self) -> None:
        transport = FakeTransport(Script((403, after("121"))))
        async with session_over(transport) as session:
            with pytest.raises(PermissionDenied, match=r"Retry-After 121 s is over max_retry_after=120 s"):
                await session.send(PING)
            await self.send(session)
        assert transport.times == [0, 0]

    async def test_a_503_while_no_call_is_accepted_is_a_failure(self) -> None:
        transport = FakeTransport(Script(*[503] * 4))
        async with session_over(transport) as session:
            with pytest.raises(ServerError, match="sent 4 times"):
                await session.send(PING)
            assert session.statistics().refused == 0

    async def test_an_instance_that_is_always_refused_stops_no_other(self) -> None:
        transport = FakeTransport(refusing_some({"3", "7"}, 429), round_trip=0.05)
        async with session_over(transport, retry=RetryPolicy(max_throttled=60)) as session:
            calls = [asyncio.create_task(session.send(get_active(one))) for one in range(100)]
            await asyncio.sleep(20)
            assert [one for one, call in enumerate(calls) if not call.done()] == [3, 7]
            assert session.statistics().paused_until is None
            results = await asyncio.gather(*calls, return_exceptions=True)
        assert [one for one, result in enumerate(results) if isinstance(result, RateLimited)] == [3, 7]

    async def test_an_instance_that_gets_503_while_others_are_accepted_fails_after_all_attempts(self) -> None:
        transport = FakeTransport(refusing_some({"3"}, 503), round_trip=0.05)
        async with session_over(transport) as session:
            calls = [asyncio.create_task(session.send(get_active(one))) for one in range(100)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert now() < 60
        errors = [result for result in results if not isinstance(result, Response)]
        assert [str(error).partition("gave up: ")[2] for error in errors] == ["sent 4 times"]

    async def test_a_call_is_not_sent_again_before_its_own_retry_after_while_others_are_sent(self) -> None:
        # The limiter learns that this Retry-After means nothing: this server has a slot every 10 ms.
        script = Script(*[200] * 9, (429, after("1")))
        transport = FakeTransport(script, round_trip=0.001)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            for one in range(9):
                await session.send(get_active(one))
            refused = asyncio.create_task(session.send(PING))
            await asyncio.sleep(0.5)
            assert session.statistics().waiting == 0
            await refused
        assert transport.times[-1] - transport.times[-2] == pytest.approx(1.001)

    async def test_a_proxy_that_throttles_with_503_fails_no_call(self) -> None:
        tokens = [20.0, 0.0]  # a bucket of 20, filled at 50 a second

        def server(request: PreparedRequest) -> Response:
            now = asyncio.get_running_loop().time()
            tokens[:] = [min(20.0, tokens[0] + 50 * (now - tokens[1])), now]
            if tokens[0] < 1:
                return respond(request, 503)
            tokens[0] -= 1
            return respond(request)

        transport = FakeTransport(server, round_trip=0.02)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            responses = await asyncio.gather(*(session.send(get_active(one)) for one in range(300)))
            assert (
                session.statistics().retried < 5
            )  # by chance a call is refused twice while others are accepted
        assert {response.status for response in responses} == {200}
