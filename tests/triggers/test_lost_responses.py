"""A trigger in virtual time: after a lost response its instance is checked, and it is perhaps sent again."""

import asyncio
from typing import Any

import pytest

from backupify_async import AmbiguousTrigger, RetryPolicy, ServerError, TriggerKind
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.models import SentTrigger
from tests.support.virtual_instance import (
    LOST_AFTER,
    LOST_BEFORE,
    Post,
    VirtualInstance,
    running_time,
    triggering,
)
from tests.triggers.runs import ACTIVE, ADOPTED, STARTED, backup_id, posts, run

pytestmark = pytest.mark.looptime(start=0)


class TestAClearResponse:
    async def test_a_clear_response_takes_one_request(self) -> None:
        result, transport = await run(VirtualInstance())
        assert (result.kind, backup_id(result), len(transport.sent)) == (STARTED, 5, 1)

    async def test_a_refusal_while_a_backup_is_active_returns_that_backup(self) -> None:
        server = VirtualInstance()
        server.start(0)
        result, transport = await run(server)
        assert (result.kind, backup_id(result), len(transport.sent)) == (ACTIVE, 5, 2)


class TestALostResponse:
    @pytest.mark.parametrize(
        "post", [LOST_AFTER, Post(0, 500), Post(0, 504), Post(0, 408), Post(0, "garbage"), Post(0, "lost", 5)]
    )
    @pytest.mark.parametrize("duration", [1e9, 0.05])
    async def test_a_started_backup_is_found_at_once(self, post: Post, duration: float) -> None:
        result, transport = await run(VirtualInstance(duration=duration), post)
        assert (result.kind, backup_id(result), posts(transport)) == (ADOPTED, 5, [0])
        assert transport.times[-1] < 1

    @pytest.mark.parametrize("late", [0.5, 7, 29.8])
    async def test_reconciliation_waits_for_a_server_that_acts_late(self, late: float) -> None:
        result, transport = await run(VirtualInstance(duration=5), Post(late, "lost"))
        assert (result.kind, backup_id(result), posts(transport)) == (ADOPTED, 5, [0])

    async def test_a_trigger_that_did_nothing_is_sent_again_after_the_server_has_settled(self) -> None:
        server = VirtualInstance()
        result, transport = await run(server, LOST_BEFORE)
        assert (result.kind, backup_id(result)) == (STARTED, 5)
        assert posts(transport) == [0, 30.4]  # lost at 0.1, settled at 30.1, a check of three requests
        checks = [when for when, message in transport.sent if message.url.path.endswith("/active")]
        assert [round(when, 3) for when in checks] == [0.1, 1.4, 4.7, 14.0, 30.1]

    async def test_a_trigger_counts_as_reconciling_until_it_ends(self) -> None:
        server = VirtualInstance()
        server.posts.append(LOST_BEFORE)
        async with triggering(server) as (trigger, _, _):
            triggered = asyncio.create_task(trigger.run(7))
            await asyncio.sleep(20)
            assert trigger.reconciling == 1
            await triggered
            assert trigger.reconciling == 0

    async def test_a_trigger_is_not_sent_again_while_another_backup_is_active(self) -> None:
        server = VirtualInstance(old=(-9000, -310))
        result, transport = await run(server, LOST_BEFORE)
        assert (result.kind, backup_id(result), posts(transport)) == (ACTIVE, 2, [0])
        assert running_time() == pytest.approx(30.3, abs=0.2)

    async def test_a_second_lost_response_is_reconciled_too(self) -> None:
        result, transport = await run(VirtualInstance(duration=1), LOST_BEFORE, Post(20, "lost"))
        assert (result.kind, backup_id(result), len(posts(transport))) == (ADOPTED, 5, 2)

    async def test_pages_are_read_backwards_until_a_backup_is_surely_older(self) -> None:
        server = VirtualInstance(per_page=1, duration=0.01)
        server.posts.append(LOST_AFTER)
        async with triggering(server, round_trip=0.0) as (trigger, transport, _):
            result = await trigger.run(7)
        pages = [
            message.url.query.get("page") for _, message in transport.sent if "active" not in str(message.url)
        ]
        assert (result.kind, pages) == (ADOPTED, [None, None, "5", "4"])

    async def test_a_trigger_is_sent_again_if_the_list_is_empty_for_ten_seconds(self) -> None:
        result, transport = await run(VirtualInstance(old=()), LOST_BEFORE)
        assert (result.kind, backup_id(result)) == (STARTED, 1)
        assert posts(transport) == [0, 30.3]

    async def test_a_trigger_is_sent_again_only_after_retry_after(self) -> None:
        options = {"retry": RetryPolicy(attempts=1, budget=0)}
        result, transport = await run(VirtualInstance(), Post(None, 503, retry_after=50), options=options)
        assert (result.kind, len(posts(transport))) == (STARTED, 2)
        assert posts(transport)[1] >= 50

    @pytest.mark.parametrize(
        ("acts", "expected"),
        [(0.0, ADOPTED), (None, "answered 503 .*over max_retry_after.*no backup was started")],
    )
    async def test_a_response_with_a_retry_after_above_the_limit_is_reconciled_too(
        self, acts: float | None, expected: TriggerKind | str
    ) -> None:
        server = VirtualInstance()
        if isinstance(expected, TriggerKind):
            result, transport = await run(server, Post(acts, 503, retry_after=500))
            assert (result.kind, posts(transport)) == (expected, [0])
            return
        with pytest.raises(ServerError, match=expected):
            await run(server, Post(acts, 503, retry_after=500))
        assert server.triggers_received == 1

    async def test_the_first_backup_of_an_instance_is_found(self) -> None:
        assert backup_id((await run(VirtualInstance(old=()), LOST_AFTER))[0]) == 1
        assert (await run(VirtualInstance(old=()), LOST_BEFORE, baseline=None))[0].kind is STARTED


class TestOtherCallers:
    @pytest.mark.parametrize("known", [{}, {"baseline": 4}])
    async def test_a_backup_that_another_caller_started_eight_seconds_before_is_already_active(
        self, known: dict[str, Any]
    ) -> None:
        server = VirtualInstance()
        server.start(0)
        await asyncio.sleep(8)
        result, transport = await run(server, LOST_BEFORE, **known)
        assert (result.kind, backup_id(result), len(posts(transport))) == (ACTIVE, 5, 1)


class TestWhatAResponseProves:
    @pytest.mark.parametrize("status", [406, 420, 425, 440, 444, 460, 499, 520, 302])
    async def test_a_status_that_proves_nothing_is_a_lost_response(self, status: int) -> None:
        result, transport = await run(VirtualInstance(), Post(0, status))
        assert (result.kind, posts(transport)) == (ADOPTED, [0])

    @pytest.mark.parametrize("answer", ["queued", "broken", "garbage"])
    async def test_the_head_of_a_2xx_is_acceptance(self, answer: str) -> None:
        reported: list[SentTrigger] = []
        with pytest.raises(AmbiguousTrigger, match="2xx"):
            await run(VirtualInstance(), Post(None, answer), on_in_doubt=reported.append)
        assert [one.accepted for one in reported] == [True]

    async def test_closing_the_client_does_not_undo_acceptance(self) -> None:
        server = VirtualInstance()
        reported: list[SentTrigger] = []

        async def break_off(message: PreparedRequest) -> Response:
            message.response_status = 201
            await asyncio.sleep(60)
            raise AssertionError

        async with triggering(server) as (trigger, transport, session):
            transport.slow = break_off
            task = asyncio.ensure_future(trigger.run(7, on_in_doubt=reported.append))
            await asyncio.sleep(1)
            await session.close()
            with pytest.raises(AmbiguousTrigger):
                await task
        assert [one.accepted for one in reported] == [True]

    async def test_a_2xx_about_another_instance_is_a_lost_response(self) -> None:
        server = VirtualInstance()
        server.posts.append(Post(0, "another"))
        result, _ = await run(server)
        assert (result.kind, backup_id(result)) == (ADOPTED, 5)
