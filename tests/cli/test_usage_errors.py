"""Wrong options and missing settings: each is named, and nothing is sent."""

import pytest

from backupify_async.testing import SimulatedBackupify
from tests.support.commands import Run


class TestUsage:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["active"], "no instances"),
            (["active", "1", "--all"], "more than one way"),
            (["active", "--all", "--ids-file", "-"], "more than one way"),
            (["active", "."], "not an instance id"),
            (["active", "a\tb"], "not an instance id"),
            (["active", "--ids-file", "/nowhere/ids.txt"], "/nowhere/ids.txt does not exist"),
            (["active", "--ids-file", "/"], "/ is a directory"),
            (["active", "1", "--rate", "nan"], "--rate: expected a number above 0, found nan\n"),
            (["active", "1", "--rate", "-1"], "--rate: expected a number above 0, found -1\n"),
            (["active", "1", "--rate", "0"], "--rate: expected a number above 0, found 0\n"),
            (["active", "1", "--rate", "x"], "--rate: expected a number above 0, found x\n"),
            (["active", "1", "--timeout", "inf"], "--timeout: expected a number above 0, found inf\n"),
            (["active", "1", "--concurrency", "0"], "--concurrency. Must be >= 1."),
            (["active", "1", "--concurrency", "1.5"], "--concurrency"),
            (["list", "1", "--limit", "0"], "--limit. Must be >= 1."),
            (["list", "1", "--newest", "0"], "--newest. Must be >= 1."),
            (["list", "1", "--newest", "5", "--limit", "5"], "exclude each other"),
            (["active", "1", "--output", "xml"], "jsonl"),
            (["active", "1", "--secret", "x"], "--secret"),
            (["activ", "1"], "active"),
            (["list", "1", "--limit", "x"], "--limit: expected a whole number, found x\n"),
            (["simulate", "--seed", "1_0"], "--seed: expected a whole number, found 1_0\n"),
            (["simulate", "--port", "65536"], "--port. Must be <= 65535."),
            (["simulate", "--instances", "-1"], "--instances. Must be >= 0."),
        ],
    )
    def test_a_usage_error_is_reported_without_a_request(
        self, server: SimulatedBackupify, run: Run, arguments: list[str], message: str
    ) -> None:
        result = run(*arguments)
        assert (result.code, result.out, server.requests) == (2, "", [])
        assert message in result.err

    def test_the_help_names_the_defaults(self, run: Run) -> None:
        words = " ".join(run("active", "--help").out.replace("│", " ").split())
        assert "Maximum number of calls per second; of all processes together if they share." in words
        assert "[default: the server's limit]" in words

    @pytest.mark.parametrize("command", ["api", "latest", "list", "trigger", "wait", "whoami"])
    def test_no_line_of_the_help_breaks_on_80_columns(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, command: str
    ) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        paragraphs = run(command, "--help").out.split("\n\n")
        lines = [line for paragraph in paragraphs[2:] for line in paragraph.splitlines()]
        assert [line for line in lines if len(line) > 80 and line[0] not in "│╭╰"] == []

    def test_the_help_explains_throttled_and_retried(self, run: Run) -> None:
        help_text = " ".join(run("--help").out.split())
        assert "throttled calls were refused by the server's rate limit (429)" in help_text
        assert "retried calls were sent again after another failure" in help_text

    def test_no_command_shows_the_help_and_is_an_error(self, run: Run) -> None:
        result = run()
        assert result.code == 2
        assert "simulate" in result.out

    def test_a_group_without_a_command_shows_its_own_help_and_is_an_error(self, run: Run) -> None:
        result = run("journal")
        assert (result.code, result.err) == (2, "")
        assert "Usage: backupify journal COMMAND" in result.out

    @pytest.mark.parametrize(
        ("words", "as_options"),
        [
            (["help"], ["--help"]),
            (["help", "trigger"], ["trigger", "--help"]),
            (["help", "journal", "show"], ["journal", "show", "--help"]),
            (["journal", "help"], ["journal", "--help"]),
            (["journal", "help", "show"], ["journal", "show", "--help"]),
        ],
    )
    def test_help_can_be_a_command(self, run: Run, words: list[str], as_options: list[str]) -> None:
        assert run(*words) == run(*as_options)
        assert run(*words).code == 0


class TestConfiguration:
    def test_missing_credentials_are_named(self, run: Run) -> None:
        result = run("active", "1")
        assert result.code == 2
        assert "BACKUPIFY_CLIENT_ID" in result.err
        assert "`backupify demo` needs none" in result.err

    def test_a_wrong_base_url_is_named(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "ftp://x")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "x")
        result = run("active", "1")
        assert result.code == 2
        assert "BACKUPIFY_BASE_URL" in result.err
        assert "demo" not in result.err

    def test_a_base_url_with_http_is_refused_with_advice_to_use_https(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_BASE_URL", "http://api.example")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "x")
        result = run("active", "1")
        assert result.code == 2
        assert result.err.startswith("backupify: BACKUPIFY_BASE_URL: http:// to api.example would send ")
        assert result.err.endswith("; use https://\n")

    def test_a_missing_secret_file_is_a_configuration_error(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BACKUPIFY_CLIENT_SECRET")
        monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET_FILE", "/nowhere/secret")
        result = run("active", "1")
        assert (result.code, server.requests) == (2, [])
