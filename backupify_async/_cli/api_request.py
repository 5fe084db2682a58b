"""The request of `backupify api`, read from its arguments and checked before anything is sent."""

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import attrs

from backupify_async._cli.descriptors import read_some
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.id_files import STDIN
from backupify_async._cli.request_fields import Nested, nest, split_field, split_query
from backupify_async._endpoints import form as form_encoding
from backupify_async._endpoints.any_request import any_request
from backupify_async._endpoints.path import is_trigger

_SAFE = ("GET", "HEAD")  # RFC 9110 section 9.2.1
_CHUNK = 65_536  # bytes
_SECRET_NAME = re.compile("token|secret|password|key|auth", re.IGNORECASE)
_HIDDEN = "[secret]"


@attrs.frozen
class APIRequest:
    """A request, as `client.request` takes it.

    Attributes:
        method: The HTTP method.
        path: The path below the base URL.
        params: The query; None for none.
        form: The body as a form; None for none.
        json: The body as JSON; None for none.
        reads_stdin: Whether a part of it was read from stdin.
    """

    method: str
    path: str
    params: dict[str, Nested] | None = attrs.field(repr=False)
    form: dict[str, Nested] | None = attrs.field(repr=False)
    json: object = attrs.field(repr=False)
    reads_stdin: bool

    @property
    def is_safe(self) -> bool:
        """Whether it changes nothing."""
        return self.method in _SAFE

    def description(self) -> str:
        """Method, path and fields as text; a value whose name looks like a secret's is not shown."""
        query = f"?{form_encoding.encode(_without_secrets(self.params))}" if self.params else ""
        lines = [f"{self.method} {self.path}{query}"]
        if self.form is not None:
            encoded = form_encoding.encode(_without_secrets(self.form))
            lines += [f"{name}={value}" for name, value in parse_qsl(encoded, keep_blank_values=True)]
        if self.json is not None:
            lines.append(json.dumps(_without_secrets(self.json)))
        return "\n".join(lines)


def read_request(
    path: str, method: str | None, fields: Sequence[str], json_file: str | None, *, paginate: bool = False
) -> APIRequest:
    """The request that the arguments describe, with what its files contain.

    Args:
        path: The path, with or without a query.
        method: The HTTP method; None for POST where there is a body, else GET. A list is always a GET.
        fields: `name=value`; a value `@FILE` is read from the file, `@-` from stdin.
        json_file: The file of the JSON body, or "-"; None for no such body.
        paginate: Whether it asks for a list.

    Raises:
        Exit: They cannot be sent, a file cannot be read, or the request would start a backup.
    """
    stdin_uses = [json_file == STDIN, *(field.partition("=")[2] == f"@{STDIN}" for field in fields)]
    if sum(stdin_uses) > 1:
        raise Exit(ExitCode.USAGE, "stdin can be read only once")
    try:
        plain, query = split_query(_whole_path(path))
        body = None if json_file is None else _read_json(json_file)
        pairs = [(name, _value(value)) for name, value in map(split_field, fields)]
        has_body = json_file is not None or bool(fields)
        verb = ("POST" if has_body and not paginate else "GET") if method is None else method.upper()
        in_query = verb in _SAFE or json_file is not None  # as gh has it
        params = nest([*query, *pairs] if in_query else query) or None
        form = None if in_query else nest(pairs) or None
        _refuse_trigger(verb, plain)
        any_request(verb, plain, {}, params=params, form=form, json=body)
    except (TypeError, ValueError) as error:
        raise Exit(ExitCode.USAGE, str(error)) from None
    return APIRequest(verb, plain, params, form, body, any(stdin_uses))


def _whole_path(path: str) -> str:
    if "{" in path or "}" in path:
        raise ValueError(f"a path is given whole, with ids in place of {{names}}: {path!r}")
    return path if path.startswith("/") or "://" in path else f"/{path}"


def _refuse_trigger(method: str, path: str) -> None:
    if is_trigger(method, path):
        instance = path.rstrip("/").split("/")[-2]
        raise ValueError(
            f"{method} {path} starts a backup: use `backupify trigger {instance}`, which never starts two"
        )


def _value(text: str) -> str:
    if not text.startswith("@"):
        return text
    content = _read(text[1:])
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{text[1:]}: not UTF-8 text") from None


def _read_json(name: str) -> object:
    try:
        body = json.loads(_read(name), parse_constant=_no_constant)
    except RecursionError:
        raise ValueError(f"{name}: nested too deeply") from None
    except ValueError as error:  # not its text: that of a UnicodeDecodeError shows the content
        where = f": {error.msg} (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"{name}: not JSON{where}") from None
    if body is None:
        raise ValueError(f"{name}: null is no body")
    return body


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _read(name: str) -> bytes:
    """The whole content of a file, or of stdin.

    Raises:
        Exit: It cannot be read.
    """
    try:
        if name == STDIN:
            return b"".join(iter(partial(read_some, 0, _CHUNK), b""))
        return Path(name).read_bytes()
    except OSError as error:
        where = "stdin" if name == STDIN else name
        raise Exit(ExitCode.USAGE, f"{where}: {(error.strerror or 'cannot be read').lower()}") from None


def _without_secrets(value: Any, name: str = "") -> Any:
    match value:
        case Mapping():
            return {key: _without_secrets(inner, str(key)) for key, inner in value.items()}
        case list():
            return [_without_secrets(inner, name) for inner in value]
        case _:
            return _HIDDEN if _SECRET_NAME.search(name) else value
