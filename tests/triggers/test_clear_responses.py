"""Triggers with a clear response, over sockets: one backup is started, or surely none."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backupify_async import (
    APIError,
    AuthenticationError,
    BackupifyError,
    Conflict,
    ConnectionFailed,
    NotFound,
    PermissionDenied,
    RateLimited,
    RetryPolicy,
    RetryScheduled,
    ServerError,
    StaticToken,
    TriggerKind,
    TriggerResult,
    UnprocessableEntity,
)
from backupify_async.testing import Fault, ManualClock, SimulatedBackupify
from tests.support.clients import asked, client_of, trigger
from tests.support.raw_servers import ScriptedServer, http, raw_server


class TestStarted:
    @pytest.mark.parametrize("envelope", [None, "backups"])
    async def test_started_names_the_new_backup(self, envelope: str | None) -> None:
        async with SimulatedBackupify(envelope=envelope) as server, client_of(server) as client:
            result = await client.backups.trigger("7")
            assert result.kind is TriggerKind.STARTED
            assert result.backup == await client.backups.get_active(7)
            assert len(asked(server, "trigger")) == len(server.triggers[7]) == 1

    @pytest.mark.parametrize("body", ["", " \n", "null", "{}", "[]", '{"backup": null}'])
    async def test_a_2xx_without_a_body_gives_the_active_backup(self, body: str) -> None:
        empty = Fault.answer(201, body=body, operation="trigger", after_acting=True)
        async with SimulatedBackupify(faults=[empty]) as server, client_of(server) as client:
            result = await client.backups.trigger(7)
            assert result == TriggerResult(TriggerKind.STARTED, await client.backups.get_active(7))
            assert result.backup is not None
            assert result.backup.id == server.triggers[7][0].id

    async def test_a_2xx_without_a_body_and_without_an_active_backup_names_no_backup(self) -> None:
        result, sent, _ = await trigger(Fault.answer(204, body="", operation="trigger"))
        assert (result, sent) == (TriggerResult(TriggerKind.STARTED, None), 1)

    async def test_started_is_the_result_though_the_check_after_it_fails(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        empty = Fault.answer(204, body="", operation="trigger", after_acting=True)
        result, sent, started = await trigger(empty, Fault.answer(403, operation="get_active"))
        assert (result, sent, started) == (TriggerResult(TriggerKind.STARTED, None), 1, 1)
        assert "instance 7: the check after its trigger failed" in caplog.text

    async def test_started_is_the_result_though_the_client_is_closed_during_the_check(self) -> None:
        empty = Fault.answer(204, body="", operation="trigger", after_acting=True)
        hanging = Fault.hang(operation="get_active")
        async with SimulatedBackupify(faults=[empty, hanging]) as server, client_of(server) as client:
            call = asyncio.create_task(client.backups.trigger(7))
            await server.wait_for_requests(3)
            await client.close()
            assert await call == TriggerResult(TriggerKind.STARTED, None)


class TestAlreadyActive:
    @pytest.mark.parametrize("conflict", [409, 422])
    async def test_already_active_names_the_active_backup(self, conflict: Any) -> None:
        async with SimulatedBackupify(active_conflict=conflict) as server, client_of(server) as client:
            running = server.start_backup(7)
            result = await client.backups.trigger(7)
            assert result == TriggerResult(TriggerKind.ALREADY_ACTIVE, await client.backups.get_active(7))
            assert result.backup is not None
            assert (result.backup.id, server.triggers[7]) == (running.id, [])

    @pytest.mark.parametrize(("status", "kind"), [(409, Conflict), (422, UnprocessableEntity)])
    async def test_a_refusal_without_an_active_backup_raises_its_own_error(
        self, status: int, kind: type[APIError]
    ) -> None:
        refused = Fault.answer(status, body='{"error":"in maintenance"}', operation="trigger")
        result, sent, _ = await trigger(refused)
        assert isinstance(result, kind)
        assert (result.excerpt, result.gave_up, sent) == ('{"error":"in maintenance"}', None, 1)

    @pytest.mark.parametrize("status", [409, 422])
    @pytest.mark.parametrize("date_header", [True, False])
    async def test_a_refusal_with_a_backup_that_has_ended_since_is_already_active(
        self, status: int, date_header: bool
    ) -> None:
        ends_while_refused = Fault.answer(status, after_acting=True, operation="trigger")
        settings: Any = {"date_header": date_header, "backup_duration": 1e-6}
        result, sent, _ = await trigger(ends_while_refused, **settings)
        if date_header:
            assert isinstance(result, TriggerResult)
            assert (result.kind, sent) == (TriggerKind.ALREADY_ACTIVE, 1)
            assert result.backup is not None
        else:  # within the tolerance of the clocks, it can have ended before
            assert isinstance(result, APIError)

    @pytest.mark.parametrize("status", [409, 422])
    async def test_a_refusal_is_an_error_if_the_check_fails(self, status: int) -> None:
        result, *_ = await trigger(Fault.answer(status, operation="trigger"), Fault.answer(500, method="GET"))
        assert isinstance(result, APIError)
        assert result.status == status
        assert "the check whether a backup is active failed: " in str(result)


class TestTheAgeOfTheBackupInA2xx:
    """A server can respond 200 with a backup that was active before."""

    @pytest.mark.parametrize(
        ("field", "seconds", "date", "kind"),
        [
            ("created_at", -310, None, TriggerKind.ALREADY_ACTIVE),
            ("started_at", -310, None, TriggerKind.ALREADY_ACTIVE),
            ("updated_at", -61, None, TriggerKind.STARTED),
            ("created_at", -90, None, TriggerKind.STARTED),  # our clock can be ahead
            ("created_at", +3600, None, TriggerKind.STARTED),
            ("created_at", -310, 0, TriggerKind.ALREADY_ACTIVE),
            ("created_at", -10, 0, TriggerKind.STARTED),  # the Date can be a proxy's
            # The Date shows that the server's clock is an hour behind ours, or ahead.
            ("created_at", -3600, -3600, TriggerKind.STARTED),
            ("created_at", -3910, -3600, TriggerKind.ALREADY_ACTIVE),
            ("created_at", -310, 3600, TriggerKind.ALREADY_ACTIVE),
        ],
    )
    async def test_the_creation_date_decides_between_started_and_already_active(
        self, field: str, seconds: int, date: int | None, kind: TriggerKind
    ) -> None:
        now = datetime.now(UTC)
        body = f'{{"id":5,"{field}":"{(now + timedelta(seconds=seconds)).isoformat()}"}}'
        headers = []
        if date is not None:
            headers = [f"Date: {now + timedelta(seconds=date):%a, %d %b %Y %H:%M:%S GMT}"]
        async with (
            raw_server(ScriptedServer(http(200, body.encode(), *headers))) as url,
            client_of(url) as client,
        ):
            assert (await client.backups.trigger(7)).kind is kind

    @pytest.mark.parametrize("date", ["yesterday", "Thu, 01 Jan 1970 00:00:00 +9999999"])
    async def test_our_clock_decides_if_the_date_header_is_unreadable(self, date: str) -> None:
        body = f'{{"id":5,"created_at":"{datetime.now(UTC).isoformat()}"}}'.encode()
        async with (
            raw_server(ScriptedServer(http(200, body, f"Date: {date}"))) as url,
            client_of(url) as client,
        ):
            assert (await client.backups.trigger(7)).kind is TriggerKind.STARTED

    async def test_the_servers_clock_decides_if_the_date_header_shows_it(self) -> None:
        clock = ManualClock()  # far from ours
        settings: Any = {"clock": clock, "date_header": True, "active_conflict": 200, "backup_duration": 600}
        async with SimulatedBackupify(**settings) as server, client_of(server) as client:
            assert (await client.backups.trigger(7)).kind is TriggerKind.STARTED
            clock.advance(310)
            assert (await client.backups.trigger(7)).kind is TriggerKind.ALREADY_ACTIVE
            assert len(server.triggers[7]) == 1

    @pytest.mark.parametrize("baseline", [5, 6])
    async def test_an_id_at_or_below_the_baseline_is_already_active(self, baseline: int) -> None:
        async with raw_server(ScriptedServer(http(200, b'{"id":5}'))) as url, client_of(url) as client:
            assert (await client.backups.trigger(7, baseline=baseline)).kind is TriggerKind.ALREADY_ACTIVE

    async def test_the_creation_date_decides_for_a_backup_of_get_active_too(self) -> None:
        clock = ManualClock()
        empty = Fault.answer(204, body="", operation="trigger")
        settings: Any = {"clock": clock, "date_header": True, "backup_duration": 7200}
        async with SimulatedBackupify(faults=[empty], **settings) as server, client_of(server) as client:
            running = server.start_backup(7)
            clock.advance(3600)
            result = await client.backups.trigger(7)
            assert result.backup is not None
            assert (result.kind, result.backup.id) == (TriggerKind.ALREADY_ACTIVE, running.id)


class TestSentAgain:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault.answer(429, operation="trigger", first=3),
            Fault.answer(429, retry_after=0, operation="trigger", first=3),
            Fault.answer(429, retry_after=0.01, operation="trigger", first=3),
            Fault.answer(503, retry_after=0, operation="trigger", first=3),
            Fault.answer(503, retry_after=0.01, operation="trigger", first=3),
        ],
        ids=str,
    )
    async def test_a_429_is_sent_again(self, fault: Fault) -> None:
        result, sent, started = await trigger(fault)
        assert isinstance(result, TriggerResult)
        assert (result.kind, sent, started) == (TriggerKind.STARTED, 4, 1)

    async def test_refusals_use_no_attempts_and_no_budget(self) -> None:
        fault = Fault.answer(503, retry_after=0, operation="trigger", first=10)
        async with SimulatedBackupify(faults=[fault]) as server:
            policy = RetryPolicy(attempts=1, base=0, cap=0, budget=0)
            async with client_of(server, retry=policy) as client:
                assert (await client.backups.trigger(7)).kind is TriggerKind.STARTED

    async def test_a_refused_connection_is_tried_again(self) -> None:
        server = SimulatedBackupify()
        await server.start()
        await server.stop()
        starting: list[asyncio.Task[None]] = []

        def start(event: object) -> None:
            if isinstance(event, RetryScheduled) and not starting:
                starting.append(asyncio.get_running_loop().create_task(server.start()))

        policy = RetryPolicy(attempts=10_000, base=0, cap=0, budget=10**6)
        credentials = StaticToken(server.issue_token())
        async with client_of(server, credentials=credentials, retry=policy, on_event=start) as client:
            assert (await client.backups.trigger(7)).kind is TriggerKind.STARTED
            assert client.statistics().retried > 0
        assert len(asked(server, "trigger")) == len(server.triggers[7]) == 1
        await server.stop()

    async def test_an_expired_token_is_refreshed_and_the_trigger_sent_again(self) -> None:
        result, sent, started = await trigger(Fault.expired_token(operation="trigger", first=1))
        assert isinstance(result, TriggerResult)
        assert (result.kind, sent, started) == (TriggerKind.STARTED, 2, 1)


class TestNotStarted:
    @pytest.mark.parametrize(
        ("fault", "kind", "sent_times"),
        [
            (Fault.answer(400, operation="trigger"), APIError, 1),
            (Fault.answer(403, operation="trigger"), PermissionDenied, 1),
            (Fault.answer(404, operation="trigger"), NotFound, 1),
            (Fault.redirect("/elsewhere", operation="trigger"), APIError, 1),
            (Fault.redirect("/elsewhere", status=307, operation="trigger"), APIError, 1),
            (Fault.answer(429, retry_after=500, operation="trigger"), RateLimited, 1),
            (Fault.answer(503, retry_after=500, operation="trigger"), ServerError, 1),
            (Fault.answer(401, operation="token"), AuthenticationError, 0),
        ],
        ids=str,
    )
    async def test_a_clear_refusal_raises_its_own_error(
        self, fault: Fault, kind: type[BackupifyError], sent_times: int
    ) -> None:
        error, sent, started = await trigger(fault)
        assert isinstance(error, kind)
        assert (sent, started) == (sent_times, 0)

    async def test_a_missing_instance_is_not_found(self, backupify: SimulatedBackupify) -> None:
        async with client_of(backupify) as client:
            with pytest.raises(NotFound):
                await client.backups.trigger(999)

    async def test_a_trigger_without_a_connection_is_tried_again_and_never_ambiguous(self) -> None:
        async with SimulatedBackupify() as server:
            pass
        async with client_of(server.base_url) as client:
            with pytest.raises(ConnectionFailed, match="tried 4 times"):
                await client.backups.trigger(7)
