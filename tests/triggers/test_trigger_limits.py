"""What ends a trigger early: attempts, the retry budget, `total`, close and cancellation."""

import asyncio

import pytest

from backupify_async import (
    AmbiguousTrigger,
    APIError,
    ClientClosed,
    NotFound,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    Timeouts,
    TransportError,
)
from tests.support.virtual_instance import (
    LOST_AFTER,
    LOST_BEFORE,
    Post,
    VirtualInstance,
    running_time,
    triggering,
)
from tests.triggers.runs import ADOPTED, backup_id, posts, run

pytestmark = pytest.mark.looptime(start=0)


class TestAttemptsBudgetAndTotal:
    async def test_each_request_counts_as_an_attempt_of_one_call(self) -> None:
        server = VirtualInstance()
        with pytest.raises(TransportError, match="sent 3 times, and no backup was started"):
            await run(server, *[LOST_BEFORE] * 9, options={"retry": RetryPolicy(attempts=3, base=0)})
        assert server.triggers_received == 3

    async def test_a_spent_budget_prevents_sending_again(self) -> None:
        with pytest.raises(TransportError, match="budget is spent, and no backup was started"):
            await run(VirtualInstance(), LOST_BEFORE, options={"retry": RetryPolicy(budget=4)})

    async def test_a_retry_is_taken_from_the_budget_and_refunded(self) -> None:
        server = VirtualInstance()
        server.posts.extend([LOST_BEFORE])
        async with triggering(server) as (trigger, _, session):
            await trigger.run(7)
            assert session.statistics().retried == 1
            assert session.statistics().budget_left == session.settings.retry.budget

    async def test_a_trigger_with_a_single_attempt_is_reconciled_too(self) -> None:
        once = {"retry": RetryPolicy(attempts=1)}
        assert (await run(VirtualInstance(), LOST_AFTER, options=once))[0].kind is ADOPTED
        with pytest.raises(ServerError, match="no backup was started"):
            await run(VirtualInstance(), Post(None, 503), options=once)

    async def test_a_failure_that_is_never_repeated_raises_its_own_error(self) -> None:
        with pytest.raises(ServerError, match=r"answered 501.*no backup was started"):
            await run(VirtualInstance(), Post(None, 501))

    async def test_total_limits_checks_and_pauses_too(self) -> None:
        with pytest.raises(AmbiguousTrigger, match="longer than total=10 s") as raised:
            await run(VirtualInstance(), LOST_BEFORE, options={"timeouts": Timeouts(total=10)})
        assert running_time() == 10
        assert isinstance(raised.value.cause, TransportError)

    async def test_a_total_that_runs_out_during_the_second_request_is_ambiguous(self) -> None:
        options = {"timeouts": Timeouts(total=30.45)}
        with pytest.raises(AmbiguousTrigger) as raised:
            await run(VirtualInstance(), LOST_BEFORE, LOST_AFTER, options=options)
        assert isinstance(raised.value.cause, RequestTimeout)

    async def test_a_total_that_runs_out_between_two_requests_is_a_time_out(self) -> None:
        slow = {"timeouts": Timeouts(total=31), "retry": RetryPolicy(base=1e6, cap=1e6)}
        with pytest.raises(RequestTimeout, match="total=31 s"):
            await run(VirtualInstance(), LOST_BEFORE, options=slow)

    async def test_a_redirect_is_reconciled_and_not_sent_again(self) -> None:
        result, transport = await run(VirtualInstance(duration=0.05), Post(0, 303))
        assert (result.kind, backup_id(result), len(posts(transport))) == (ADOPTED, 5, 1)
        with pytest.raises(APIError, match=r"answered 303.*no backup was started"):
            await run(VirtualInstance(), Post(None, 303))

    async def test_a_refusal_of_the_second_request_raises_its_own_error(self) -> None:
        with pytest.raises(NotFound):
            await run(VirtualInstance(), LOST_BEFORE, Post(None, 404))


class TestCloseAndCancel:
    @pytest.mark.parametrize("after", [0.05, 0.15, 10, 30.15])
    async def test_closing_the_client_while_reconciling_is_ambiguous(self, after: float) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server) as (trigger, transport, session):
            task = asyncio.ensure_future(trigger.run(7))
            await asyncio.sleep(after)
            await session.close()
            with pytest.raises(AmbiguousTrigger, match="the client was closed"):
                await task
            assert transport.in_flight == 0

    async def test_closing_the_client_before_the_second_request_raises_client_closed(self) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server, retry=RetryPolicy(base=1e6, cap=1e6)) as (trigger, _, session):
            task = asyncio.ensure_future(trigger.run(7))
            await asyncio.sleep(31)
            await session.close()
            with pytest.raises(ClientClosed):
                await task

    @pytest.mark.parametrize("after", [0.05, 0.15, 10, 30.15, 30.45])
    async def test_cancellation_leaves_no_task_and_no_request(self, after: float) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server) as (trigger, transport, session):
            task = asyncio.ensure_future(trigger.run(7))
            await asyncio.sleep(after)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (transport.in_flight, session.statistics().in_flight, session.scopes.open) == (0, 0, set())
            assert asyncio.all_tasks() == {asyncio.current_task()}
