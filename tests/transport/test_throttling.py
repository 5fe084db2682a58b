"""Which responses refuse a call for now, which calls that concerns, and what a session does."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from backupify_async import PermissionDenied, RateLimited, RetryPolicy, ServerError
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.session import Session
from backupify_async._transport.throttling import (
    RateSignals,
    RecentResponses,
    Refusal,
    RefusalScope,
    Sending,
    asks_to_slow_down,
    concerns_all,
)
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import PING, TRIGGER, UNLIMITED, Script, Step, after, now

SPENT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}
THROTTLING = b'{"__type": "com.amazon#ThrottlingException", "message": "Rate exceeded"}'


def slows(
    status: int,
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    *,
    others_pass: bool = False,
) -> bool:
    signals = RateSignals(status, retry_after, headers or {}, body)
    return asks_to_slow_down(signals, 0.0, 120.0, others_pass=others_pass)


class TestWhatAsksToSlowDown:
    @pytest.mark.parametrize("status", [420, 429])
    def test_a_429_and_a_420_do(self, status: int) -> None:
        assert slows(status)

    @pytest.mark.parametrize("retry_after", [0.0, 5.0, 500.0])
    def test_a_503_with_retry_after_does(self, retry_after: float) -> None:
        assert slows(503, retry_after)

    def test_an_unexplained_503_does_while_others_pass(self) -> None:
        assert slows(503, others_pass=True)
        assert not slows(503, others_pass=False)

    def test_a_403_with_retry_after_or_a_spent_quota_does(self) -> None:
        assert slows(403, 60.0)
        assert slows(403, headers=SPENT)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "30"},
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "121"},
        ],
    )
    def test_any_other_403_does_not(self, headers: Mapping[str, str]) -> None:
        assert not slows(403, headers=headers, others_pass=True)

    @pytest.mark.parametrize(
        "body",
        [
            THROTTLING,
            b'{"code": "Throttling"}',
            b'{"Code": "TooManyRequests"}',
            b'{"__type": "TooManyRequestsException:http://internal.amazon.com/"}',
        ],
    )
    def test_a_400_whose_body_names_throttling_does(self, body: bytes) -> None:
        assert slows(400, body=body)

    @pytest.mark.parametrize(
        "body", [b"", b"Throttling", b'["Throttling"]', b'{"code": 7}', b'{"message": "Throttling"}']
    )
    def test_any_other_400_does_not(self, body: bytes) -> None:
        assert not slows(400, body=body, others_pass=True)

    @pytest.mark.parametrize("status", [401, 404, 409, 422, 500, 502, 504, 529])
    def test_no_other_status_does(self, status: int) -> None:
        assert not slows(status, 5.0, SPENT, THROTTLING, others_pass=True)

    @pytest.mark.parametrize(
        ("status", "retry_after", "all_hear"),
        [(503, None, True), (503, 120.0, True), (503, 121.0, False), (403, 121.0, False), (429, 121.0, True)],
    )
    def test_a_wait_over_the_cap_concerns_all_calls_only_with_a_429(
        self, status: int, retry_after: float | None, all_hear: bool
    ) -> None:
        assert concerns_all(RateSignals(status, retry_after, {}), 120.0) is all_hear


class TestWhetherOthersPass:
    def test_none_passes_before_the_first_one_was_accepted(self) -> None:
        assert not RecentResponses(120.0).others_pass(0.0)

    @pytest.mark.parametrize(("sent_time", "accepted", "well"), [(5, 6, True), (5, 4, True), (5, 3.9, False)])
    def test_an_accepted_call_counts_that_was_sent_later_or_hardly_before(
        self, sent_time: float, accepted: float, well: bool
    ) -> None:
        recent = RecentResponses(120.0)
        recent.accepted(accepted)
        assert recent.others_pass(sent_time) is well

    def test_responses_can_come_in_any_order(self) -> None:
        recent = RecentResponses(120.0)
        recent.accepted(9)
        recent.accepted(1)
        assert recent.others_pass(9)


class TestWhoseRefusalItIs:
    @staticmethod
    def heard(passed: list[float], refused: list[float]) -> RecentResponses:
        recent = RecentResponses(120.0)
        for left in passed:
            recent.accepted(left)
        for left in refused:
            recent.refused(left, "another")
        return recent

    @pytest.mark.parametrize(
        ("passed", "refused", "own"),
        [
            ([6, 7, 8], [], True),
            ([6, 7], [], False),  # too few
            ([4, 5, 6], [], False),  # under way already when the call was refused
            ([6, 7, 8], [4], True),
            ([6, 7, 8], [6], False),  # others are refused as well
            ([*range(6, 16)], [6], True),  # and may have a reason of their own
        ],
    )
    def test_a_refusal_is_the_call_s_own_where_it_is_refused_again_and_others_pass(
        self, passed: list[float], refused: list[float], own: bool
    ) -> None:
        assert self.heard(passed, refused).is_own(5, "this") is own

    def test_the_call_s_own_refusals_say_nothing_of_others(self) -> None:
        recent = self.heard([6, 7, 8], [6])
        assert recent.is_own(5, "another")

    def test_old_responses_are_forgotten(self) -> None:
        assert self.heard([], [6]).is_own(5, "this") is False
        recent = self.heard([], [6])
        for left in range(7, 7 + 64):
            recent.accepted(left)
        assert recent.is_own(5, "this")


def instance(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}/backups/active", instance_id=number)


def poisoned(numbers: set[str], status: int) -> Callable[[PreparedRequest], Response]:
    """Respond with 200, but for some instances always with this status."""
    return lambda request: respond(request, status if request.url.parts[3] in numbers else 200)


def classify(
    status: int,
    retry_after: float | None = None,
    *,
    recent: RecentResponses | None = None,
    refused_since: float | None = None,
    repeatable: bool = True,
    passed_gate: bool = True,
) -> Refusal | None:
    """The verdict on a response, which came to a request that was sent at 5."""
    signals = RateSignals(status, retry_after, {})
    sending = Sending("this", 5, refused_since, repeatable, passed_gate)
    return (recent or RecentResponses(120.0)).classify(signals, sending, 0.0)


def with_accepted(*sent_times: float) -> RecentResponses:
    recent = RecentResponses(120.0)
    for sent_time in sent_times:
        recent.accepted(sent_time)
    return recent


class TestTheVerdict:
    @pytest.mark.parametrize("status", [200, 404, 500, 503])
    def test_a_response_that_does_not_ask_to_slow_down_is_no_refusal(self, status: int) -> None:
        assert classify(status) is None

    @pytest.mark.parametrize("status", [429, 420])
    def test_a_429_or_420_concerns_all_calls_and_says_how_long_it_asks_to_wait(self, status: int) -> None:
        assert classify(status, 7.0) == Refusal(status, 7.0)

    def test_a_wait_over_the_cap_is_marked_once_for_limiter_and_retry(self) -> None:
        assert classify(429, 120.0) == Refusal(429, 120.0)
        assert classify(429, 120.5) == Refusal(429, 120.5, over_cap=True)

    def test_a_503_over_the_cap_pauses_no_other_call(self) -> None:
        assert classify(503, 121.0) == Refusal(503, 121.0, RefusalScope.UNCLEAR, over_cap=True)

    def test_a_single_unexplained_503_while_others_pass_pauses_no_other_call(self) -> None:
        assert classify(503, recent=with_accepted(5)) == Refusal(503, None, RefusalScope.UNCLEAR)

    def test_an_unexplained_503_counts_as_a_failure_of_a_request_that_is_not_repeatable(self) -> None:
        refusal = classify(503, recent=with_accepted(5), repeatable=False)
        assert refusal == Refusal(503, None, RefusalScope.UNCLEAR, counts=True)

    def test_a_call_that_is_refused_again_while_others_pass_backs_off_by_itself(self) -> None:
        refusal = classify(429, 3.0, recent=with_accepted(2, 3, 4), refused_since=1)
        assert refusal == Refusal(429, 3.0, RefusalScope.OWN, backs_off=True)

    def test_an_unexplained_503_of_that_call_alone_counts_as_a_failure(self) -> None:
        refusal = classify(503, recent=with_accepted(2, 3, 4), refused_since=1)
        assert refusal == Refusal(503, None, RefusalScope.OWN, counts=True, backs_off=True)

    def test_a_token_request_backs_off_by_itself_and_yet_concerns_all_calls(self) -> None:
        recent = with_accepted(2, 3, 4)
        assert classify(429, recent=recent, refused_since=1, passed_gate=False) == Refusal(
            429, backs_off=True
        )

    def test_four_unexplained_503s_in_a_row_show_a_limit_for_all_calls(self) -> None:
        recent = with_accepted(5)
        scopes = [refusal and refusal.scope for refusal in (classify(503, recent=recent) for _ in range(4))]
        assert scopes == [*[RefusalScope.UNCLEAR] * 3, RefusalScope.ALL_CALLS]


@pytest.mark.looptime
class TestASession:
    async def passes(self, session: Session) -> None:
        assert (await session.send(PING)).status == 200

    @pytest.mark.parametrize(
        "step", [503, 420, (403, after("0")), (403, {"RateLimit-Remaining": "0", "RateLimit-Reset": "1"})]
    )
    async def test_a_refusal_costs_neither_an_attempt_nor_budget(self, step: Step) -> None:
        transport = FakeTransport(Script(200, step))
        retry = RetryPolicy(attempts=1, budget=0)
        async with session_over(transport, rate_limit=UNLIMITED, retry=retry) as session:
            await self.passes(session)
            await self.passes(session)
            told = step != 503  # a single one is no limit: only several at once are told to everybody
            assert (session.statistics().refused, session.statistics().retried) == (told, 0)

    @pytest.mark.parametrize("asked", [PING, TRIGGER])
    async def test_a_400_that_names_throttling_is_a_refusal_where_the_request_is_repeatable(
        self, asked: Request
    ) -> None:
        responses = [(400, THROTTLING), (200, b"{}")]

        def server(request: PreparedRequest) -> Response:
            return respond(request, *responses.pop(0))

        async with session_over(FakeTransport(server)) as session:
            result = await asyncio.gather(session.send(asked), return_exceptions=True)
        assert isinstance(result[0], Response) is asked.repeatable

    @pytest.mark.parametrize("step", [(503, after("1")), 420, (420, after("1"))])
    async def test_a_trigger_that_met_a_503_or_a_420_is_in_doubt_and_the_limiter_learns_of_it(
        self, step: Step
    ) -> None:
        transport = FakeTransport(Script(200, step))
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            await self.passes(session)
            with pytest.raises(DeliveryUnknown):
                await session.send(TRIGGER)
            assert session.statistics().refused == 1
            assert session.statistics().paused_until is not None
        assert len(transport.sent) == 2

    async def test_a_trigger_that_met_a_403_with_retry_after_waits_and_is_sent_again(self) -> None:
        transport = FakeTransport(Script((403, after("7"))))
        async with session_over(transport) as session:
            assert (await session.send(TRIGGER)).status == 200
        assert transport.times == [0, 7]

    async def test_a_403_over_the_cap_is_raised_and_names_the_cap(self) -> None:
        transport = FakeTransport(Script((403, after("121"))))
        async with session_over(transport) as session:
            with pytest.raises(PermissionDenied, match=r"Retry-After 121 s is over max_retry_after=120 s"):
                await session.send(PING)
            await self.passes(session)
        assert transport.times == [0, 0]

    async def test_a_503_where_no_call_passes_is_a_failure(self) -> None:
        transport = FakeTransport(Script(*[503] * 4))
        async with session_over(transport) as session:
            with pytest.raises(ServerError, match="sent 4 times"):
                await session.send(PING)
            assert session.statistics().refused == 0

    async def test_an_instance_that_is_refused_for_its_own_reason_stops_no_other(self) -> None:
        transport = FakeTransport(poisoned({"3", "7"}, 429), round_trip=0.05)
        async with session_over(transport, retry=RetryPolicy(max_throttled=60)) as session:
            calls = [asyncio.create_task(session.send(instance(one))) for one in range(100)]
            await asyncio.sleep(20)
            assert [one for one, call in enumerate(calls) if not call.done()] == [3, 7]
            assert session.statistics().paused_until is None
            results = await asyncio.gather(*calls, return_exceptions=True)
        assert [one for one, result in enumerate(results) if isinstance(result, RateLimited)] == [3, 7]

    async def test_an_instance_that_answers_503_while_others_pass_fails_with_its_attempts(self) -> None:
        transport = FakeTransport(poisoned({"3"}, 503), round_trip=0.05)
        async with session_over(transport) as session:
            calls = [asyncio.create_task(session.send(instance(one))) for one in range(100)]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert now() < 60
        errors = [result for result in results if not isinstance(result, Response)]
        assert [str(error).partition("gave up: ")[2] for error in errors] == ["sent 4 times"]

    async def test_a_call_is_not_sent_again_before_its_own_retry_after_while_others_go(self) -> None:
        # The limiter finds out that such a Retry-After says nothing: a slot of this server comes every 10 ms.
        script = Script(*[200] * 9, (429, after("1")))
        transport = FakeTransport(script, round_trip=0.001)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            for one in range(9):
                await session.send(instance(one))
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
            responses = await asyncio.gather(*(session.send(instance(one)) for one in range(300)))
            assert session.statistics().retried < 5  # by chance a call is refused twice while others pass
        assert {response.status for response in responses} == {200}


class TestAnUnexplained503:
    @staticmethod
    def hear(recent: RecentResponses, responses: int, every: int) -> None:
        """Answers, of which one in `every` is a 503."""
        for number in range(1, responses + 1):
            if number % every:
                recent.accepted(float(number))
            else:
                recent.refused(float(number), object(), unexplained=True)

    @pytest.mark.parametrize(("refused", "limit"), [(1, False), (3, False), (4, True), (10, True)])
    def test_it_shows_a_limit_where_several_of_the_latest_ten_responses_were_refusals(
        self, refused: int, limit: bool
    ) -> None:
        recent = RecentResponses(120.0)
        self.hear(recent, 20, every=100)
        self.hear(recent, refused, every=1)
        assert recent.shows_a_limit is limit

    @pytest.mark.parametrize(("every", "limit"), [(6, True), (8, False)])
    def test_it_shows_a_limit_where_many_responses_were_503(self, every: int, limit: bool) -> None:
        recent = RecentResponses(120.0)
        self.hear(recent, 64, every)
        assert recent.shows_a_limit is limit

    def test_it_still_shows_a_limit_where_slowing_down_helps(self) -> None:
        recent = RecentResponses(120.0)
        self.hear(recent, 64, every=1)
        self.hear(recent, 2_000, every=100)
        assert recent.shows_a_limit

    def test_it_comes_from_a_backend_where_slowing_down_does_not_help(self) -> None:
        recent = RecentResponses(120.0)
        self.hear(recent, 64, every=5)
        self.hear(recent, 400, every=20)
        assert not recent.shows_a_limit
