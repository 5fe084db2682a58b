"""The `aiohttp.web` application: reads requests off the socket and writes replies to it, decides nothing."""

import asyncio
import random
from collections.abc import Mapping
from email.utils import formatdate
from functools import partial
from typing import assert_never
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from backupify_async.testing._answers import Asked, Operation
from backupify_async.testing._log import Log
from backupify_async.testing._service import Delivery, Reply, Service
from backupify_async.testing._settings import Settings

_INSTANCE = "/v1/backup_instances/{instance_id}"
_ROUTES: tuple[tuple[str, str, Operation | None], ...] = (
    ("POST", "/oauth/token", "token"),
    ("GET", "/v1/ping", "ping"),
    ("GET", "/v1/backup_instances", "list_instances"),
    ("GET", "/v1/customers/{customer_id}/backup_instances", "list_customer_instances"),
    ("GET", _INSTANCE, "get_instance"),
    ("GET", f"{_INSTANCE}/backups", "list_backups"),
    ("POST", f"{_INSTANCE}/backups", "trigger"),
    ("GET", f"{_INSTANCE}/backups/active", "get_active"),
    ("GET", f"{_INSTANCE}/backups/{{backup_id}}", "get_backup"),
    ("*", "/{unknown:.*}", None),
)
_FORM = "application/x-www-form-urlencoded"


class Porter:
    """Carries requests in and replies out.

    Args:
        settings: the server's.
        service: decides.
        log: is told of each request before its answer leaves.
        rng: of the latency and the request ids.
    """

    def __init__(self, settings: Settings, service: Service, log: Log, rng: random.Random) -> None:
        self._settings = settings
        self._service = service
        self._log = log
        self._rng = rng

    def application(self) -> web.Application:
        """An application with all routes."""
        application = web.Application()
        for method, path, operation in _ROUTES:
            application.router.add_route(method, path, partial(self._handle, operation))
        application.on_response_prepare.append(self._undress)
        return application

    async def _handle(self, operation: Operation | None, request: web.Request) -> web.StreamResponse:
        asked = await self._read(operation, request)
        reply = self._service.reply(asked)
        request_id = f"{self._rng.getrandbits(128):032x}"
        self._log.add(asked, status=reply.status, fault=reply.fault, request_id=request_id)
        low, high = self._settings.latency
        if high:
            await asyncio.sleep(self._rng.uniform(low, high))
        return await _deliver(request, reply, {**reply.answer.headers, "X-Request-Id": request_id})

    async def _read(self, operation: Operation | None, request: web.Request) -> Asked:
        form: Mapping[str, str] = {}
        if operation == "token" and request.content_type == _FORM:
            form = dict(parse_qsl((await request.read()).decode(errors="replace")))
        scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        return Asked(
            operation=operation,
            method=request.method,
            path=request.rel_url.raw_path,
            at=self._settings.clock(),
            origin=f"{request.scheme}://{request.host}",
            parts=request.match_info,
            query=dict(request.query),
            form=form,
            token=credentials if scheme.lower() == "bearer" else None,
            user_agent=request.headers.get(hdrs.USER_AGENT, ""),
        )

    async def _undress(self, _request: web.Request, response: web.StreamResponse) -> None:
        # puma names neither itself nor the date; a proxy in front of it may do the latter.
        del response.headers[hdrs.SERVER]
        if self._settings.date_header:
            shown = self._settings.clock() + self._settings.date_offset
            response.headers[hdrs.DATE] = formatdate(shown, usegmt=True)
        else:
            del response.headers[hdrs.DATE]


async def _deliver(request: web.Request, reply: Reply, headers: Mapping[str, str]) -> web.StreamResponse:
    answer = reply.answer
    match reply.delivery:
        case Delivery.WHOLE:
            return web.Response(status=answer.status, body=answer.body, headers=headers)
        case Delivery.TRUNCATED:
            return await _truncated(request, reply, headers)
        case Delivery.HANGING:
            # Ends when the connection does: the runner cancels the handlers of those that are lost.
            await asyncio.get_running_loop().create_future()
        case Delivery.LOST:
            pass
        case _:
            assert_never(reply.delivery)
    return _dropped(request)


def _dropped(request: web.Request) -> web.StreamResponse:
    request.protocol.force_close()
    return web.Response()  # meets a closed transport, and goes nowhere


async def _truncated(request: web.Request, reply: Reply, headers: Mapping[str, str]) -> web.StreamResponse:
    body = reply.answer.body
    response = web.StreamResponse(status=reply.answer.status, headers=headers)
    response.content_length = max(1, len(body))
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    request.protocol.force_close()  # sends what was written, then closes
    return response
