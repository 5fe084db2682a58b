"""`client.request` and `client.iterate`, without a network."""

import copy
import pickle
from typing import Any

import attrs
import pytest

from backupify_async import (
    AmbiguousRequest,
    APIError,
    ConnectionFailed,
    DecodeError,
    NotFound,
    RequestTimeout,
    RetryPolicy,
    ServerError,
    TransportError,
)
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import always, client_over, respond
from tests.support.scripted import DEMO, Script, Step, after, bearer

pytestmark = pytest.mark.looptime


@attrs.frozen
class Customer:
    """A model of a user's own."""

    id: int
    name: str | None = None


class TestTheResponse:
    async def test_has_status_headers_request_id_and_json(self) -> None:
        client, _ = client_over(always({"id": 7}, 201, **{"X-Request-Id": "r1", "X-Thing": "a"}))
        async with client:
            response = await client.request("POST", "/v1/customers", form={"customer": {"name": "Ada"}})
        assert (response.status, response.request_id, response.headers["x-thing"]) == (201, "r1", "a")
        assert (response.json(), response.body) == ({"id": 7}, b'{"id":7}')

    async def test_is_read_as_any_attrs_class(self) -> None:
        client, _ = client_over(always({"customer": {"id": 7, "name": 3}}))
        async with client:
            response = await client.request("GET", "/v1/customers/{customer_id}", customer_id=7)
        assert response.read_as(Customer) == Customer(7)

    async def test_that_is_not_json_is_a_decode_error(self) -> None:
        client, _ = client_over(always(b"<html>"))
        async with client:
            response = await client.request("GET", "/v1/ping")
        with pytest.raises(DecodeError, match="not JSON"):
            response.json()

    async def test_shows_no_token_and_cannot_be_pickled_or_copied(self) -> None:
        client, _ = client_over(always({}))
        async with client:
            response = await client.request("GET", "/v1/vendors/me")
        assert repr(response) == "APIResponse(status=200)"
        for copy_out in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match="keep its json"):
                copy_out(response)


class TestARequest:
    async def test_takes_a_body_as_json(self) -> None:
        client, transport = client_over(always({}))
        async with client:
            await client.request("put", "/v1/customers/{id}", json={"a": [1, None]}, id=7)
        ((_, request),) = transport.sent
        assert (request.method, request.body) == ("PUT", b'{"a":[1,null]}')
        assert request.headers["Content-Type"] == "application/json"

    async def test_returns_the_statuses_that_it_names_and_raises_others(self) -> None:
        client, _ = client_over(always({"error": "none"}, 404))
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
    async def test_that_is_invalid_is_refused_and_not_sent(
        self, arguments: tuple[Any, str], error: type[Exception], problem: str
    ) -> None:
        client, transport = client_over(always({}))
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
    async def test_with_invalid_options_is_refused_and_not_sent(
        self, options: dict[str, Any], error: type[Exception], problem: str
    ) -> None:
        client, transport = client_over(always({}))
        async with client:
            with pytest.raises(error, match=problem):
                await client.request("POST", "/v1/customers", **options)
        assert transport.sent == []

    async def test_of_the_method_get_has_no_body(self) -> None:
        client, _ = client_over(always({}))
        async with client:
            with pytest.raises(ValueError, match="a GET has no body: use params="):
                await client.request("GET", "/v1/customers", form={"a": 1})

    async def test_that_is_a_trigger_is_refused_and_names_the_method_for_it(self) -> None:
        client, transport = client_over(always({}, 201))
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
    async def test_is_retried_if_its_method_is_repeatable(self, method: str) -> None:
        assert await self.run(500, method=method) == (200, 2)

    @pytest.mark.parametrize("lost", [500, 503, RequestTimeout("slow"), ConnectionFailed("reset")])
    async def test_is_ambiguous_if_its_method_is_not_repeatable(self, lost: Step) -> None:
        error, sent = await self.run(lost)
        assert isinstance(error, AmbiguousRequest)
        assert (error.method, error.path, sent) == ("POST", "/v1/customers", 1)
        assert isinstance(error.cause, ServerError | TransportError)
        assert error.__cause__ is error.cause

    async def test_is_retried_if_the_caller_says_that_it_is_repeatable(self) -> None:
        assert await self.run(500, repeatable=True) == (200, 2)
        error, sent = await self.run(500, method="PUT", repeatable=False)
        assert (isinstance(error, AmbiguousRequest), sent) == (True, 1)

    async def test_is_retried_if_the_server_did_nothing(self) -> None:
        assert await self.run((429, after("2"))) == (200, 2)
        assert await self.run(ConnectionFailed("no route", sent=False)) == (200, 2)


class TestThePing:
    async def test_needs_no_token(self) -> None:
        client, transport = client_over(Script(tokens=(401, 401, 401, 401)), credentials=DEMO)
        async with client:
            assert (await client.request("GET", "/v1/ping")).status == 200
        assert [bearer(request) for _, request in transport.sent] == [""]

    async def test_raises_a_401_at_once(self) -> None:
        client, transport = client_over(always({}, 401))
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

    async def test_reads_raw_objects_without_a_model(self) -> None:
        client, _ = client_over(self.pages)
        async with client:
            assert await client.iterate("/v1/customers").collect(limit=2) == [
                {"id": 1, "name": "x"},
                {"id": 2, "name": "x"},
            ]
            assert [len(page.items) async for page in client.iterate("/v1/customers").pages()] == [1, 1, 1]

    async def test_sends_params_and_per_page(self) -> None:
        client, transport = client_over(always([]))
        async with client:
            await client.iterate("/v1/x", params={"vendor_id": 3, "none": None}, per_page=50).collect()
        assert dict(transport.sent[0][1].url.query) == {"vendor_id": "3", "per_page": "50"}

    async def test_of_items_other_than_objects_is_a_decode_error(self) -> None:
        client, _ = client_over(always([1]))
        async with client:
            with pytest.raises(DecodeError, match="a list of objects was expected, not of int"):
                await client.iterate("/v1/x").collect()

    async def test_refuses_invalid_arguments_at_once(self) -> None:
        client, _ = client_over(always([]))
        with pytest.raises(ValueError, match="per_page"):
            client.iterate("/v1/x", per_page=0)
        with pytest.raises(TypeError, match="needs an id: customer_id"):
            client.iterate("/v1/customers/{customer_id}/backup_instances")
