"""The `aiohttp.web` application: it reads requests and writes replies, and decides nothing."""

import asyncio
import random
from collections.abc import Mapping
from email.utils import formatdate
from functools import partial
from typing import assert_never
from urllib.parse import parse_qsl

from aiohttp import hdrs, web

from backupify_async.testing._log import Log
from backupify_async.testing._messages import Operation, Request
from backupify_async.testing._service import Delivery, Reply, Service
from backupify_async.testing._settings import ServerSettings

_CUSTOMER = "/v1/customers/{customer_id}"
_INSTANCE = "/v1/backup_instances/{instance_id}"
_ROUTES: tuple[tuple[str, str, Operation | None], ...] = (
    ("POST", "/oauth/token", "token"),
    ("GET", "/v1/ping", "ping"),
    ("GET", "/v1/vendors/me", "get_vendor"),
    ("GET", "/v1/backup_definitions", "list_definitions"),
    ("GET", "/v1/backup_definitions/{definition_id}", "get_definition"),
    ("GET", "/v1/customers", "list_customers"),
    ("POST", "/v1/customers", "create_customer"),
    ("GET", _CUSTOMER, "get_customer"),
    ("PUT", _CUSTOMER, "update_customer"),
    ("GET", f"{_CUSTOMER}/backup_instances", "list_customer_instances"),
    ("GET", "/v1/backup_instances", "list_instances"),
    ("GET", _INSTANCE, "get_instance"),
    ("GET", f"{_INSTANCE}/backups", "list_backups"),
    ("POST", f"{_INSTANCE}/backups", "trigger"),
    ("GET", f"{_INSTANCE}/backups/active", "get_active"),
    ("GET", f"{_INSTANCE}/backups/{{backup_id}}", "get_backup"),
    ("*", "/{unknown:.*}", None),
)
_FORM = "application/x-www-form-urlencoded"
_WITH_FORM = frozenset({"token", "create_customer", "update_customer"})


class RequestHandler:
    """Reads each request, and delivers the reply of the service.

    Args:
        settings: The settings of the server.
        service: Decides on the reply.
        log: Records each request before its response is sent.
        rng: For the latency and the request ids.
    """

    def __init__(self, settings: ServerSettings, service: Service, log: Log, rng: random.Random) -> None:
        self._settings = settings
        self._service = service
        self._log = log
        self._rng = rng

    def application(self) -> web.Application:
        """The application with all routes."""
        application = web.Application()
        for method, path, operation in _ROUTES:
            application.router.add_route(method, path, partial(self._handle, operation))
        application.on_response_prepare.append(self._set_headers)
        return application

    async def _handle(self, operation: Operation | None, request: web.Request) -> web.StreamResponse:
        received = await self._read(operation, request)
        reply = self._service.reply(received)
        request_id = f"{self._rng.getrandbits(128):032x}"
        self._log.add(received, status=reply.status, fault=reply.fault, request_id=request_id)
        low, high = self._settings.latency
        if high:
            await asyncio.sleep(self._rng.uniform(low, high))
        return await _deliver(request, reply, {**reply.response.headers, "X-Request-Id": request_id})

    async def _read(self, operation: Operation | None, request: web.Request) -> Request:
        form: list[tuple[str, str]] = []
        if operation in _WITH_FORM and request.content_type == _FORM:
            form = parse_qsl((await request.read()).decode(errors="replace"), keep_blank_values=True)
        scheme, _, credentials = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        return Request(
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

    async def _set_headers(self, _request: web.Request, response: web.StreamResponse) -> None:
        # puma sends neither Server nor Date; a proxy before it may add a Date.
        del response.headers[hdrs.SERVER]
        if self._settings.date_header:
            shown = self._settings.clock() + self._settings.date_offset
            response.headers[hdrs.DATE] = formatdate(shown, usegmt=True)
        else:
            del response.headers[hdrs.DATE]


async def _deliver(request: web.Request, reply: Reply, headers: Mapping[str, str]) -> web.StreamResponse:
    response = reply.response
    match reply.delivery:
        case Delivery.WHOLE:
            return web.Response(status=response.status, body=response.body, headers=headers)
        case Delivery.TRUNCATED:
            return await _truncated(request, reply, headers)
        case Delivery.HANGING:
            # Ends with the connection: the runner cancels the handlers of closed ones.
            await asyncio.get_running_loop().create_future()
        case Delivery.LOST:
            pass
        case _:
            assert_never(reply.delivery)
    return _dropped(request)


def _dropped(request: web.Request) -> web.StreamResponse:
    request.protocol.force_close()
    return web.Response()  # the transport is closed: it is not sent


async def _truncated(request: web.Request, reply: Reply, headers: Mapping[str, str]) -> web.StreamResponse:
    body = reply.response.body
    response = web.StreamResponse(status=reply.response.status, headers=headers)
    response.content_length = max(1, len(body))
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    request.protocol.force_close()  # after what was written is sent
    return response
