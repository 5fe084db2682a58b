"""Each documented operation can be called: method, path, credentials, form and paging on the wire."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from aiohttp import web

from backupify_async import BackupifyClient, StaticToken

OPERATIONS = json.loads((Path(__file__).parent / "operations.json").read_text())
TOKEN = "a-token-of-24-characters"
IDS: Mapping[str, Any] = {
    "backup_definition_id": 3,
    "backup_id": 1007,
    "backup_instance_id": 42,
    "customer_id": 7,
    "endpoint_name": "mail box",
    "export_id": 5,
    "key": "a/b",
    "record_id": "r-1",
    "scroll_id": "c2Nyb2xs==",
}
QUOTED = {"mail box": "mail%20box", "a/b": "a%2Fb", "c2Nyb2xs==": "c2Nyb2xs%3D%3D"}
PAGES = 3


@attrs.frozen
class Received:
    """A request as the server received it."""

    method: str
    path: str
    query: dict[str, str]
    credentials: str
    content_type: str
    form: list[str]


def credentials_of(request: web.Request) -> str:
    if request.headers.get("Authorization") == f"Bearer {TOKEN}":
        return "bearer"
    return "access token" if request.headers.get("Access-Token") == TOKEN else "none"


@asynccontextmanager
async def recording_server(*, paginated: bool) -> AsyncIterator[tuple[str, list[Received]]]:
    """A server that accepts every request; `paginated` responses are three pages of two items."""
    received: list[Received] = []

    async def respond(request: web.Request) -> web.Response:
        body = (await request.read()).decode()
        received.append(
            Received(
                request.method,
                request.raw_path.partition("?")[0],
                dict(request.query),
                credentials_of(request),
                request.headers.get("Content-Type", ""),
                sorted(name for name, _ in parse_qsl(body, keep_blank_values=True)),
            )
        )
        if not paginated:
            return web.json_response({"id": 1, "ok": True})
        number = int(request.query.get("page", 1))
        links = (
            {"Link": f'<{request.url.update_query(page=number + 1)}>; rel="next"'} if number < PAGES else {}
        )
        things = [{"id": 2 * number}, {"id": 2 * number + 1}]
        return web.json_response(things, headers=links)

    application = web.Application()
    application.router.add_route("*", "/{anything:.*}", respond)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}", received
    finally:
        await runner.cleanup()


def nested(names: list[str]) -> dict[str, Any]:
    """Form names with brackets, as the nested mappings that a caller writes."""
    fields: dict[str, Any] = {}
    for name in names:
        first, *rest = re.findall(r"[^\[\]]+", name)
        place = fields
        for key, following in zip([first, *rest], [*rest, None], strict=True):
            place = place.setdefault(key, {}) if following is not None else place
            if following is None:
                place[key] = "value"
    return fields


def expected_path(operation: dict[str, Any]) -> str:
    path: str = operation["path"].format_map({name: IDS[name] for name in operation["path_params"]})
    for plain, quoted in QUOTED.items():
        path = path.replace(plain, quoted)
    return path


def expected_credentials(operation: dict[str, Any]) -> str:
    if operation["auth"] == "none":
        return "none"
    return "access token" if "Access-Token" in operation["auth"] else "bearer"


def test_all_41_documented_operations_are_tested() -> None:
    assert len(OPERATIONS) == len({operation["operation"] for operation in OPERATIONS}) == 41


@pytest.mark.parametrize(
    "operation",
    [one for one in OPERATIONS if not one["paginated"]],
    ids=lambda operation: str(operation["operation"]),
)
async def test_an_operation_is_sent_as_it_is_documented(operation: dict[str, Any]) -> None:
    async with (
        recording_server(paginated=False) as (url, received),
        BackupifyClient(StaticToken(TOKEN), base_url=url) as client,
    ):
        response = await client.request(
            operation["method"],
            operation["path"],
            params=dict.fromkeys(operation["query"], "value") or None,
            form=nested(operation["form"]) or None,
            unsafe=operation["operation"] == "postV1BackupInstancesBackupInstanceBackups",
            **{name: IDS[name] for name in operation["path_params"]},
        )
    (request,) = received
    assert (response.status, response.json()) == (200, {"id": 1, "ok": True})
    assert (request.method, request.path) == (operation["method"], expected_path(operation))
    assert request.query == dict.fromkeys(operation["query"], "value")
    assert request.credentials == expected_credentials(operation)
    assert request.form == sorted(operation["form"])
    if operation["form"]:
        assert request.content_type == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "operation",
    [one for one in OPERATIONS if one["paginated"]],
    ids=lambda operation: str(operation["operation"]),
)
async def test_a_list_is_followed_page_by_page(operation: dict[str, Any]) -> None:
    async with (
        recording_server(paginated=True) as (url, received),
        BackupifyClient(StaticToken(TOKEN), base_url=url) as client,
    ):
        things = client.iterate(
            operation["path"],
            params=dict.fromkeys(operation["query"], "value") or None,
            **{name: IDS[name] for name in operation["path_params"]},
        )
        assert [thing["id"] for thing in await things.collect()] == [2, 3, 4, 5, 6, 7]
    assert [request.query.get("page") for request in received] == [None, "2", "3"]
    assert {request.path for request in received} == {expected_path(operation)}
    assert {request.credentials for request in received} == {"bearer"}
    assert all(
        request.query.items() >= dict.fromkeys(operation["query"], "value").items() for request in received
    )
