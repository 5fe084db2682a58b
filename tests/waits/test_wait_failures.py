"""Waits that time out, and waits whose checks fail."""

import pytest

from backupify_async import (
    Backup,
    BackupifyError,
    DecodeError,
    NotFound,
    PermissionDenied,
    PollPolicy,
    RateLimit,
    ServerError,
    WaitKind,
    WaitTimeout,
)
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import respond
from tests.support.running_backups import Server, backups_of
from tests.support.work import now

pytestmark = pytest.mark.looptime


EVERY_10_S = PollPolicy(interval=10)


class TestTimeOut:
    async def test_a_backup_that_ends_just_in_time_is_not_late(self) -> None:
        async with backups_of(Server({7: 8.5})) as (backups, _, _):
            result = await backups.wait(7, 7, timeout=10, poll=EVERY_10_S)
        assert (result.kind, now()) == (WaitKind.COMPLETED, 9)

    async def test_the_time_out_error_has_the_backup_of_the_last_check(self) -> None:
        async with backups_of(Server({7: 100})) as (backups, _, _):
            with pytest.raises(WaitTimeout) as raised:
                await backups.wait(7, 7, timeout=25, poll=EVERY_10_S)
            assert now() == 25
        error = raised.value
        assert (error.instance_id, error.backup_id, error.timeout) == (7, 7, 25)
        assert (error.backup, error.cause) == (Backup(7, status="running"), None)

    async def test_the_time_out_holds_though_all_checks_fail(self) -> None:
        async with backups_of(Server({7: 100}), round_trip=1e6) as (backups, transport, session):
            with pytest.raises(WaitTimeout, match="never seen"):
                await backups.wait(7, 7, timeout=60)
            assert (now(), transport.in_flight, session.statistics().in_flight) == (60, 0, 0)

    async def test_the_time_out_holds_while_a_check_waits_for_the_limit(self) -> None:
        limit = RateLimit(per_second=0.001, burst=1, adaptive=False)
        async with backups_of(Server({7: 1e9}), rate_limit=limit) as (backups, transport, session):
            with pytest.raises(WaitTimeout):
                await backups.wait(7, 7, timeout=60)
            assert (now(), transport.times, session.statistics().waiting) == (60, [0], 0)

    async def test_the_time_out_error_says_why_the_last_check_failed(self) -> None:
        server = Server({7: 100}, trouble=lambda _: (503, b"") if now() > 5 else None)
        async with backups_of(server) as (backups, _, _):
            with pytest.raises(WaitTimeout, match=r"last check failed: GET .* answered 503") as raised:
                await backups.wait(7, 7, timeout=30, poll=EVERY_10_S)
        assert isinstance(raised.value.cause, ServerError)
        assert raised.value.__cause__ is raised.value.cause
        assert raised.value.backup == Backup(7, status="running")


class TestFailedChecks:
    @pytest.mark.parametrize("failure", [(500, b""), (503, b""), (408, b"")])
    async def test_a_wait_continues_after_transient_failures(self, failure: tuple[int, bytes]) -> None:
        server = Server({7: 25}, trouble=lambda _: failure if 5 < now() < 35 else None)
        async with backups_of(server) as (backups, transport, _):
            result = await backups.wait(7, 7, poll=EVERY_10_S)
        assert (result.kind, transport.times) == (WaitKind.COMPLETED, [0, 10, 20, 30, 40])

    async def test_a_wait_pauses_for_the_whole_retry_after_of_a_429(self) -> None:
        def respond_once(message: PreparedRequest) -> Response:
            if len(transport.sent) == 2:
                return respond(message, 429, headers={"Retry-After": "3600"})
            return server.respond(message)

        server = Server({7: 25})
        async with backups_of(server) as (backups, transport, _):
            transport.responder = respond_once
            result = await backups.wait(7, 7, poll=EVERY_10_S)
        assert (result.kind, transport.times) == (WaitKind.COMPLETED, [0, 10, 3610])

    @pytest.mark.parametrize(
        ("failure", "error"),
        [
            ((403, b""), PermissionDenied),
            ((404, b""), NotFound),
            ((200, b"<html>"), DecodeError),
            ((302, b""), BackupifyError),
        ],
    )
    async def test_a_permanent_failure_ends_the_wait(
        self, failure: tuple[int, bytes], error: type[Exception]
    ) -> None:
        server = Server({7: 1e9}, trouble=lambda _: failure if now() > 5 else None)
        async with backups_of(server) as (backups, _, _):
            with pytest.raises(error):
                await backups.wait(7, 7, poll=EVERY_10_S)
            assert now() == 10

    async def test_the_cause_holds_no_traceback(self) -> None:
        server = Server({7: 1e9}, trouble=lambda _: (500, b""))
        async with backups_of(server) as (backups, _, _):
            with pytest.raises(WaitTimeout) as raised:
                await backups.wait(7, 7, timeout=5)
        assert raised.value.cause is not None
        assert raised.value.cause.__traceback__ is None
