"""`client.request`, `client.iterate` and `client.with_options`, without a network."""

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from backupify_async import (
    AmbiguousRequest,
    APIError,
    BackupifyClient,
    ClientClosed,
    ConfigurationError,
    ConnectionFailed,
    DecodeError,
    Event,
    NotFound,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    StaticToken,
    Timeouts,
    TransportError,
)
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond
from tests.support.scripted import DEMO, UNLIMITED, Script, Step, after, bearer, now

pytestmark = pytest.mark.looptime
TOKEN = "a-token-of-24-characters"


@attrs.frozen
class Customer:
    """A model of a user's own."""

    id: int
    name: str | None = None


def client_over(
    answer: Callable[[PreparedRequest], Response], round_trip: float = 0.0, **options: Any
) -> tuple[BackupifyClient, FakeTransport]:
    transport = FakeTransport(answer, round_trip)
    options = {"rate_limit": UNLIMITED, "credentials": StaticToken(TOKEN), **options}
    return BackupifyClient(options.pop("credentials"), transport=transport, **options), transport


def says(body: object, status: int = 200, **headers: str) -> Callable[[PreparedRequest], Response]:
    return lambda request: respond(request, status, body, headers)


class TestTheResponse:
    async def test_has_status_headers_request_id_and_json(self) -> None:
        client, _ = client_over(says({"id": 7}, 201, **{"X-Request-Id": "r1", "X-Thing": "a"}))
        async with client:
            response = await client.request("POST", "/v1/customers", form={"customer": {"name": "Ada"}})
        assert (response.status, response.request_id, response.headers["x-thing"]) == (201, "r1", "a")
        assert (response.json(), response.body) == ({"id": 7}, b'{"id":7}')

    async def test_is_read_as_any_attrs_class(self) -> None:
        client, _ = client_over(says({"customer": {"id": 7, "name": 3}}))
        async with client:
            response = await client.request("GET", "/v1/customers/{customer_id}", customer_id=7)
        assert response.read_as(Customer) == Customer(7)

    async def test_that_is_not_json_is_a_decode_error(self) -> None:
        client, _ = client_over(says(b"<html>"))
        async with client:
            response = await client.request("GET", "/v1/ping")
        with pytest.raises(DecodeError, match="not JSON"):
            response.json()

    async def test_shows_no_token_and_is_not_pickled(self) -> None:
        client, _ = client_over(says({}))
        async with client:
            response = await client.request("GET", "/v1/vendors/me")
        assert repr(response) == "APIResponse(status=200)"
        for keep in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="keep its json"):
                keep(response)


class TestARequest:
    async def test_takes_a_body_as_json(self) -> None:
        client, transport = client_over(says({}))
        async with client:
            await client.request("put", "/v1/customers/{id}", json={"a": [1, None]}, id=7)
        ((_, request),) = transport.sent
        assert (request.method, request.body) == ("PUT", b'{"a":[1,null]}')
        assert request.headers["Content-Type"] == "application/json"

    async def test_returns_the_statuses_that_it_names_and_raises_others(self) -> None:
        client, _ = client_over(says({"error": "none"}, 404))
        async with client:
            assert (await client.request("GET", "/v1/x", answers={404})).status == 404
            with pytest.raises(NotFound):
                await client.request("GET", "/v1/x")

    @pytest.mark.parametrize(
        ("arguments", "error", "problem"),
        [
            (("GET", "https://evil.example/v1"), ValueError, "one slash"),
            (("GET", "//evil.example/v1"), ValueError, "one slash"),
            (("GET", "/v1/../oauth/token"), ValueError, "dot segments"),
            (("GET", "/v1/x#y"), ValueError, "fragment"),
            (("GET", "/v1/x\n"), ValueError, "control characters"),
            (("CONNECT", "/v1/x"), ValueError, "not a method of the API"),
            (("G T", "/v1/x"), ValueError, "not a method of the API"),
            ((1, "/v1/x"), TypeError, "the method must be a str"),
        ],
    )
    async def test_that_makes_no_sense_is_refused_unsent(
        self, arguments: tuple[Any, str], error: type[Exception], problem: str
    ) -> None:
        client, transport = client_over(says({}))
        async with client:
            with pytest.raises(error, match=problem):
                await client.request(*arguments)
        assert transport.sent == []

    @pytest.mark.parametrize(
        ("options", "error", "problem"),
        [
            ({"form": {"a": 1}, "json": {}}, ValueError, "one body"),
            ({"answers": {200}}, ValueError, "from 300 to 599"),
            ({"answers": {401}}, ValueError, "but 401"),
            ({"answers": {"404"}}, TypeError, "must be an int"),
            ({"answers": 404}, TypeError, "a collection of statuses"),
            ({"json": object()}, TypeError, "json: "),
            ({"form": []}, TypeError, "form must be a mapping"),
            ({"params": "a=b"}, TypeError, "params must be a mapping"),
            ({"customer_id": 7}, TypeError, "no such id"),
        ],
    )
    async def test_with_options_that_make_no_sense_is_refused_unsent(
        self, options: dict[str, Any], error: type[Exception], problem: str
    ) -> None:
        client, transport = client_over(says({}))
        async with client:
            with pytest.raises(error, match=problem):
                await client.request("POST", "/v1/customers", **options)
        assert transport.sent == []

    async def test_of_the_method_get_has_no_body(self) -> None:
        client, _ = client_over(says({}))
        async with client:
            with pytest.raises(ValueError, match="a GET has no body: use params="):
                await client.request("GET", "/v1/customers", form={"a": 1})

    async def test_that_is_a_trigger_is_refused_with_a_pointer(self) -> None:
        client, transport = client_over(says({}, 201))
        path = "/v1/backup_instances/{instance}/backups"
        async with client:
            with pytest.raises(ValueError, match=r"client\.backups\.trigger\(\), which never starts two"):
                await client.request("POST", path, instance=42)
            assert transport.sent == []
            assert (await client.request("POST", path, instance=42, unsafe=True)).status == 201


class TestARequestThatFails:
    async def run(self, *steps: Step, method: str = "POST", **options: Any) -> tuple[object, int]:
        client, transport = client_over(Script(*steps), retry=RetryPolicy(base=1))
        outcome: object
        async with client:
            try:
                outcome = (await client.request(method, "/v1/customers", **options)).status
            except (APIError, TransportError, AmbiguousRequest) as error:
                outcome = error
        return outcome, len(transport.sent)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
    async def test_is_sent_again_where_its_method_is_repeatable(self, method: str) -> None:
        assert await self.run(500, method=method) == (200, 2)

    @pytest.mark.parametrize("lost", [500, 503, RequestTimeout("slow"), ConnectionFailed("reset")])
    async def test_is_ambiguous_where_its_method_is_not(self, lost: Step) -> None:
        error, sent = await self.run(lost)
        assert isinstance(error, AmbiguousRequest)
        assert (error.method, error.path, sent) == ("POST", "/v1/customers", 1)
        assert isinstance(error.cause, ServerError | TransportError)
        assert error.__cause__ is error.cause

    async def test_is_sent_again_where_the_caller_says_that_it_is_repeatable(self) -> None:
        assert await self.run(500, repeatable=True) == (200, 2)
        error, sent = await self.run(500, method="PUT", repeatable=False)
        assert (isinstance(error, AmbiguousRequest), sent) == (True, 1)

    async def test_is_sent_again_where_it_did_nothing(self) -> None:
        assert await self.run((429, after("2"))) == (200, 2)
        assert await self.run(ConnectionFailed("no route", sent=False)) == (200, 2)


class TestThePing:
    async def test_needs_no_token(self) -> None:
        client, transport = client_over(Script(tokens=(401, 401, 401, 401)), credentials=DEMO)
        async with client:
            assert (await client.request("GET", "/v1/ping")).status == 200
        assert [bearer(request) for _, request in transport.sent] == [""]

    async def test_that_is_answered_401_is_raised_at_once(self) -> None:
        client, transport = client_over(says({}, 401))
        async with client:
            with pytest.raises(APIError):
                await client.request("GET", "/v1/ping")
        assert len(transport.sent) == 1


class TestIterate:
    @staticmethod
    def pages(request: PreparedRequest) -> Response:
        number = int(request.url.query.get("page", 1))
        link = f'<{request.url.origin()}/v1/customers?page={number + 1}>; rel="next"'
        return respond(request, 200, [{"id": number, "name": "x"}], {"Link": link} if number < 3 else {})

    async def test_reads_the_items_as_a_model(self) -> None:
        client, _ = client_over(self.pages)
        async with client:
            found = [customer async for customer in client.iterate("/v1/customers", Customer)]
        assert found == [Customer(1, "x"), Customer(2, "x"), Customer(3, "x")]

    async def test_reads_raw_objects_without_one(self) -> None:
        client, _ = client_over(self.pages)
        async with client:
            assert await client.iterate("/v1/customers").collect(limit=2) == [
                {"id": 1, "name": "x"},
                {"id": 2, "name": "x"},
            ]
            assert [len(page.items) async for page in client.iterate("/v1/customers").pages()] == [1, 1, 1]

    async def test_asks_for_what_params_say(self) -> None:
        client, transport = client_over(says([]))
        async with client:
            await client.iterate("/v1/x", params={"vendor_id": 3, "none": None}, per_page=50).collect()
        assert dict(transport.sent[0][1].url.query) == {"vendor_id": "3", "per_page": "50"}

    async def test_of_something_else_than_objects_is_a_decode_error(self) -> None:
        client, _ = client_over(says([1]))
        async with client:
            with pytest.raises(DecodeError, match="a list of objects was expected, not of int"):
                await client.iterate("/v1/x").collect()

    async def test_refuses_at_once_what_makes_no_sense(self) -> None:
        client, _ = client_over(says([]))
        with pytest.raises(ValueError, match="per_page"):
            client.iterate("/v1/x", per_page=0)
        with pytest.raises(TypeError, match="needs an id: customer_id"):
            client.iterate("/v1/customers/{customer_id}/backup_instances")


class TestOtherOptions:
    async def test_are_those_of_its_calls_only(self) -> None:
        client, transport = client_over(says({"id": 1}), headers={"X-One": "client-1", "X-Two": "client-2"})
        async with client:
            other = client.with_options(headers={"x-one": "option-1"})
            other = other.with_options(headers={"X-Three": "option-3"})
            await other.instances.get(1)
            await client.instances.get(1)
        names = ("X-One", "X-Two", "X-Three")
        one, two = ([request.headers.get(name) for name in names] for _, request in transport.sent)
        assert one == ["option-1", "client-2", "option-3"]
        assert two == ["client-1", "client-2", None]

    async def test_have_time_outs_of_their_own(self) -> None:
        client, transport = client_over(says({"id": 1}), round_trip=5)
        async with client:
            with pytest.raises(RequestTimeout, match="total=2 s"):
                await client.with_options(timeouts=Timeouts(total=2)).instances.get(1)
            assert (await client.instances.get(1)).id == 1
        assert transport.sent[0][1].timeouts == Timeouts(total=2)

    async def test_have_retries_of_their_own_within_the_client_s_budget(self) -> None:
        client, transport = client_over(Script(*[500] * 9), retry=RetryPolicy(budget=500))
        async with client:
            once = client.with_options(retry=RetryPolicy(attempts=1, budget=1, max_outage=1))
            with pytest.raises(ServerError):
                await once.instances.get(1)
            assert len(transport.sent) == 1
            assert once.statistics().budget_left == client.statistics().budget_left == 500

    async def test_have_a_hook_of_their_own(self) -> None:
        ours: list[Event] = []
        theirs: list[Event] = []
        client, _ = client_over(says({"id": 1}), on_event=ours.append)
        async with client:
            await client.with_options(on_event=theirs.append).instances.get(1)
            assert [type(event).__name__ for event in theirs] == ["RequestSent", "ResponseReceived"]
            await client.instances.get(1)
        assert len(theirs) == 2
        assert [type(event).__name__ for event in ours] == [
            "TokenRefreshed",
            "RequestSent",
            "ResponseReceived",
        ]

    async def test_share_token_gate_and_counts(self) -> None:
        client, transport = client_over(Script(), credentials=DEMO)
        async with client:
            await client.with_options(background=True).request("GET", "/v1/vendors/me")
            await client.request("GET", "/v1/vendors/me")
            assert client.statistics().requests == 3
        assert len([request for _, request in transport.sent if request.url.path == "/oauth/token"]) == 1

    async def test_let_other_calls_go_first(self) -> None:
        order: list[str] = []
        client, _ = client_over(says({}), round_trip=1, max_concurrency=1)

        async def call(one: BackupifyClient, name: str) -> None:
            await one.request("GET", "/v1/vendors/me")
            order.append(name)

        async with client:
            behind = client.with_options(background=True)
            names = {"first": client, "background": behind, "second": client, "third": client}
            await asyncio.gather(*(call(one, name) for name, one in names.items()))
        assert order == ["first", "second", "third", "background"]

    async def test_leave_the_longest_retry_after_to_the_client(self) -> None:
        client, transport = client_over(Script((429, after("3"))), retry=RetryPolicy(max_retry_after=5))
        async with client:
            other = client.with_options(retry=RetryPolicy(max_retry_after=1))
            assert (await other.request("GET", "/v1/vendors/me")).status == 200
        assert transport.times == [0, 3]

    async def test_do_not_open_the_client(self) -> None:
        client, _ = client_over(says({}))
        with pytest.raises(ConfigurationError, match="the client is not open"):
            async with client.with_options(background=True):
                pass

    async def test_close_nothing(self) -> None:
        client, _ = client_over(says({"id": 1}))
        async with client:
            async with client.with_options(background=True) as other:
                await other.instances.get(1)
            assert (await client.instances.get(1)).id == 1
        with pytest.raises(ClientClosed):
            await other.instances.get(1)

    async def test_are_drained_with_the_client(self) -> None:
        client, _ = client_over(says({}, 201), round_trip=1)
        async with client:
            other = client.with_options(timeouts=Timeouts(attempt=5))
            assert await client.drain() == 0
            with pytest.raises(ClientClosed, match="no backup of instance 1 was triggered"):
                await other.backups.trigger(1)
            assert now() == 0

    async def test_that_cannot_be_sent_are_refused(self) -> None:
        client, _ = client_over(says({}))
        with pytest.raises(ConfigurationError, match="the client sets Authorization"):
            client.with_options(headers={"Authorization": "Bearer x"})
