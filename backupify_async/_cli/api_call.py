"""Sends the request of `backupify api`, and writes what came."""

import json
import sys
from typing import Literal

from backupify_async._cli.api_request import APIRequest
from backupify_async._cli.confirmation import ask_on_terminal
from backupify_async._cli.error_messages import reason
from backupify_async._cli.exit_codes import Exit, ExitCode, exit_code_of
from backupify_async._cli.json_text import compact, escaped_lines, pretty
from backupify_async._cli.output import Output
from backupify_async._cli.shutdown import Shutdown
from backupify_async._cli.single_call import SingleCallOptions, failed, single_call
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError

JSONFormat = Literal["json", "jsonl"]

_INDENT = 2  # columns


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
        await output.rows(body_text(response.body, output_format, on_terminal=_stdout_is_terminal()))
    return ExitCode.SUCCESS


async def send_paginated(
    shutdown: Shutdown, request: APIRequest, output_format: JSONFormat, options: SingleCallOptions
) -> ExitCode:
    """Follow the Link headers from a request on, and write the items as they come.

    Raises:
        Exit: A page could not be fetched. The JSON array is then not closed, so that no program takes a part
            of the list for all of it.
    """
    async with single_call(shutdown, options) as (client, output):
        writer = ItemWriter(output_format, pretty_items=_stdout_is_terminal())
        try:
            await _write_pages(client, request, writer, output)
        except BackupifyError as error:
            if writer.pages == 0:
                raise failed(error) from None
            raise Exit(exit_code_of(error), f"the list ended early: {reason(error)}") from None
        await output.rows(writer.end().encode("utf-8", "backslashreplace"))
    return ExitCode.SUCCESS


async def _write_pages(
    client: BackupifyClient, request: APIRequest, writer: "ItemWriter", output: Output
) -> None:
    async for page in client.iterate(request.path, params=request.params).pages():
        try:
            text = writer.page(page.items)
        except RecursionError:
            raise Exit(ExitCode.SOME_FAILED, "an item is nested too deeply to be written") from None
        await output.rows(text.encode("utf-8", "backslashreplace"))


class ItemWriter:
    """Writes the items of a list page by page: one JSON array, or one item a line.

    Args:
        output_format: `json` for an array, `jsonl` for lines.
        pretty_items: Whether the items of an array are indented, for a person.
    """

    def __init__(self, output_format: JSONFormat, *, pretty_items: bool) -> None:
        self._array = output_format == "json"
        self._pretty = pretty_items
        self._empty = True
        self.pages = 0
        """How many pages were written."""

    def page(self, items: list[dict[str, object]]) -> str:
        """The text of the next page.

        Raises:
            RecursionError: An item is nested more deeply than `json` can write.
        """
        self.pages += 1
        if not self._array:
            return "".join(f"{compact(item)}\n" for item in items)
        text = "[" if self.pages == 1 else ""
        for item in items:
            text += ("" if self._empty else ",") + "\n" + self._item(item)
            self._empty = False
        return text

    def end(self) -> str:
        """The text after the last page."""
        if not self._array:
            return ""
        return "]\n" if self._empty else "\n]\n"

    def _item(self, item: dict[str, object]) -> str:
        if not self._pretty:
            return compact(item)
        indent = " " * _INDENT
        return "\n".join(indent + line for line in pretty(item).split("\n"))


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
            text = pretty(value) + "\n"
        else:
            text = "".join(f"{compact(item)}\n" for item in (value if isinstance(value, list) else [value]))
    except (ValueError, RecursionError):  # not JSON, or nested too deeply to be read
        if not on_terminal:
            return body
        text = escaped_lines(body.removesuffix(b"\n")) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _stdout_is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()
