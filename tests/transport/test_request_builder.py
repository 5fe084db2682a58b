"""What is sent for a call: headers, body and time-outs, and which of them are secrets."""

import pytest

from backupify_async import BackupifyClient, ConfigurationError, RetryPolicy, StaticToken, Timeouts
from backupify_async._transport.call_state import CallOptions, CallState
from backupify_async._transport.request import Request
from backupify_async._transport.request_builder import RequestBuilder
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.config import Settings
from backupify_async.version import __version__
from tests.support.fake_transport import FakeTransport, respond, session_over
from tests.support.raw_servers import http, serving
from tests.support.scripted import DEMO, PING, Script

VALUE = "tenant-of-the-user-0123456789"


def settings(**options: object) -> Settings:
    return Settings(credentials=StaticToken("t"), base_url="https://api.example/prefix", **options)  # type: ignore[arg-type]


def built(
    request: Request = PING,
    options: CallOptions | None = None,
    token: str | None = "t0ken",
    **of_client: object,
) -> PreparedRequest:
    """The prepared request."""
    made_settings = settings(**of_client)
    call = CallState(request, options or CallOptions.of_client(made_settings))
    return RequestBuilder(made_settings).build(call, token, 1.5)


class TestHeaders:
    def test_hold_the_token_and_those_of_every_request(self) -> None:
        assert dict(built().headers) == {
            "Accept": "application/json",
            "User-Agent": f"backupify-async/{__version__}",
            "Authorization": "Bearer t0ken",
        }

    def test_of_the_client_are_added_and_its_user_agent_is_appended(self) -> None:
        headers = built(headers={"X-Tenant": "acme", "accept": "a/b"}, user_agent="myapp/1.2 (x)").headers
        assert (headers["x-tenant"], headers["Accept"]) == ("acme", "a/b")
        assert headers["User-Agent"] == f"backupify-async/{__version__} myapp/1.2 (x)"

    def test_of_the_call_replace_those_of_the_client(self) -> None:
        options = CallOptions(Timeouts(), RetryPolicy(), {"x-tenant": "other"})
        assert built(PING, options, headers={"X-Tenant": "acme"}).headers["X-Tenant"] == "other"

    def test_of_one_call_are_not_sent_with_the_next(self) -> None:
        made_settings = settings()
        builder, default = RequestBuilder(made_settings), CallOptions.of_client(made_settings)
        options = CallOptions(Timeouts(), RetryPolicy(), {"X-Once": "1"})
        builder.build(CallState(PING, options), "t0ken", 0.0)
        assert "X-Once" not in builder.build(CallState(PING, default), "t0ken", 0.0).headers

    def test_follow_a_new_token_and_forget_the_old_one(self) -> None:
        made_settings = settings()
        builder, options = RequestBuilder(made_settings), CallOptions.of_client(made_settings)
        for token in ("one", "two"):
            request = builder.build(CallState(PING, options), token, 0.0)
            assert (request.headers["Authorization"], request.secrets) == (f"Bearer {token}", (token,))
        builder.forget_token()
        assert "two" not in str(vars(builder))

    async def test_of_the_client_are_sent_with_token_requests_and_those_of_a_call_are_not(self) -> None:
        transport = FakeTransport(Script())
        async with session_over(transport, credentials=DEMO, headers={"X-Tenant": "acme"}) as session:
            options = CallOptions(Timeouts(), RetryPolicy(), {"X-Once": "1"})
            await session.carry(CallState(PING, options))
        token_request, call = (request for _, request in transport.sent)
        assert (token_request.headers["X-Tenant"], call.headers["X-Tenant"]) == ("acme", "acme")
        assert ("X-Once" in token_request.headers, call.headers["X-Once"]) == (False, "1")

    async def test_are_not_sent_to_the_target_of_a_redirect(self) -> None:
        async with serving(http(200)) as elsewhere:
            redirect = http(307, b"", f"Location: {elsewhere.base_url}/v1/ping")
            async with (
                serving(redirect) as server,
                BackupifyClient(
                    StaticToken("t"), base_url=server.base_url, headers={"X-Tenant": VALUE}
                ) as client,
            ):
                with pytest.raises(Exception, match="which is not followed"):
                    await client.backups.get(42, 1)
        assert f"X-Tenant: {VALUE}" in server.header_lines
        assert elsewhere.requests == []


class TestHeaderValues:
    def test_are_in_no_repr(self) -> None:
        made_settings = settings(headers={"X-Tenant": VALUE})
        options = CallOptions(Timeouts(), RetryPolicy(), {"X-Once": VALUE})
        client = BackupifyClient(StaticToken("t"), headers={"X-Tenant": VALUE})
        request = built(PING, options)
        for value in (
            made_settings,
            options,
            client,
            request,
            CallState(PING, options),
            Response(request, 200, {}, b""),
        ):
            assert VALUE not in repr(value)
        assert "X-Tenant" in repr(made_settings)

    @pytest.mark.parametrize("where", ["headers", "options"])
    def test_are_concealed_in_what_the_server_echoes(self, where: str) -> None:
        options = CallOptions(Timeouts(), RetryPolicy(), {"X-Once": VALUE} if where == "options" else {})
        request = built(PING, options, headers={"X-Tenant": VALUE} if where == "headers" else {})
        assert respond(request, 400, f"no {VALUE} here".encode()).excerpt == "no [secret] here"

    def test_can_be_in_a_link_unlike_the_token(self) -> None:
        request = built(token="the-token-of-the-client", headers={"X-Tenant": VALUE})
        assert not request.gives_away(f"/v1/x?tenant={VALUE}")
        assert request.gives_away("/v1/x?t=the-token-of-the-client")

    @pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b", "", " a", "a ", "\u00e4", None, 1])
    def test_that_cannot_be_sent_are_refused_and_not_shown(self, value: object) -> None:
        with pytest.raises(
            ConfigurationError, match="headers: the value of X-A must be visible ASCII"
        ) as caught:
            settings(headers={"X-A": value})
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("name", ["", "X A", "X:", "X\r\n", "\u00dc", None])
    def test_with_a_name_that_cannot_be_sent_are_refused(self, name: object) -> None:
        with pytest.raises(ConfigurationError, match="cannot be a name"):
            settings(headers={name: "a"})

    @pytest.mark.parametrize(
        "name", ["Authorization", "HOST", "content-length", "Content-Type", "Transfer-Encoding", "User-Agent"]
    )
    def test_of_headers_that_the_client_sets_are_refused(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"headers: the client sets {name}"):
            settings(headers={name: "a"})
        with pytest.raises(ConfigurationError, match="headers: the client sets"):
            CallOptions(Timeouts(), RetryPolicy(), {name: "a"})

    def test_for_one_header_twice_are_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="headers: x-a comes twice"):
            settings(headers={"X-A": "1", "x-a": "2"})

    def test_are_copied(self) -> None:
        headers = {"X-A": "1"}
        made_settings = settings(headers=headers)
        headers["X-A"] = "2"
        assert made_settings.headers == {"X-A": "1"}

    @pytest.mark.parametrize("headers", [None, "X-A: 1", [("X-A", "1")]])
    def test_that_are_no_mapping_are_refused(self, headers: object) -> None:
        with pytest.raises(ConfigurationError, match="headers: must be a mapping"):
            settings(headers=headers)


@pytest.mark.parametrize("value", ["", "a\r\nX: y", " a", "\u00e4", 1])
def test_a_user_agent_that_cannot_be_sent_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match="user_agent: must be visible ASCII"):
        settings(user_agent=value)


class TestABody:
    def test_is_sent_with_its_content_type(self) -> None:
        request = built(
            Request("POST", "/v1/x", repeatable=False, body=b'{"a":1}', content_type="application/json")
        )
        assert (request.body, request.headers["Content-Type"]) == (b'{"a":1}', "application/json")
        assert request.new_connection

    def test_is_in_no_repr(self) -> None:
        request = Request("POST", "/v1/x", body=b"s3cret", content_type="application/json")
        assert "s3cret" not in repr(request) + repr(built(request))

    async def test_is_received_by_the_transport(self) -> None:
        transport = FakeTransport(lambda request: respond(request, 200, request.body or b""))
        form = Request("PUT", "/v1/x", body=b"a=b", content_type="application/x-www-form-urlencoded")
        async with session_over(transport) as session:
            assert (await session.send(form)).body == b"a=b"


def test_the_path_is_added_to_the_base_url_and_that_of_a_link_to_the_origin() -> None:
    assert str(built(Request("GET", "/v1/x%2Fy", "q=%2F")).url) == "https://api.example/prefix/v1/x%2Fy?q=%2F"
    assert str(built(Request("GET", "/v1/x", from_origin=True)).url) == "https://api.example/v1/x"
