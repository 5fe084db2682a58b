"""Sends the request of `backupify api`, and writes what came."""

import json
from typing import Any, Literal

from backupify_async._cli.api_request import APIRequest
from backupify_async._cli.confirmation import ask_on_terminal
from backupify_async._cli.error_messages import reason
from backupify_async._cli.exit_codes import Exit, ExitCode, exit_code_of
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.single_call import SingleCallOptions, failed, single_call
from backupify_async._cli.writers import JsonLinesWriter, JsonWriter, Row
from backupify_async._escaping import printable
from backupify_async.errors import BackupifyError

JSONFormat = Literal["json", "jsonl"]


async def send(
    shutdown: Shutdown,
    request: APIRequest,
    output_format: JSONFormat,
    options: SingleCallOptions,
    *,
    yes: bool,
) -> ExitCode:
    """Send a request, and write the body of its response.

    Raises:
        Exit: It was not confirmed, or failed.
    """
    if not (yes or request.is_safe):
        await ask_on_terminal(f"Send {request.method} {request.path}?", "nothing was sent")
    async with single_call(shutdown, options) as (client, output):
        try:
            response = await client.request(
                request.method, request.path, params=request.params, form=request.form, json=request.json
            )
        except BackupifyError as error:
            raise failed(error) from None
        await output.rows(body_text(response.body, output_format, on_terminal=output.rows_on_terminal))
    return ExitCode.SUCCESS


async def send_paginated(
    shutdown: Shutdown, request: APIRequest, output_format: JSONFormat, options: SingleCallOptions
) -> ExitCode:
    """Follow the Link headers from a request on, and write the items page by page.

    Raises:
        Exit: A page could not be fetched. The JSON array is then not closed, so that no program takes a part
            of the list for all of it.
    """
    writer = JsonWriter(_item_line) if output_format == "json" else JsonLinesWriter(_item_line)
    begun = False
    async with single_call(shutdown, options) as (client, output):
        try:
            async for page in client.iterate(request.path, params=request.params).pages():
                text = writer.write(page.items) if begun else writer.header() + writer.write(page.items)
                begun = True
                await output.rows(text)
        except BackupifyError as error:
            if not begun:
                raise failed(error) from None
            raise Exit(exit_code_of(error), f"the list ended early: {reason(error)}") from None
        await output.rows(writer.footer())
    return ExitCode.SUCCESS


def _item_line(item: Row) -> str:
    try:
        return f"{json.dumps(item)}\n"
    except RecursionError:
        raise Exit(ExitCode.SOME_FAILED, "an item is nested too deeply to be written") from None


def body_text(body: bytes, output_format: JSONFormat, *, on_terminal: bool) -> bytes:
    """The body of a response as it is written to stdout: for a program unchanged, unless it wants lines.

    Args:
        body: The body.
        output_format: `jsonl` for one line, or one line for each item of an array.
        on_terminal: Whether a person reads it: JSON is indented, and control characters are escaped.
    """
    if not body or (output_format == "json" and not on_terminal):
        return body
    try:
        value = json.loads(body)
        if output_format == "json":
            text = _pretty(value) + "\n"
        else:
            text = "".join(
                f"{json.dumps(item)}\n" for item in (value if isinstance(value, list) else [value])
            )
    except (ValueError, RecursionError):  # not JSON, or nested too deeply to be read
        if not on_terminal:
            return body
        lines = body.removesuffix(b"\n").decode("utf-8", "backslashreplace").split("\n")
        text = "".join(f"{printable(line)}\n" for line in lines)
    return text.encode("utf-8", "backslashreplace")


def _pretty(value: Any) -> str:
    """A JSON value with indentation. Characters that a terminal would act on are escaped."""
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in json.dumps(value, indent=2, ensure_ascii=False)
    )
