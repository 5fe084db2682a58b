"""A small web service with one client for its whole life: `python examples/in_a_web_app.py 8080`.

    GET /active/42      the running backup, or null
    POST /trigger/42    starts a backup
    GET /statistics     what the client is doing

One client has one token, one rate limit and one pool of connections for all requests to the service. With
BACKUPIFY_SHARED=/run/backupify it shares limit and token with `poll_fleet.py` and all others that have the
same variable.
"""

import sys
from collections.abc import AsyncIterator

from aiohttp import web

from backupify_async import BackupifyClient, BackupifyError, NotFound

CLIENT = web.AppKey("client", BackupifyClient)


async def client_context(app: web.Application) -> AsyncIterator[None]:
    """Open the client when the service starts, and close it when it stops."""
    app[CLIENT] = await BackupifyClient.from_env().open()
    yield
    await app[CLIENT].drain(timeout=20)  # triggers that were sent are followed to their result
    await app[CLIENT].close()


async def active(request: web.Request) -> web.Response:
    """Respond with the running backup, or null."""
    try:
        backup = await request.app[CLIENT].backups.get_active(request.match_info["instance"])
    except NotFound:
        return web.json_response({"error": "no such instance"}, status=404)
    except BackupifyError as error:
        return web.json_response({"error": error.to_dict()}, status=502)
    return web.json_response(backup and backup.to_dict())


async def trigger(request: web.Request) -> web.Response:
    """Start a backup; the error of the response says whether it may have started."""
    try:
        result = await request.app[CLIENT].backups.trigger(request.match_info["instance"])
    except BackupifyError as error:
        return web.json_response({"error": error.to_dict()}, status=502)
    return web.json_response(result.to_dict())


async def statistics(request: web.Request) -> web.Response:
    """Respond with what the client is doing."""
    return web.json_response(request.app[CLIENT].statistics().to_dict())


def application() -> web.Application:
    """The service."""
    app = web.Application()
    app.cleanup_ctx.append(client_context)
    app.add_routes(
        [
            web.get("/active/{instance}", active),
            web.post("/trigger/{instance}", trigger),
            web.get("/statistics", statistics),
        ]
    )
    return app


if __name__ == "__main__":
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]))
