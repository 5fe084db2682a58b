"""`backupify api` against the simulated server: bodies, files, stdin, confirmation and failures."""

import json
from pathlib import Path

import pytest

from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run
from tests.support.processes import Result, Terminal, finish, process

YES = ("--yes",)


def with_stdin(path: Path, text: str, *arguments: str) -> Result:
    """Run a command with a file as its stdin."""
    path.write_text(text)
    with path.open() as stdin, process(*arguments, stdin=stdin) as started:
        return finish(started)


@pytest.mark.backupify(instances=12)
class TestApi:
    def test_the_body_goes_to_stdout(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/vendors/me")
        assert (result.code, json.loads(result.out)["id"], result.err) == (0, 900, "")

    def test_a_list_is_followed_to_its_end(self, server: SimulatedBackupify, run: Run) -> None:
        found = json.loads(run("api", "/v1/backup_instances?per_page=5", "--paginate").out)
        assert [one["id"] for one in found] == [*range(1, 13)]
        lines = run("api", "v1/backup_instances", "-F", "per_page=5", "--paginate", "-o", "jsonl").out
        assert [json.loads(line)["id"] for line in lines.splitlines()] == [*range(1, 13)]

    def test_a_form_is_sent(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers/1", "-X", "PUT", "-F", "customer[name]=Ada", *YES)
        assert (result.code, json.loads(result.out)["name"]) == (0, "Ada")

    def test_any_method_but_get_needs_confirmation(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers", "-F", "customer[name]=Ada")
        assert (result.code, server.requests) == (2, [])
        assert "add --yes, or check with --dry-run" in result.err

    def test_a_dry_run_sends_nothing(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers", "-F", "customer[name]=Ada", "--dry-run")
        assert (result.code, result.out) == (0, "POST /v1/customers\ncustomer[name]=Ada\n")
        assert server.requests == []

    def test_a_trigger_is_refused_and_not_sent(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/backup_instances/1/backups", "-X", "POST", *YES)
        assert (result.code, "use `backupify trigger 1`" in result.err) == (2, True)
        assert server.requests == []

    def test_an_error_of_the_server_is_exit_code_1(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/nothing")
        assert (result.code, result.out) == (1, "")
        assert "GET /v1/nothing answered 404" in result.err

    def test_pagination_needs_a_get(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers", "-X", "POST", "--paginate", *YES)
        assert (result.code, "--paginate needs a GET" in result.err) == (2, True)

    @pytest.mark.backupify(instances=12, faults=[Fault.answer(403, operation="list_instances", every=2)])
    def test_the_array_of_a_list_that_ends_early_is_not_closed(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("api", "/v1/backup_instances?per_page=5", "--paginate")
        assert (result.code, result.out.count('"id"'), result.out.endswith("]\n")) == (1, 5, False)
        assert "the list ended early: GET /v1/backup_instances answered 403" in result.err


class TestStdin:
    def test_it_can_hold_a_json_body_or_a_value(self, tmp_path: Path) -> None:
        for arguments, given in (
            (("--json", "-"), '{"customer": {"name": "Ada"}}'),
            (("-F", "customer[name]=@-"), "Ada"),
        ):
            done = with_stdin(tmp_path / "in", given, "api", "/v1/x", *arguments, "--dry-run")
            assert (done.code, "Ada" in done.out) == (0, True)

    def test_it_can_be_read_only_once(self, run: Run) -> None:
        result = run("api", "/v1/x", "-F", "a=@-", "--json", "-", "--yes")
        assert (result.code, result.err) == (2, "backupify: stdin can be read only once\n")

    @pytest.mark.backupify(instances=3)
    def test_no_confirmation_can_be_asked_for_then(self, server: SimulatedBackupify, tmp_path: Path) -> None:
        done = with_stdin(tmp_path / "in", "Ada", "api", "/v1/customers", "-F", "customer[name]=@-")
        assert done.code == 2
        assert "cannot ask for confirmation while stdin holds a part of the request" in done.err


class TestFiles:
    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (("--json", "/nowhere"), "/nowhere: no such file or directory"),
            (("--json", "NULL"), "null is no body"),
            (("--json", "NAN"), "not JSON"),
            (("--json", "BROKEN"), "not JSON: Expecting value (line 1)"),
            (("--json", "BYTES"), "BYTES: not JSON\n"),
            (("--json", "DEEP"), "nested too deeply"),
            (("--json", "BODY", "-X", "GET"), "a GET has no body"),
            (("-F", "a=@BYTES"), "BYTES: not UTF-8 text"),
        ],
    )
    def test_a_file_that_cannot_be_sent_is_reported(
        self, run: Run, contents: None, arguments: tuple[str, ...], problem: str
    ) -> None:
        result = run("api", "/v1/x", *arguments, "--yes")
        assert (result.code, result.out, problem in result.err) == (2, "", True)

    @pytest.fixture
    def contents(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        contents = {"BODY": b"{}", "NULL": b"null", "NAN": b"[NaN]", "BROKEN": b"x", "BYTES": b"\xff"}
        for name, content in {**contents, "DEEP": b"[" * 200_000}.items():
            (tmp_path / name).write_bytes(content)


class TestFailure:
    @pytest.mark.backupify(instances=1)
    def test_an_http_error_exits_with_one(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/nope")
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("backupify: GET /v1/nope answered 404: ")

    @pytest.mark.backupify(instances=1)
    def test_a_refused_secret_exits_with_three(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET", "wrong-secret")
        result = run("api", "/v1/vendors/me")
        assert (result.code, result.out) == (3, "")
        assert result.err.startswith("backupify: authentication failed: ")

    def test_missing_credentials_exit_with_two(self, run: Run) -> None:
        assert run("api", "/v1/vendors/me").code == 2

    @pytest.mark.backupify(instances=1, faults=[Fault.hang(operation="get_vendor")])
    def test_a_time_out_is_named_after_its_option(self, server: SimulatedBackupify, run: Run) -> None:
        assert "--timeout 0.2 s" in run("api", "/v1/vendors/me", "--timeout", "0.2").err

    @pytest.mark.backupify(
        instances=1, faults=[Fault.lose_response(after_acting=True, operation="create_customer")]
    )
    def test_a_lost_response_to_a_post_is_not_retried(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers", "-F", "customer[name]=Ada", "--yes")
        assert result.code == 1
        assert len([one for one in server.requests if one.method == "POST"]) == 2  # one of them for the token


class TestVerbose:
    @pytest.mark.backupify(instances=1)
    def test_it_shows_requests(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/ping", "-v")
        assert result.err.startswith(f"> [1] GET {server.base_url}/v1/ping\n< [1] 200 in ")


@pytest.mark.slow
class TestAtATerminal:
    @pytest.mark.backupify(instances=3)
    def test_a_yes_sends_the_request(self, server: SimulatedBackupify) -> None:
        with Terminal(("api", "/v1/customers", "-F", "customer[name]=Ada")) as terminal:
            terminal.expect("Send POST /v1/customers? [y/N] ")
            assert server.requests == []
            terminal.type("y\n")
            assert terminal.end() == 0
        assert '\r\n  "name": "Ada",\r\n' in terminal.seen

    @pytest.mark.backupify(instances=3)
    def test_any_other_input_sends_nothing(self, server: SimulatedBackupify) -> None:
        with Terminal(("api", "/v1/customers/1", "-X", "DELETE")) as terminal:
            terminal.expect("Send DELETE /v1/customers/1? [y/N] ")
            terminal.type("\n")
            assert terminal.end() == 2
        assert "not confirmed: nothing was sent" in terminal.seen
        assert server.requests == []
