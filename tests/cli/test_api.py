"""`backupify api` and `backupify whoami`."""

import json
from pathlib import Path

import pytest

from backupify_async._cli.api_call import ItemWriter, body_text
from backupify_async._cli.api_request import read_request
from backupify_async._cli.exit_codes import Exit
from backupify_async.testing import Fault, SimulatedBackupify
from tests.support.commands import Run
from tests.support.processes import Result, Terminal, finish, process

YES = ("--yes",)


def with_stdin(path: Path, text: str, *arguments: str) -> Result:
    """Run a command with a file as its stdin."""
    path.write_text(text)
    with path.open() as stdin, process(*arguments, stdin=stdin) as started:
        return finish(started)


class TestTheRequest:
    def test_is_a_get_and_a_post_where_there_are_fields(self) -> None:
        assert read_request("/v1/x", None, [], None).method == "GET"
        request = read_request("/v1/x", None, ["a=1"], None)
        assert (request.method, request.form, request.params) == ("POST", {"a": "1"}, None)

    def test_of_a_list_is_a_get_with_the_fields_in_its_query(self) -> None:
        request = read_request("/v1/x?b=2", None, ["a=1"], None, paginate=True)
        assert (request.method, request.form, request.params) == ("GET", None, {"b": "2", "a": "1"})

    def test_takes_values_and_bodies_from_files(self, tmp_path: Path) -> None:
        (tmp_path / "name").write_text("Ada & Co")
        (tmp_path / "body").write_text('{"a": [1]}')
        assert read_request("/v1/x", None, [f"n=@{tmp_path}/name"], None).form == {"n": "Ada & Co"}
        assert read_request("/v1/x", "put", [], f"{tmp_path}/body").json == {"a": [1]}

    @pytest.mark.parametrize(
        ("path", "method", "fields", "problem"),
        [
            ("https://evil.example/v1", None, (), "no scheme"),
            ("//evil.example", None, (), "one slash"),
            ("/v1/{id}", None, (), "given whole"),
            ("/v1/../x", None, (), "dot segments"),
            ("/v1/x", "G T", (), "not a method"),
            ("/v1/x", None, ("a",), "name=value"),
            ("/v1/x", None, ("a=@/nowhere/at/all",), "no such file"),
            ("/v1/x", None, ("a=@-", "b=@-"), "only once"),
            ("/v1/backup_instances/42/backups", "POST", (), "use `backupify trigger 42`"),
            ("/v1/backup_instances/42/%62ackups/", "POST", (), "starts a backup"),
        ],
    )
    def test_that_makes_no_sense_is_refused(
        self, path: str, method: str | None, fields: tuple[str, ...], problem: str
    ) -> None:
        with pytest.raises(Exit, match=problem):
            read_request(path, method, fields, None)

    def test_is_described_without_secrets(self) -> None:
        request = read_request("/v1/x", None, ["client_secret=hunter2", "user[api_key]=hunter3", "a=1"], None)
        assert request.description() == "POST /v1/x\nclient_secret=[secret]\nuser[api_key]=[secret]\na=1"
        assert "hunter" not in repr(request)


class TestTheBody:
    def test_is_unchanged_for_a_program(self) -> None:
        assert body_text(b'{"a":1}', "json", on_terminal=False) == b'{"a":1}'
        assert body_text(b"\x00\xff", "jsonl", on_terminal=False) == b"\x00\xff"

    def test_is_indented_and_escaped_for_a_person(self) -> None:
        assert body_text(b'{"a":"\xc2\x9b1m"}', "json", on_terminal=True) == b'{\n  "a": "\\u009b1m"\n}\n'
        assert body_text(b"\x1b[31mred\n", "json", on_terminal=True) == b"\\x1b[31mred\n"

    def test_is_one_line_an_item_as_jsonl(self) -> None:
        assert body_text(b'[{"a":1},2]', "jsonl", on_terminal=False) == b'{"a": 1}\n2\n'

    def test_of_all_pages_is_one_array(self) -> None:
        writer = ItemWriter("json", pretty_items=False)
        text = writer.page([{"id": 1}, {"id": 2}]) + writer.page([]) + writer.page([{"id": 3}]) + writer.end()
        assert json.loads(text) == [{"id": 1}, {"id": 2}, {"id": 3}]
        empty = ItemWriter("json", pretty_items=False)
        assert json.loads(empty.page([]) + empty.end()) == []


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

    def test_anything_but_a_get_needs_a_yes(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers", "-F", "customer[name]=Ada")
        assert (result.code, server.requests) == (2, [])
        assert "add --yes, or check with --dry-run" in result.err

    def test_a_dry_run_sends_nothing(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers", "-F", "customer[name]=Ada", "--dry-run")
        assert (result.code, result.out) == (0, "POST /v1/customers\ncustomer[name]=Ada\n")
        assert server.requests == []

    def test_a_trigger_is_refused_unsent(self, server: SimulatedBackupify, run: Run) -> None:
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
    def test_a_list_that_ends_early_is_no_whole_array(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/backup_instances?per_page=5", "--paginate")
        assert (result.code, result.out.count('"id"'), result.out.endswith("]\n")) == (1, 5, False)
        assert "the list ended early: GET /v1/backup_instances answered 403" in result.err


class TestStdin:
    def test_a_json_body_or_a_value_can_come_from_it(self, tmp_path: Path) -> None:
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
    def test_no_question_can_be_asked_then(self, server: SimulatedBackupify, tmp_path: Path) -> None:
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
    def test_one_that_cannot_be_sent_is_reported(
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
    def test_a_time_out_is_called_as_its_option(self, server: SimulatedBackupify, run: Run) -> None:
        assert "--timeout 0.2 s" in run("api", "/v1/vendors/me", "--timeout", "0.2").err

    @pytest.mark.backupify(
        instances=1, faults=[Fault.lose_response(after_acting=True, operation="create_customer")]
    )
    def test_a_lost_response_to_a_post_is_not_retried(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/customers", "-F", "customer[name]=Ada", "--yes")
        assert result.code == 1
        assert len([one for one in server.requests if one.method == "POST"]) == 2  # one was for the token


class TestVerbose:
    @pytest.mark.backupify(instances=1)
    def test_one_v_shows_requests(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("api", "/v1/ping", "-v")
        assert result.err.startswith(f"> [1] GET {server.base_url}/v1/ping\n< [1] 200 in ")


class TestWhoami:
    def test_says_who_and_how_long(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("whoami")
        assert result.code == 0
        server_line, token_line, vendor_line = result.out.splitlines()
        assert server_line.startswith("server  ok, responded in ")
        assert token_line == "token   ok, valid for 899 s"
        assert vendor_line == "vendor  Simulated Vendor (id 900)"

    def test_is_one_object_as_json(self, server: SimulatedBackupify, run: Run) -> None:
        found = json.loads(run("whoami", "-o", "json").out)
        assert {name: check["ok"] for name, check in found.items()} == dict.fromkeys(
            ("server", "token", "vendor"), True
        )
        assert (found["vendor"]["value"], found["token"]["value"]) == (900, 899)

    def test_wrong_credentials_are_exit_code_3_with_advice(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_CLIENT_SECRET", "wrong-secret")
        result = run("whoami")
        assert result.code == 3
        assert result.out.splitlines()[0].startswith("server  ok")
        assert result.out.splitlines()[1].startswith("token   failed: ")
        assert "token: check BACKUPIFY_CLIENT_ID and BACKUPIFY_CLIENT_SECRET" in result.err
        assert "wrong-secret" not in result.out + result.err

    @pytest.mark.backupify(faults=[Fault.answer(403, operation="get_vendor")])
    def test_other_credentials_than_a_vendors_are_named(self, server: SimulatedBackupify, run: Run) -> None:
        result = run("whoami")
        assert (result.code, "vendor: the credentials are valid, but not those" in result.err) == (1, True)

    def test_a_server_that_is_not_there_is_named(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
    ) -> None:
        monkeypatch.setenv("BACKUPIFY_BASE_URL", f"http://127.0.0.1:{unused_tcp_port}")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "a-token-of-24-characters")
        result = run("whoami", "--timeout", "5")
        assert result.code == 1
        assert "server: check BACKUPIFY_BASE_URL, the network and the proxy" in result.err

    @pytest.mark.backupify(faults=[Fault.hang(operation="ping")])
    def test_a_server_that_never_responds_is_named_in_time(
        self, server: SimulatedBackupify, run: Run
    ) -> None:
        result = run("whoami", "--timeout", "0.2")
        assert result.out.splitlines()[0] == "server  failed: the call took longer than --timeout 0.2 s"
        assert "[default: 30.0]" in run("whoami", "--help").out

    @pytest.mark.backupify(instances=1)
    def test_a_given_token_that_is_refused_is_exit_code_3(
        self, server: SimulatedBackupify, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("BACKUPIFY_CLIENT_ID")
        monkeypatch.delenv("BACKUPIFY_CLIENT_SECRET")
        monkeypatch.setenv("BACKUPIFY_TOKEN", "a-token-of-24-characters")
        result = run("whoami")
        assert (result.code, result.out.splitlines()[1]) == (
            3,
            "token   from BACKUPIFY_TOKEN, with no known end",
        )
        assert "a-token-of-24-characters" not in result.out + result.err


@pytest.mark.slow
class TestAtATerminal:
    @pytest.mark.backupify(instances=3)
    def test_a_yes_sends(self, server: SimulatedBackupify) -> None:
        with Terminal(("api", "/v1/customers", "-F", "customer[name]=Ada")) as terminal:
            terminal.expect("Send POST /v1/customers? [y/N] ")
            assert server.requests == []
            terminal.type("y\n")
            assert terminal.end() == 0
        assert '\r\n  "name": "Ada",\r\n' in terminal.seen

    @pytest.mark.backupify(instances=3)
    def test_all_else_sends_nothing(self, server: SimulatedBackupify) -> None:
        with Terminal(("api", "/v1/customers/1", "-X", "DELETE")) as terminal:
            terminal.expect("Send DELETE /v1/customers/1? [y/N] ")
            terminal.type("\n")
            assert terminal.end() == 2
        assert "not confirmed: nothing was sent" in terminal.seen
        assert server.requests == []
