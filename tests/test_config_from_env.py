"""Settings from the environment."""

from pathlib import Path

import pytest

from backupify_async import ClientCredentials, ConfigurationError, Settings, StaticToken

NAMES = {
    "token": "BACKUPIFY_TOKEN",
    "id": "BACKUPIFY_CLIENT_ID",
    "secret": "BACKUPIFY_CLIENT_SECRET",
    "file": "BACKUPIFY_CLIENT_SECRET_FILE",
    "url": "BACKUPIFY_BASE_URL",
}


def from_env(**variables: str) -> Settings:
    return Settings.from_env({NAMES[name]: value for name, value in variables.items()})


class TestTheEnvironment:
    def test_a_token_is_enough(self) -> None:
        assert from_env(token="abc").credentials == StaticToken("abc")

    def test_an_id_and_a_secret_are_enough(self) -> None:
        assert from_env(id="demo", secret="abc").credentials == ClientCredentials("demo", "abc")

    def test_the_secret_can_be_in_a_file(self) -> None:
        assert from_env(id="demo", file="nowhere").credentials == ClientCredentials("demo", Path("nowhere"))

    @pytest.mark.parametrize(
        ("variables", "named"),
        [
            ({}, ["id", "secret", "file", "token"]),
            ({"id": "demo"}, ["secret", "id", "file"]),
            ({"secret": "s3cret"}, ["id", "secret"]),
            ({"file": "nowhere"}, ["id", "file"]),
            ({"secret": "s3cret", "file": "nowhere"}, ["id"]),
            ({"id": "demo", "secret": "s3cret", "file": "nowhere"}, ["secret", "file"]),
            ({"token": "s3cret", "id": "demo"}, ["token", "id"]),
            ({"token": "s3cret", "secret": "s3cret"}, ["token", "secret"]),
            ({"token": "s3cret", "file": "nowhere"}, ["token", "file"]),
            ({"token": "s3cret", "id": "demo", "secret": "s3cret"}, ["token", "id"]),
            ({"token": ""}, ["token"]),
            ({"token": "  "}, ["token"]),
            ({"id": "", "secret": "s3cret"}, ["id"]),
            ({"id": "demo", "secret": ""}, ["secret"]),
            ({"id": "demo", "secret": "s3cret", "file": ""}, ["file"]),
            ({"token": "s3cret", "url": "api.example"}, ["url"]),
            ({"token": "s3cret", "url": "https://u:s3cret@h"}, ["url"]),
            ({"token": "s3cret", "url": "http://api.example"}, ["url"]),
        ],
    )
    def test_a_variable_that_is_missing_superfluous_or_empty_is_named(
        self, variables: dict[str, str], named: list[str]
    ) -> None:
        with pytest.raises(ConfigurationError) as caught:
            from_env(**variables)
        message = str(caught.value)
        assert [NAMES[name] for name in named if NAMES[name] not in message] == []
        assert "s3cret" not in message

    def test_a_token_that_no_header_can_carry_is_named(self) -> None:
        with pytest.raises(ConfigurationError, match="BACKUPIFY_TOKEN"):
            from_env(token="s3\ncret")

    @pytest.mark.parametrize("around", ["{}\n", "{}\r", "\ufeff{}\r\n"])
    def test_line_ends_and_a_bom_around_a_value_are_stripped(self, around: str) -> None:
        demo, abc = around.format("demo"), around.format("abc")
        assert from_env(token=abc).credentials == StaticToken("abc")
        assert from_env(id=demo, secret=abc).credentials == ClientCredentials("demo", "abc")
        assert from_env(id=demo, file=abc).credentials == ClientCredentials("demo", Path("abc"))

    @pytest.mark.parametrize("text", ["s3\x00cret", "s3\rcret", "s3crét", "\ts3cret"])
    @pytest.mark.parametrize(("bad", "good"), [("id", "secret"), ("secret", "id")])
    def test_an_id_or_secret_that_oauth_forbids_is_reported_by_its_variable(
        self, text: str, bad: str, good: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=f"^{NAMES[bad]}: contains") as caught:
            from_env(**{bad: text, good: "abc"})
        assert "s3" not in str(caught.value)

    def test_the_base_url_has_a_default(self) -> None:
        assert from_env(token="abc").base_url == "https://api.backupify.com"
        assert from_env(token="abc", url="").base_url == "https://api.backupify.com"

    def test_the_base_url_can_be_set(self) -> None:
        assert from_env(token="abc", url="https://api.example/x").base_url == "https://api.example/x"

    def test_a_proxy_in_the_environment_is_used(self) -> None:
        assert from_env(token="abc").trust_env

    def test_options_override_the_environment(self) -> None:
        environ = {"BACKUPIFY_TOKEN": "abc", "BACKUPIFY_BASE_URL": "not even a URL"}
        made = Settings.from_env(environ, base_url="https://api.example", trust_env=False, max_concurrency=3)
        assert (made.base_url, made.trust_env, made.max_concurrency) == ("https://api.example", False, 3)

    def test_http_can_be_allowed(self) -> None:
        environ = {"BACKUPIFY_TOKEN": "abc", "BACKUPIFY_BASE_URL": "http://api.example"}
        assert Settings.from_env(environ, allow_insecure=True).base_url == "http://api.example"

    def test_the_default_is_the_environment_of_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in NAMES.values():
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("BACKUPIFY_TOKEN", "abc")
        assert Settings.from_env().credentials == StaticToken("abc")
