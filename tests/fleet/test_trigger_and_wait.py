"""`fleet.trigger(wait=True)`, in virtual time: waits do not use the slots of triggers."""

import asyncio
import contextlib
import logging
import pickle
from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from backupify_async import (
    Backup,
    ClientClosed,
    DuplicateInstance,
    FanOutAborted,
    Fleet,
    PermissionDenied,
    PollPolicy,
    RateLimit,
    RetryPolicy,
    TriggerKind,
    TriggerResult,
    WaitFailed,
    WaitKind,
    WaitResult,
    WaitTimeout,
)
from backupify_async._resources.backups import Backups, internals
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async._waits.waiting import MAX_CHECKS
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.files import ACCOUNT
from tests.support.work import AsyncKeys, Keys, now, other_tasks

pytestmark = pytest.mark.looptime

EVERY_10_S = PollPolicy(interval=10)


@attrs.define
class Server:
    """Starts a backup of any instance, with the instance's id, that runs for `seconds`."""

    seconds: float = 60.0
    failing: frozenset[int] = frozenset()
    forbidden: frozenset[int] = frozenset()
    omits_backups: bool = False
    active: frozenset[int] = frozenset()
    started: dict[int, float] = attrs.field(factory=dict)

    def answer(self, message: PreparedRequest) -> Response:
        parts = message.url.path.split("/")
        instance = int(parts[3])
        if message.method == "POST":
            if instance in self.active:
                self.started.setdefault(instance, now())
                return respond(message, 409)
            assert instance not in self.started
            self.started[instance] = now()
            return respond(message, 201, b"" if self.omits_backups else self.shown(instance))
        if self.omits_backups:
            return respond(message, 204)
        if instance in self.forbidden:
            return respond(message, 403)
        return respond(message, body=self.shown(instance))

    def shown(self, instance: int) -> dict[str, Any]:
        over = now() >= self.started[instance] + self.seconds
        ended = "failed" if instance in self.failing else "completed"
        return {"id": instance, "status": ended if over else "running"}


@contextlib.asynccontextmanager
async def fleet_of(
    server: Server, ids: Any, concurrency: int = 4, round_trip: float = 1.0, **options: Any
) -> AsyncIterator[tuple[Fleet, FakeTransport, Backups]]:
    transport = FakeTransport(server.answer, round_trip)
    options.setdefault("rate_limit", RateLimit(None, adaptive=False))
    options.setdefault("retry", RetryPolicy(attempts=1))
    async with session_over(transport, **options) as session:
        backups = Backups(session)
        is_blocked = session.is_blocked
        fleet = Fleet(backups, ids, concurrency=concurrency, is_blocked=is_blocked, account=ACCOUNT)
        yield fleet, transport, backups


def posts(transport: FakeTransport) -> list[float]:
    return [round(when, 6) for when, message in transport.sent if message.method == "POST"]


class TestOutcomes:
    async def test_each_is_yielded_when_its_backup_is_over(self) -> None:
        async with fleet_of(Server(failing=frozenset({2})), [1, 2]) as (fleet, _, _):
            results = await fleet.trigger(wait=True, poll=EVERY_10_S)
            assert 60 <= now() <= 75
        running = {one: Backup(one, status="running") for one in (1, 2)}
        ends = {
            1: WaitResult(WaitKind.COMPLETED, Backup(1, status="completed")),
            2: WaitResult(WaitKind.FAILED, Backup(2, status="failed")),
        }
        assert results.values == {
            one: TriggerResult(TriggerKind.STARTED, running[one], ends[one]) for one in (1, 2)
        }
        assert pickle.loads(pickle.dumps(results)) == results

    async def test_the_response_to_the_trigger_is_the_first_check(self) -> None:
        async with (
            fleet_of(Server(seconds=5), [1], round_trip=0) as (fleet, transport, _),
            fleet.trigger(wait=True, poll=EVERY_10_S) as outcomes,
        ):
            (outcome,) = [outcome async for outcome in outcomes]
        assert transport.times == [0, 10]
        assert (outcome.attempts, outcome.elapsed) == (2, 10)

    async def test_a_backup_that_was_already_active_is_waited_for_too(self) -> None:
        async with fleet_of(Server(active=frozenset({1})), [1]) as (fleet, _, _):
            result = (await fleet.trigger(wait=True)).values[1]
        assert result.kind is TriggerKind.ALREADY_ACTIVE
        assert result.waited is not None
        assert result.waited.kind is WaitKind.COMPLETED

    async def test_a_response_without_a_backup_ends_without_a_wait(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with fleet_of(Server(omits_backups=True), [1], round_trip=0) as (fleet, _, _):
            with caplog.at_level(logging.WARNING):
                results = await fleet.trigger(wait=True)
            assert now() == 0
        assert results.values == {1: TriggerResult(TriggerKind.STARTED, None, None)}
        assert "instance 1: the server named no backup that could be waited for" in caplog.text

    async def test_a_wait_that_fails_has_the_result_of_the_trigger(self) -> None:
        async with fleet_of(Server(forbidden=frozenset({1})), [1]) as (fleet, _, _):
            error = (await fleet.trigger(wait=True)).errors[1]
        assert isinstance(error, WaitFailed)
        assert error.result == TriggerResult(TriggerKind.STARTED, Backup(1, status="running"))
        assert isinstance(error.cause, PermissionDenied)

    async def test_a_wait_that_times_out_fails_like_any_other(self) -> None:
        async with fleet_of(Server(), [1], round_trip=0) as (fleet, _, _):
            error = (await fleet.trigger(wait=True, wait_timeout=25)).errors[1]
            assert now() == 25
        assert isinstance(error, WaitFailed)
        assert isinstance(error.cause, WaitTimeout)

    async def test_a_duplicate_id_is_triggered_once(self) -> None:
        async with fleet_of(Server(), [1, "1"]) as (fleet, transport, _):
            results = await fleet.trigger(wait=True)
        assert (len(posts(transport)), list(results.values)) == (1, [1])
        assert isinstance(results.errors["1"], DuplicateInstance)

    async def test_a_trigger_that_fails_releases_its_slot(self) -> None:
        def forbid(message: PreparedRequest) -> Response:
            return respond(message, 403)

        async with fleet_of(Server(), range(5), concurrency=1) as (fleet, transport, _):
            transport.responder = forbid
            results = await fleet.trigger(wait=True)
        assert (len(results.errors), len(posts(transport))) == (5, 5)

    async def test_keep_the_order_of_the_ids_if_ordered(self) -> None:
        async with (
            fleet_of(Server(), range(20, 0, -1)) as (fleet, _, _),
            fleet.trigger(wait=True, ordered=True) as outcomes,
        ):
            assert [outcome.key async for outcome in outcomes] == list(range(20, 0, -1))


class TestSlots:
    async def test_are_released_while_backups_are_waited_for(self) -> None:
        async with fleet_of(Server(seconds=100), range(40), concurrency=4) as (fleet, transport, _):
            await fleet.trigger(wait=True)
        assert posts(transport) == [float(at // 4) for at in range(40)]

    async def test_are_taken_before_an_id_is_read(self) -> None:
        ids = Keys(range(1_000))
        async with (
            fleet_of(Server(seconds=1e6), ids, concurrency=4) as (fleet, transport, _),
            fleet.trigger(wait=True),
        ):
            await asyncio.sleep(9.5)
            assert (ids.taken, len(posts(transport))) == (40, 40)

    async def test_an_async_source_is_read_and_closed(self) -> None:
        ids = AsyncKeys(range(10), seconds=2)
        async with fleet_of(Server(), ids, concurrency=4) as (fleet, _, _):
            assert len((await fleet.trigger(wait=True)).values) == 10
        assert ids.closed

    async def test_a_source_that_fails_lets_calls_in_flight_finish(self) -> None:
        ids = Keys(range(10), fails_with=LookupError("broken off"))
        async with fleet_of(Server(), ids) as (fleet, _, _):
            sweep = fleet.trigger(wait=True)
            with pytest.raises(LookupError):
                await sweep
        assert len(sweep.results.values) == 10

    async def test_too_many_failures_stop_the_triggers_but_the_waits_finish(self) -> None:
        ids = [1, 2, 3, 1, 1, *range(4, 100)]
        async with fleet_of(Server(), ids, concurrency=1) as (fleet, transport, _):
            with pytest.raises(FanOutAborted) as raised:
                await fleet.trigger(wait=True, max_failures=1)
        assert set(raised.value.values) >= {1, 2, 3}
        assert len(posts(transport)) < 10

    @pytest.mark.parametrize("options", [{"wait_timeout": 5}, {"poll": EVERY_10_S}])
    async def test_wait_options_are_refused_without_a_wait(self, options: dict[str, Any]) -> None:
        async with fleet_of(Server(), [1]) as (fleet, transport, _):
            with pytest.raises(ValueError, match="wait=True"):
                fleet.trigger(**options)
            with pytest.raises(ValueError, match="wait_timeout must be a finite number greater than 0"):
                fleet.trigger(wait=True, wait_timeout=0)
        assert transport.sent == []


class TestLeaveCancelAndClose:
    async def test_leaving_early_leaves_no_task_running(self) -> None:
        async with fleet_of(Server(seconds=1e6), range(100)) as (fleet, transport, backups):
            before = other_tasks()
            async with fleet.trigger(wait=True) as outcomes:
                await asyncio.sleep(50.5)
            assert other_tasks() == before
            assert (transport.in_flight, outcomes.unfinished, len(outcomes.leftover)) == (0, [], 100)
            waits = internals(backups).waits
            assert (waits.waited_for, waits.slots.free._value) == (0, MAX_CHECKS)

    async def test_leaving_early_reports_triggered_backups_as_leftover(self) -> None:
        async with (
            fleet_of(Server(seconds=1e6), [1, 2, 3], concurrency=1) as (fleet, _, _),
            fleet.trigger(wait=True) as outcomes,
        ):
            await asyncio.sleep(2.5)  # two are triggered, and the third is in flight
        errors = {outcome.key: outcome.error for outcome in outcomes.leftover}
        assert all(isinstance(error, WaitFailed) and error.cause is None for error in errors.values())
        assert {
            key: error.result.backup for key, error in errors.items() if isinstance(error, WaitFailed)
        } == {one: Backup(one, status="running") for one in (1, 2)}
        assert outcomes.unfinished == [3]

    async def test_cancelling_the_await_keeps_triggered_backups_in_the_results(self) -> None:
        async with fleet_of(Server(seconds=1e6), [1, 2, 3], concurrency=1) as (fleet, _, backups):
            before = other_tasks()
            sweep = fleet.trigger(wait=True)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.5):  # two are triggered, and the third is in flight
                    await sweep
            assert (other_tasks(), internals(backups).waits.waited_for) == (before, 0)
        assert {key: type(error) for key, error in sweep.results.errors.items()} == {
            1: WaitFailed,
            2: WaitFailed,
        }

    async def test_cancelling_the_task_that_awaits_it_cancels_it(self) -> None:
        async with fleet_of(Server(seconds=1e6), [1, 2, 3]) as (fleet, _, _):
            task = asyncio.ensure_future(fleet.trigger(wait=True))
            await asyncio.sleep(20)
            task.cancel()
            await asyncio.wait([task])
        assert task.cancelled()

    async def test_closing_the_client_ends_each_wait_with_an_outcome(self) -> None:
        async with fleet_of(Server(seconds=1e6), range(8), round_trip=0) as (fleet, _, backups):
            sweep = asyncio.ensure_future(fleet.trigger(wait=True))
            await asyncio.sleep(5)
            await backups._session.close()
            errors = (await sweep).errors
        assert len(errors) == 8
        assert all(isinstance(error, WaitFailed) for error in errors.values())
        assert {type(error.cause) for error in errors.values() if isinstance(error, WaitFailed)} == {
            ClientClosed
        }


class TestArguments:
    @pytest.mark.parametrize("wrong", [{"baseline": [1, 2]}, {"journal": "sweep.sqlite"}])
    async def test_of_another_type_are_refused_before_anything_is_sent(self, wrong: dict[str, Any]) -> None:
        async with fleet_of(Server(), [1]) as (fleet, transport, _):
            with pytest.raises(TypeError, match="baseline must be a mapping"):
                fleet.trigger(**wrong)
        assert transport.sent == []
