"""A server that is down for a while, in virtual time: all calls wait, one probes, and none is lost."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from backupify_async import (
    BackupifyError,
    ClientClosed,
    ConnectionFailed,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    Timeouts,
    TransportError,
)
from backupify_async._transport.request import DeliveryUnknown, Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.scripted import DEMO, UNLIMITED, Script, api_times, now, token_times
from tests.support.transport_values import upper_bound

pytestmark = pytest.mark.looptime

Failure = BackupifyError | int
REFUSED = ConnectionFailed("no connection: refused", sent=False)
RESET = TransportError("the server closed the connection before it responded")


@pytest.fixture(autouse=True)
def longest_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", upper_bound)


class Server(Script):
    """Responds as a script does, but fails all requests between two times."""

    def __init__(self, begin: float, end: float, failure: Failure = REFUSED, *, life: object = 899) -> None:
        super().__init__(life=life)
        self.begin, self.end, self.failure = begin, end, failure
        self.fails_tokens = True
        self.failed: list[PreparedRequest] = []

    def __call__(self, request: PreparedRequest) -> Response:
        """Respond to one request."""
        is_token = request.url.path.endswith("/oauth/token")
        if not self.begin <= now() < self.end or (is_token and not self.fails_tokens):
            return super().__call__(request)
        self.failed.append(request)
        if isinstance(self.failure, BackupifyError):
            raise type(self.failure)(*self.failure.args)
        return respond(request, self.failure)

    @property
    def failed_at(self) -> list[float]:
        """When the failed requests were sent."""
        return [round(request.sent_time, 6) for request in self.failed]


def get_active(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}/backups/active", instance_id=number)


def trigger(number: int) -> Request:
    return Request.post("/v1/backup_instances/{instance_id}/backups", instance_id=number)


async def errors_of_calls(
    session: Session, numbers: Iterable[int], concurrency: int = 8
) -> list[BackupifyError]:
    """Send one call for each instance, `concurrency` at once. Returns the errors."""
    ids, errors = iter(numbers), []

    async def worker() -> None:
        for number in ids:
            try:
                await session.send(get_active(number))
            except BackupifyError as error:
                errors.append(error)

    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return errors


class TestManyCalls:
    @pytest.mark.parametrize("lasts", [2, 30])
    @pytest.mark.parametrize("failure", [REFUSED, RESET, 502, 503, 504])
    async def test_are_not_lost_in_a_restart(self, failure: Failure, lasts: float) -> None:
        server = Server(1, 1 + lasts, failure)
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            assert await errors_of_calls(session, range(400)) == []
            assert session.statistics().budget_left == 500
        assert now() < 1 + lasts + 5 + 400 * 0.05 / 8 + 1

    async def test_are_sent_one_at_a_time_and_at_growing_intervals_meanwhile(self) -> None:
        server = Server(1, 31)
        async with session_over(FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED) as session:
            await errors_of_calls(session, range(400))
        probes = [at for at in server.failed_at if at > server.failed_at[0] + 0.2]
        gaps = [round(later - earlier, 2) for earlier, later in pairwise(probes)]
        assert gaps == sorted(gaps)
        assert (gaps[0], gaps[-1]) == (0.3, 5.0)
        assert len(server.failed) < 8 + 14

    async def test_spend_no_budget_in_several_restarts(self) -> None:
        server = Server(1, 2)
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            for _ in range(10):
                server.begin, server.end = now() + 0.2, now() + 2.2
                assert await errors_of_calls(session, range(100)) == []
            assert session.statistics().budget_left == 500

    async def test_show_in_the_statistics_since_when_the_server_is_down(self) -> None:
        server = Server(1, 31)
        async with session_over(FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED) as session:
            running = asyncio.create_task(errors_of_calls(session, range(400)))
            await asyncio.sleep(0.5)
            assert session.statistics().down_since is None
            await asyncio.sleep(9.5)
            since = session.statistics().down_since
            assert since is not None
            assert timedelta(seconds=8.9) < datetime.now(UTC) - since < timedelta(seconds=9.2)
            await running
            assert session.statistics().down_since is None


class TestNoOutage:
    async def test_is_a_wrong_port_which_fails_after_all_attempts(self) -> None:
        async with session_over(FakeTransport(Server(0, 1e9)), rate_limit=UNLIMITED) as session:
            errors = await errors_of_calls(session, range(8))
            assert session.statistics().down_since is None
        assert {str(error).partition("gave up: ")[2] for error in errors} == {"tried 4 times"}
        assert now() < 4

    async def test_is_one_instance_that_fails(self) -> None:
        async with session_over(FakeTransport(Server(1, 1e9)), rate_limit=UNLIMITED) as session:
            await session.send(get_active(0))
            await asyncio.sleep(1)
            with pytest.raises(ConnectionFailed, match="tried 4 times"):
                await session.send(get_active(1))

    @pytest.mark.parametrize(
        "failure",
        [
            ConnectionFailed("too many open files", False, None, None, True),
            ConnectionFailed("an untrusted certificate", False, "certificate errors are not retried"),
            500,
        ],
    )
    async def test_is_a_fault_of_this_machine_of_tls_or_of_the_application(self, failure: Failure) -> None:
        async with session_over(FakeTransport(Server(1, 1e9, failure)), rate_limit=UNLIMITED) as session:
            await session.send(get_active(0))
            await asyncio.sleep(1)
            assert len(await errors_of_calls(session, range(8))) == 8

    async def test_is_assumed_with_max_outage_of_zero(self) -> None:
        retry = RetryPolicy(max_outage=0)
        async with session_over(FakeTransport(Server(1, 1e9)), rate_limit=UNLIMITED, retry=retry) as session:
            await session.send(get_active(0))
            await asyncio.sleep(1)
            assert len(await errors_of_calls(session, range(8))) == 8


class TestALongOutage:
    async def test_fails_calls_unsent_until_a_probe_succeeds(self) -> None:
        server = Server(1, 401)
        async with session_over(FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED) as session:
            errors = await errors_of_calls(session, range(400))
            assert now() == pytest.approx(301, abs=0.5)
            assert session.is_blocked()
            unsent = [error for error in errors if "max_outage=300 s is over" in str(error)]
            assert len(unsent) >= len(errors) - 2
            assert all(isinstance(error, ConnectionFailed) and not error.sent for error in unsent)
            tried = len(server.failed)
            for _ in range(200):
                await asyncio.sleep(0.5)
                await errors_of_calls(session, range(10))
            assert 17 <= len(server.failed) - tried <= 22
            assert await errors_of_calls(session, range(10)) == []
            assert not session.is_blocked()


class TestTheProbe:
    async def down(self, session: Session, server: Server) -> list["asyncio.Task[Response]"]:
        """Begin an outage of ten seconds. Returns three calls that wait for its end."""
        await session.send(get_active(0))
        server.begin, server.end = now(), now() + 10
        waiting = [asyncio.create_task(session.send(get_active(number))) for number in (1, 2, 3)]
        await asyncio.sleep(0.1)
        assert session.statistics().down_since is not None
        return waiting

    async def test_is_a_repeatable_call_if_one_waits(self) -> None:
        server = Server(1e9, 1e9)
        async with session_over(FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED) as session:
            await session.send(get_active(0))
            server.begin, server.end = now(), now() + 10
            triggers = [asyncio.create_task(session.send(trigger(number))) for number in (1, 2, 3)]
            waiting = asyncio.create_task(session.send(get_active(4)))
            await asyncio.gather(*triggers, waiting)
        assert [request.method for request in server.failed[4:]] == ["GET"] * (len(server.failed) - 4)

    async def test_is_a_trigger_if_no_other_call_waits_and_is_then_in_doubt(self) -> None:
        server = Server(1e9, 1e9)
        async with session_over(FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED) as session:
            for call in await self.down(session, server):
                call.cancel()
            server.failure = RESET
            with pytest.raises(DeliveryUnknown):
                await session.send(trigger(4))

    async def test_is_replaced_when_it_is_cancelled(self) -> None:
        server = Server(1e9, 1e9)
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, rate_limit=UNLIMITED) as session:
            waiting = await self.down(session, server)
            transport.round_trip = 100
            await asyncio.sleep(1)
            assert transport.in_flight == 1
            transport.round_trip = 0.05
            server.end = now()
            first = transport.sent[-1][1]
            probe = next(call for call in waiting if f"/{waiting.index(call) + 1}/" in first.url.path)
            probe.cancel()
            await asyncio.gather(*(call for call in waiting if call is not probe))
        assert now() < 3

    async def test_does_not_extend_the_total_time_out_of_waiting_calls(self) -> None:
        server = Server(1e9, 1e9)
        async with session_over(
            FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED, timeouts=Timeouts(total=3)
        ) as session:
            results = await asyncio.gather(*await self.down(session, server), return_exceptions=True)
        assert {type(result) for result in results} == {RequestTimeout}
        assert now() == pytest.approx(3.1, abs=0.1)

    async def test_is_no_longer_waited_for_after_close(self) -> None:
        server = Server(1e9, 1e9)
        async with session_over(FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED) as session:
            waiting = await self.down(session, server)
            await session.close()
            results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} == {ClientClosed}

    async def test_that_gets_another_error_is_retried_or_fails(self) -> None:
        server = Server(1e9, 1e9)
        async with session_over(FakeTransport(server, round_trip=0.05), rate_limit=UNLIMITED) as session:
            waiting = await self.down(session, server)
            server.failure = 500
            results = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(result) for result in results} <= {Response, ServerError}


class TestTheToken:
    async def test_that_expires_in_an_outage_is_requested_until_the_server_is_back(self) -> None:
        server = Server(20, 60, life=30)
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.send(get_active(0))
            await asyncio.sleep(29 - now())
            assert await errors_of_calls(session, range(1, 9)) == []
        assert now() < 66
        assert max(later - earlier for earlier, later in pairwise(token_times(transport)[1:])) < 6

    async def test_endpoint_alone_can_show_an_outage(self) -> None:
        server = Server(31, 60, 502, life=30)
        transport = FakeTransport(server, round_trip=0.05)
        async with session_over(transport, credentials=DEMO, rate_limit=UNLIMITED) as session:
            await session.send(get_active(0))
            await asyncio.sleep(35 - now())
            assert await errors_of_calls(session, range(1, 9)) == []
            assert session.statistics().budget_left == 500
        assert api_times(transport)[1] > 60
