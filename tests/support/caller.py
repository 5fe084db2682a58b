"""A plain HTTP client for the tests of the server."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from attrs import frozen
from yarl import URL

from backupify_async.testing import SimulatedBackupify

CREDENTIALS = {
    "client_id": "demo",
    "client_secret": "demo",
    "grant_type": "client_credentials",
    "scope": "write",
}


@frozen
class Received:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@frozen
class Caller:
    session: aiohttp.ClientSession
    base_url: str
    token: str | None

    async def get(self, path: str) -> Received:
        return await self.send("GET", path)

    async def post(self, path: str, form: Mapping[str, str] | None = None) -> Received:
        return await self.send("POST", path, data=form)

    async def send(self, method: str, path: str, **more: Any) -> Received:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        url = URL(f"{self.base_url}{path}", encoded=True)
        async with self.session.request(
            method, url, headers=headers | more.pop("headers", {}), allow_redirects=False, **more
        ) as response:
            return Received(response.status, response.headers.copy(), await response.read())


@asynccontextmanager
async def calling(server: SimulatedBackupify, *, token: str | None = "") -> AsyncIterator[Caller]:
    """A client with a valid token, or with this one; None sends none."""
    async with aiohttp.ClientSession(headers={"User-Agent": "a stranger"}) as session:
        # aiohttp itself repeats a request whose connection was lost; these tests count every request.
        session._retry_connection = False
        yield Caller(session, server.base_url, server.issue_token() if token == "" else token)
