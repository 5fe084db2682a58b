"""The request that `backupify api` builds, and how it writes the body of the response."""

import json
from pathlib import Path

import pytest

from backupify_async._cli.api_call import body_text
from backupify_async._cli.api_request import read_request
from backupify_async._cli.exit_codes import Exit
from backupify_async._cli.writers import JsonWriter


class TestTheRequest:
    def test_is_a_get_without_fields_and_a_post_with_fields(self) -> None:
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
    def test_that_is_invalid_is_refused(
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

    def test_is_one_line_per_item_as_jsonl(self) -> None:
        assert body_text(b'[{"a":1},2]', "jsonl", on_terminal=False) == b'{"a": 1}\n2\n'

    def test_of_all_pages_is_one_array(self) -> None:
        writer = JsonWriter()
        pages = [writer.write([{"id": 1}, {"id": 2}]), writer.write([]), writer.write([{"id": 3}])]
        text = "".join([writer.header(), *pages, writer.footer()])
        assert json.loads(text) == [{"id": 1}, {"id": 2}, {"id": 3}]
        empty = JsonWriter()
        assert json.loads(empty.header() + empty.write([]) + empty.footer()) == []
