"""The command `api`."""

from functools import partial
from typing import Annotated

from cyclopts import Group, Parameter

from backupify_async._cli.api_call import JSONFormat, send, send_paginated
from backupify_async._cli.api_request import read_request
from backupify_async._cli.confirmation import require_terminal
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import CONFIRMATION, OUTPUT, Flag, file_name
from backupify_async._cli.shutdown import run_command
from backupify_async._cli.single_call import SINGLE_CALL_DEFAULTS, SingleCallOptions
from backupify_async._escaping import printable

EXAMPLES = examples(
    "backupify api /v1/vendors/me",
    "backupify api /v1/backup_instances -F backup_definition_id=3 --paginate",
    "backupify api /v1/customers --paginate -o jsonl | jq .name",
    "backupify api /v1/customers -F 'customer[name]=Ada' --dry-run",
    "backupify api /v1/customers/7 -X PUT -F 'customer[name]=Ada' --yes",
)
_REQUEST = Group("Request", sort_key=1)


def api(
    path: Annotated[str, Parameter(group=_REQUEST)],
    /,
    *,
    method: Annotated[str | None, Parameter(group=_REQUEST, alias="-X")] = None,
    field: Annotated[
        list[str] | None,
        Parameter(
            group=_REQUEST,
            alias="-F",
            negative="",
            metavar="NAME=VALUE",
            help="A form field; a query parameter for GET and HEAD, and with --json. customer[name]=Ada "
            "nests, tags[]=a repeats, name=@FILE reads the value from a file, name=@- from stdin.",
        ),
    ] = None,
    json: Annotated[
        str | None, Parameter(group=_REQUEST, validator=file_name, allow_leading_hyphen=True, metavar="FILE")
    ] = None,
    paginate: Annotated[bool, Flag, Parameter(group=_REQUEST)] = False,
    yes: Annotated[bool, Flag, Parameter(group=CONFIRMATION, alias="-y")] = False,
    dry_run: Annotated[bool, Flag, Parameter(group=CONFIRMATION)] = False,
    output: Annotated[JSONFormat, Parameter(group=OUTPUT, alias="-o")] = "json",
    options: SingleCallOptions = SINGLE_CALL_DEFAULTS,
) -> int:
    """Call any operation of the API, and write the body of the response to stdout.

    Token, rate limit and retries are those of the other commands. A request that is
    not repeatable, such as a POST, is not sent again if its response is lost.
    Triggers are refused: `backupify trigger` never starts two backups.

    Args:
        path: The full path below the base URL, with or without a ?query.
        method: The HTTP method.  [default: GET; POST with fields or a body]
        json: A JSON body, read from a file, or from stdin if FILE is -.
        paginate: Follow the Link headers, and write the items of all pages, one per line.
        yes: Do not ask for confirmation. GET and HEAD never need it.
        dry_run: Send nothing, but show what would be sent.
        output: The body as it is, indented on a terminal; or one line per item.
    """
    request = read_request(path, method, field or (), json, paginate=paginate)
    if paginate and request.method != "GET":
        raise Exit(ExitCode.USAGE, f"--paginate needs a GET, not a {request.method}")
    if dry_run:
        print("\n".join(map(printable, request.description().split("\n"))))
        return ExitCode.SUCCESS
    if paginate:
        return run_command(partial(send_paginated, request=request, output_format=output, options=options))
    if not (yes or request.is_safe):
        stdin_use = "stdin holds a part of the request" if request.reads_stdin else None
        require_terminal(f"send {request.method} {request.path}", stdin_use=stdin_use)
    return run_command(partial(send, request=request, output_format=output, options=options, yes=yes))
