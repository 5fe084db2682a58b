"""The command `simulate`: a Backupify to try things on."""

import asyncio
import os

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.interrupts import Stop
from backupify_async._cli.text import count
from backupify_async.testing import SimulatedBackupify, TokenBucket

_SECRET = "demo"  # noqa: S105 - the simulated server's, to be known by everybody


async def simulate(stop: Stop, *, port: int, instances: int, rate: float | None, seed: int) -> ExitCode:
    """Serve until somebody ends it.

    Raises:
        Exit: The port cannot be had.
    """
    limit = None if rate is None else TokenBucket(rate, burst=max(1, round(rate)))
    server = SimulatedBackupify(port=port, instances=instances, rate_limit=limit, seed=seed)
    try:
        await server.start()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()  # asyncio's own text tells the address once more
        raise Exit(ExitCode.USAGE, f"port {port}: {reason}; --port 0 takes a free one") from None
    try:
        speed = "no rate limit" if rate is None else f"{rate:g} calls a second"
        print(
            f"# a simulated Backupify: {count(instances, 'instance')}, {speed}; Ctrl-C ends it",
            f"export BACKUPIFY_BASE_URL={server.base_url}",
            "export BACKUPIFY_CLIENT_ID=demo",
            f"export BACKUPIFY_CLIENT_SECRET={_SECRET}",
            sep="\n",
            flush=True,
        )
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not stop.take_over():
            raise
        stop.forget()
    finally:
        await server.stop()
    return ExitCode.ALL_WELL
