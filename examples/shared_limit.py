"""A web application and a cron job that share one rate limit and one token, by a directory of their machine.

    python examples/shared_limit.py serve /run/backupify 8080    # GET /active/42
    python examples/shared_limit.py sweep /run/backupify         # from cron

Each begins with the limit that the other has learned, and neither starves the other. The directory is on a
local disk. If it is missing, it is created for this user alone; for two users, create it for a group of both:
`install -d -m 0770 -g backup /run/backupify`.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from aiohttp import web

from backupify_async import BackupifyClient, BackupifyError, SharedState

CLIENT = web.AppKey("client", BackupifyClient)


def application(shared: SharedState) -> web.Application:
    """The web application: one client for its whole life."""

    async def client_context(app: web.Application) -> AsyncIterator[None]:
        async with BackupifyClient.from_env(shared=shared) as client:
            app[CLIENT] = client
            yield

    async def active(request: web.Request) -> web.Response:
        try:
            backup = await request.app[CLIENT].backups.get_active(request.match_info["instance"])
        except BackupifyError as error:
            return web.json_response({"error": error.to_dict()}, status=502)
        return web.json_response(backup and backup.to_dict())

    async def statistics(request: web.Request) -> web.Response:
        return web.json_response(request.app[CLIENT].statistics().to_dict())

    app = web.Application()
    app.cleanup_ctx.append(client_context)
    app.add_routes([web.get("/active/{instance}", active), web.get("/statistics", statistics)])
    return app


async def sweep(shared: SharedState) -> int:
    """The cron job: asks for the running backup of each instance. Returns the exit code."""
    async with BackupifyClient.from_env(shared=shared) as client:
        ids = [instance.id async for instance in client.instances.list()]
        results = await client.fleet(ids).get_active()
        now = client.statistics()
    running = sum(backup is not None for backup in results.values.values())
    print(f"{len(results.values)} instances, {running} running, {len(results.errors)} failed")
    print(f"{now.requests} requests, {now.refused} refused", file=sys.stderr)
    return 1 if results.errors else 0


if __name__ == "__main__":
    role, state = sys.argv[1], SharedState(sys.argv[2])
    if role == "sweep":
        sys.exit(asyncio.run(sweep(state)))
    web.run_app(application(state), host="127.0.0.1", port=int(sys.argv[3]))
