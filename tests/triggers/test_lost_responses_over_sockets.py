"""Lost responses to triggers, over sockets: the backup is found, or `AmbiguousTrigger` is raised."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from backupify_async import (
    AmbiguousTrigger,
    APIError,
    BackupifyError,
    RequestTimeout,
    ServerError,
    Timeouts,
    TransportError,
    TriggerKind,
    TriggerResult,
)
from backupify_async.testing import Fault, ManualClock, SimulatedBackupify
from tests.support.clients import asked, client_of, trigger


class TestALostResponse:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault.lose_response(after_acting=True, operation="trigger"),
            Fault.truncate(operation="trigger"),
            Fault.garbage(operation="trigger"),
            Fault.garbage("<html>", content_type="text/html", operation="trigger"),
            Fault.garbage('{"status":"ok"}', operation="trigger"),
            Fault.garbage('[{"id":5}]', operation="trigger"),
            Fault.garbage('{"id":null}', operation="trigger"),
            Fault.garbage("true", operation="trigger"),
            Fault.garbage(b"\xff\xfe", operation="trigger"),
            Fault.answer(500, operation="trigger", after_acting=True),
            Fault.answer(504, operation="trigger", after_acting=True),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("date_header", [False, True])
    async def test_the_backup_of_a_lost_response_is_found(self, fault: Fault, date_header: bool) -> None:
        async with SimulatedBackupify(faults=[fault], date_header=date_header) as server:
            async with client_of(server) as client:
                result = await client.backups.trigger(7)
                assert result == TriggerResult(TriggerKind.ADOPTED, await client.backups.get_active(7))
            assert result.backup is not None
            assert [one.id for one in server.triggers[7]] == [result.backup.id]
            assert len(asked(server, "trigger")) == 1

    @pytest.mark.parametrize(
        ("fault", "cause", "sent_times"),
        [
            (Fault.lose_response(after_acting=False, operation="trigger"), TransportError, 4),
            (Fault.answer(408, operation="trigger"), APIError, 4),
            (Fault.answer(501, operation="trigger"), ServerError, 1),
            (Fault.answer(502, operation="trigger"), ServerError, 4),
            (Fault.answer(503, operation="trigger"), ServerError, 4),
            (Fault.answer(503, retry_after="soon", operation="trigger"), ServerError, 4),
            (Fault.answer(503, retry_after=-5, operation="trigger"), ServerError, 4),
            (Fault.answer(504, retry_after=0, operation="trigger"), ServerError, 4),
        ],
        ids=str,
    )
    async def test_a_lost_response_that_did_nothing_raises_its_cause(
        self, fault: Fault, cause: type[BackupifyError], sent_times: int
    ) -> None:
        error, sent, started = await trigger(fault)
        assert type(error) is cause
        assert str(error).endswith("no backup was started")
        assert sent >= sent_times  # after checks that pass, a 503 is a refusal, which takes no attempt
        assert started == 0

    @pytest.mark.parametrize("status", [None, 408, 500, 503])
    async def test_a_trigger_that_did_nothing_is_sent_again(self, status: int | None) -> None:
        fault = Fault.lose_response(after_acting=False, operation="trigger", first=1)
        if status is not None:
            fault = Fault.answer(status, operation="trigger", first=1)
        result, sent, started = await trigger(fault)
        assert isinstance(result, TriggerResult)
        assert (result.kind, sent, started) == (TriggerKind.STARTED, 2, 1)

    async def test_another_active_backup_is_already_active(self) -> None:
        faults = [Fault.lose_response(after_acting=True, operation="trigger")]
        clock = ManualClock()
        settings: Any = {"date_header": True, "clock": clock, "backup_duration": 600}
        async with SimulatedBackupify(faults=faults, **settings) as server, client_of(server) as client:
            running = server.start_backup(7)
            clock.advance(400)
            result = await client.backups.trigger(7)
            assert result.backup is not None
            assert (result.kind, result.backup.id) == (TriggerKind.ALREADY_ACTIVE, running.id)
            assert server.triggers[7] == []

    async def test_a_request_that_a_proxy_repeats_starts_one_backup(self) -> None:
        result, sent, started = await trigger(Fault.repeat(operation="trigger"))
        assert isinstance(result, TriggerResult)
        assert (result.kind, sent, started) == (TriggerKind.ALREADY_ACTIVE, 1, 1)

    @pytest.mark.parametrize("timeouts", [Timeouts(read=0.05), Timeouts(attempt=0.05)])
    async def test_the_backup_of_a_request_that_timed_out_is_found(self, timeouts: Timeouts) -> None:
        hanging = Fault.hang(after_acting=True, operation="trigger")
        async with SimulatedBackupify(faults=[hanging]) as server:
            async with client_of(server, timeouts=timeouts) as client:
                assert (await client.backups.trigger(7)).kind is TriggerKind.ADOPTED
            assert len(asked(server, "trigger")) == len(server.triggers[7]) == 1

    async def test_the_baseline_of_a_fleet_finds_the_backup(self) -> None:
        lost = Fault.lose_response(after_acting=True, operation="trigger")
        # The Date follows neither our clock nor that of the backups: only ids show which is ours.
        settings: Any = {"faults": [lost], "date_header": True, "date_offset": 3600.0}
        async with SimulatedBackupify(instances=5, **settings) as server, client_of(server) as client:
            blind = await client.fleet([1]).trigger()
            assert [type(error) for error in blind.errors.values()] == [AmbiguousTrigger]
            latest = (await client.fleet([2, 3, 4, 5]).latest()).values
            results = (await client.fleet([2, 3, 4, 5]).trigger(baseline=latest)).values
            assert {result.kind for result in results.values()} == {TriggerKind.ADOPTED}

    @pytest.mark.parametrize(("baseline", "kind"), [(True, TypeError), (1.5, TypeError), ("", ValueError)])
    async def test_an_invalid_baseline_is_refused(self, baseline: Any, kind: type[Exception]) -> None:
        async with SimulatedBackupify() as server, client_of(server) as client:
            with pytest.raises(kind, match="baseline"):
                await client.backups.trigger(7, baseline=baseline)
            assert server.requests == []


class TestAmbiguous:
    async def test_failing_checks_are_ambiguous(self) -> None:
        before = datetime.now(UTC)
        blind = Fault.answer(403, operation="get_active")
        lost = Fault.lose_response(after_acting=True, operation="trigger")
        error, sent, started = await trigger(blind, lost)
        assert isinstance(error, AmbiguousTrigger)
        assert (type(error.cause), error.instance_id) == (TransportError, 7)
        assert error.__cause__ is error.cause
        assert before <= error.sent_at <= datetime.now(UTC)
        assert "still unclear: the last check failed: GET" in str(error)
        assert (sent, started) == (1, 1)

    async def test_the_error_shows_the_backups_that_were_seen(self) -> None:
        lost = Fault.lose_response(after_acting=True, operation="trigger")
        settings: Any = {"faults": [lost], "date_header": True, "date_offset": 3600.0}
        async with SimulatedBackupify(**settings) as server, client_of(server) as client:
            with pytest.raises(AmbiguousTrigger) as raised:
                await client.backups.trigger(7)
            assert [one.id for one in raised.value.seen] == [one.id for one in server.triggers[7]]

    async def test_a_total_time_out_while_the_response_is_read_is_ambiguous(self) -> None:
        hanging = Fault.hang(after_acting=True, operation="trigger")
        async with SimulatedBackupify(faults=[hanging]) as server:
            async with client_of(server, timeouts=Timeouts(total=0.05)) as client:
                await client.fetch_token()
                with pytest.raises(AmbiguousTrigger) as raised:
                    await client.backups.trigger(7)
            assert isinstance(raised.value.cause, RequestTimeout)
            assert str(raised.value).count("total=0.05 s") == 1
            assert len(asked(server, "trigger")) == len(server.triggers[7]) == 1

    async def test_closing_the_client_while_the_response_is_awaited_is_ambiguous(self) -> None:
        async with SimulatedBackupify(faults=[Fault.hang(operation="trigger")]) as server:
            client = await client_of(server).open()
            call = asyncio.create_task(client.backups.trigger(7))
            await server.wait_for_requests(2)
            await client.close()
            with pytest.raises(AmbiguousTrigger, match="closed"):
                await call

    async def test_a_body_over_the_cap_is_a_lost_response(self) -> None:
        async with SimulatedBackupify() as server, client_of(server, max_body_bytes=200) as client:
            for operation in ("trigger", "get_active"):
                server.inject(Fault.garbage(b"[" * 201, operation=operation))
            with pytest.raises(AmbiguousTrigger, match="max_body_bytes=200"):
                await client.backups.trigger(7)
            assert len(asked(server, "trigger")) == 1
