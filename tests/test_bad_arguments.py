"""Ids and settings that cannot be used: each is named, and nothing is sent."""

import json
from typing import Any

import pytest

from backupify_async import BackupifyClient, ClientCredentials, ConfigurationError, RateLimit, StaticToken
from tests.support.calls import CALLS_WITH_AN_ID, Call
from tests.support.clients import client_of
from tests.support.raw_servers import ScriptedServer, http, raw_server


class TestIds:
    @pytest.mark.parametrize("call", CALLS_WITH_AN_ID.values(), ids=CALLS_WITH_AN_ID)
    @pytest.mark.parametrize("bad", ["", ".", "..", "a\nb", "\x00", "\x7f", "\x85", "\ud800"], ids=ascii)
    async def test_an_invalid_id_is_named_and_nothing_is_sent(self, call: Call, bad: str) -> None:
        server = ScriptedServer(http(200, b"{}"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(ValueError, match=r"backup_instance_id|backup_id|customer_id"):
                await call(client, bad)
        assert server.requests == []

    @pytest.mark.parametrize("call", CALLS_WITH_AN_ID.values(), ids=CALLS_WITH_AN_ID)
    @pytest.mark.parametrize("bad", [1.0, True, None, b"1", [1]], ids=repr)
    async def test_an_id_that_is_neither_int_nor_str_is_named_and_nothing_is_sent(
        self, call: Call, bad: Any
    ) -> None:
        server = ScriptedServer(http(200, b"{}"))
        async with raw_server(server) as url, client_of(url) as client:
            with pytest.raises(TypeError, match=r"backup_instance_id|backup_id|customer_id"):
                await call(client, bad)
        assert server.requests == []

    @pytest.mark.parametrize(
        ("value", "sent"),
        [
            (42, "42"),
            ("42", "42"),
            (-7, "-7"),
            (0, "0"),
            ("a/b", "a%2Fb"),
            ("a b?c#d%2F", "a%20b%3Fc%23d%252F"),
            ("...", "..."),
            ("é", "%C3%A9"),
            ("042", "042"),
        ],
    )
    async def test_any_other_id_is_sent_percent_encoded(self, value: int | str, sent: str) -> None:
        server = ScriptedServer(http(200, json.dumps({"id": value}).encode()))
        async with raw_server(server) as url, client_of(url) as client:
            await client.backups.get(value, str(value))
        assert server.request_lines == [f"GET /v1/backup_instances/{sent}/backups/{sent}"]


class TestConfiguration:
    @pytest.mark.parametrize(
        ("environ", "named"),
        [
            ({}, "BACKUPIFY_CLIENT_ID"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_CLIENT_ID": "i"}, "BACKUPIFY_CLIENT_ID"),
            ({"BACKUPIFY_CLIENT_ID": "i", "BACKUPIFY_CLIENT_SECRET": ""}, "BACKUPIFY_CLIENT_SECRET"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_BASE_URL": "https://"}, "BACKUPIFY_BASE_URL"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_BASE_URL": "https://u:p@api.example"}, "BACKUPIFY_BASE_URL"),
            ({"BACKUPIFY_TOKEN": "t", "BACKUPIFY_BASE_URL": "http://api.example"}, "BACKUPIFY_BASE_URL"),
        ],
    )
    def test_an_error_in_the_environment_names_the_variable(
        self, environ: dict[str, str], named: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=named):
            BackupifyClient.from_env(environ)

    @pytest.mark.parametrize(
        "base_url", ["", "api.example", "https://", "https://u:p@api.example", "ftp://a"]
    )
    def test_an_invalid_base_url_names_its_argument(self, base_url: str) -> None:
        with pytest.raises(ConfigurationError, match="base_url"):
            BackupifyClient(StaticToken("t"), base_url=base_url)

    def test_an_empty_secret_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="secret"):
            ClientCredentials("id", "")

    def test_an_object_that_is_not_credentials_is_named(self) -> None:
        no_credentials: Any = None
        with pytest.raises(ConfigurationError, match="credentials"):
            BackupifyClient(no_credentials)

    @pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
    def test_numbers_out_of_range_are_named(self, value: Any) -> None:
        with pytest.raises(ValueError, match="per_second"):
            RateLimit(value, adaptive=False)
        with pytest.raises(ValueError, match="burst"):
            RateLimit(1, value, adaptive=False)
        with pytest.raises(ValueError, match="max_concurrency"):
            BackupifyClient(StaticToken("t"), max_concurrency=value)
