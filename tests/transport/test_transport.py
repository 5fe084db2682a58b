"""A user's own transport: what it gets, what it returns, and what its exceptions become."""

from collections.abc import Mapping

import pytest
from multidict import CIMultiDict

from backupify_async import (
    AiohttpTransport,
    BackupifyClient,
    ConfigurationError,
    PreparedRequest,
    RequestTimeout,
    Response,
    RetryPolicy,
    Settings,
    StaticToken,
    Transport,
)
from backupify_async._transport.request import DeliveryUnknown
from backupify_async._transport.session import Session
from tests.support.fake_transport import session_over
from tests.support.raw_servers import http, serving
from tests.support.scripted import PING, TRIGGER
from tests.support.transport_values import make_request

ACTIVE = b'{"id": 7, "status": "running"}'


class Recorder:
    """Records what another transport sends and gets."""

    max_concurrency = None

    def __init__(self) -> None:
        self.inner = AiohttpTransport()
        self.exchanges: list[tuple[str, str, int, bytes]] = []

    async def open(self, settings: Settings) -> None:
        await self.inner.open(settings)

    async def close(self) -> None:
        await self.inner.close()

    async def __call__(self, request: PreparedRequest) -> Response:
        response = await self.inner(request)
        self.exchanges.append((request.method, request.url.path, response.status, response.body))
        return response


class Replay:
    """Returns recorded responses or raises errors, without a network."""

    def __init__(self, *steps: bytes | Exception, max_concurrency: int | None = None) -> None:
        self.steps = list(steps)
        self.max_concurrency = max_concurrency
        self.requests: list[PreparedRequest] = []
        self.settings: Settings | None = None
        self.closed = False

    async def open(self, settings: Settings) -> None:
        self.settings = settings

    async def close(self) -> None:
        self.closed = True

    async def __call__(self, request: PreparedRequest) -> Response:
        self.requests.append(request)
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return Response(request, 200, {"content-type": "application/json"}, step)


def client_over(transport: Transport) -> BackupifyClient:
    return BackupifyClient(
        StaticToken("s3cret"), base_url="http://127.0.0.1", transport=transport, max_body_bytes=1234
    )


class TestATransportOfTheUsers:
    async def test_can_record_requests_and_responses(self) -> None:
        recorder = Recorder()
        async with (
            serving(http(200, ACTIVE)) as server,
            BackupifyClient(StaticToken("s3cret"), base_url=server.base_url, transport=recorder) as client,
        ):
            await client.backups.get_active(42)
        path = "/v1/backup_instances/42/backups/active"
        assert recorder.exchanges == [("GET", path, 200, ACTIVE)]

    async def test_can_respond_without_a_network(self) -> None:
        async with client_over(Replay(ACTIVE)) as client:
            backup = await client.backups.get_active(42)
        assert backup is not None
        assert backup.id == 7

    async def test_gets_requests_with_all_that_is_to_be_sent(self) -> None:
        replay = Replay(ACTIVE)
        async with client_over(replay) as client:
            await client.backups.get_active(42)
        (request,) = replay.requests
        assert (request.method, request.body) == ("GET", None)
        assert str(request.url) == "http://127.0.0.1/v1/backup_instances/42/backups/active"
        assert request.headers["Authorization"] == "Bearer s3cret"
        assert (request.repeatable, request.new_connection) == (True, False)
        assert "s3cret" not in repr(request)

    async def test_is_opened_with_the_settings_and_closed_with_the_client(self) -> None:
        replay = Replay(ACTIVE)
        async with client_over(replay):
            assert replay.settings is not None
            assert replay.settings.max_body_bytes == 1234
            assert not replay.closed
        assert replay.closed

    async def test_is_asked_for_a_new_connection_by_requests_that_are_not_repeatable(self) -> None:
        replay = Replay(b"{}")
        async with session_over(replay) as session:
            await session.send(TRIGGER)
        (request,) = replay.requests
        assert (request.repeatable, request.new_connection) == (False, True)

    @pytest.mark.parametrize(("own", "together"), [(None, 64), (5, 5), (99, 64)])
    def test_lowers_how_many_requests_are_in_flight(self, own: int | None, together: int) -> None:
        settings = Settings(credentials=StaticToken("t"), max_concurrency=64)
        session = Session(settings, Replay(max_concurrency=own))
        assert session._gate._max_concurrency == together

    def test_is_not_accepted_together_with_a_connector(self) -> None:
        with pytest.raises(ConfigurationError, match="connector: give it to the transport"):
            BackupifyClient(StaticToken("t"), transport=Replay(), connector=object())  # type: ignore[arg-type]


class TestAnExceptionOfATransport:
    async def test_from_this_library_is_retried(self) -> None:
        replay = Replay(RequestTimeout("slow"), b"{}")
        async with session_over(replay, retry=RetryPolicy(base=0)) as session:
            await session.send(PING)
        assert len(replay.requests) == 2

    async def test_from_elsewhere_is_raised_for_a_repeatable_request(self) -> None:
        replay = Replay(ValueError("broken"))
        async with session_over(replay) as session:
            with pytest.raises(ValueError, match="broken"):
                await session.send(PING)

    async def test_from_elsewhere_leaves_a_trigger_in_doubt(self) -> None:
        replay = Replay(ValueError("Bearer s3cret"))
        async with session_over(replay) as session:
            with pytest.raises(DeliveryUnknown) as caught:
                await session.send(TRIGGER)
        cause = caught.value.cause
        assert "ValueError was raised in test_transport.py, line " in str(cause)
        assert cause.__cause__ is cause.__context__ is None
        assert len(replay.requests) == 1


class TestAResponse:
    @pytest.mark.parametrize("headers", [{"content-type": "a/b"}, CIMultiDict({"CONTENT-TYPE": "a/b"})])
    def test_accepts_any_mapping_of_headers_and_ignores_their_case(self, headers: Mapping[str, str]) -> None:
        response = Response(make_request(), 200, headers, b"")
        assert response.headers["Content-Type"] == response.content_type == "a/b"

    def test_does_not_show_its_headers(self) -> None:
        assert "s3cret" not in repr(Response(make_request(), 200, {"Set-Cookie": "s3cret"}, b""))
