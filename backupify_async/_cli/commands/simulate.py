"""The command `simulate`."""

import asyncio
import os
from functools import partial
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import read_positive_number, read_whole_number
from backupify_async._cli.plurals import count
from backupify_async._cli.shutdown import Shutdown, run_command

EXAMPLES = examples(
    "backupify simulate                              # prints what to export",
    "backupify simulate --port 0 --instances 5000 --rate 50",
)
_SECRET = "demo"  # noqa: S105 - not a secret: it opens only the simulated server


def simulate(
    *,
    port: Annotated[int, Parameter(converter=read_whole_number, validator=Number(gte=0, lte=65_535))] = 8099,
    instances: Annotated[int, Parameter(converter=read_whole_number, validator=Number(gte=0))] = 200,
    rate: Annotated[float | None, Parameter(converter=read_positive_number)] = None,
    seed: Annotated[int, Parameter(converter=read_whole_number)] = 1,
) -> int:
    """Serve a simulated Backupify until Ctrl-C, and print the environment variables for it.

    Args:
        port: The port to listen on; 0 chooses a free one.
        instances: The number of instances.
        rate: The rate limit in calls per second, a token bucket; by default there is none.
        seed: The seed of everything random.
    """
    return run_command(partial(_serve, port=port, instances=instances, rate=rate, seed=seed))


async def _serve(shutdown: Shutdown, *, port: int, instances: int, rate: float | None, seed: int) -> ExitCode:
    """Serve until the process is interrupted.

    Raises:
        Exit: The port cannot be used.
    """
    from backupify_async.testing import SimulatedBackupify, TokenBucket  # noqa: PLC0415 - takes 150 ms

    limit = None if rate is None else TokenBucket(rate, burst=max(1, round(rate)))
    server = SimulatedBackupify(port=port, instances=instances, rate_limit=limit, seed=seed)
    try:
        await server.start()
    except OSError as error:
        problem = os.strerror(error.errno or 0).lower()  # asyncio's text repeats the address
        raise Exit(ExitCode.USAGE, f"port {port}: {problem}; --port 0 chooses a free one") from None
    try:
        speed = "no rate limit" if rate is None else f"{rate:g} calls per second"
        print(
            f"# a simulated Backupify with {count(instances, 'instance')} and {speed}; Ctrl-C ends it",
            f"export BACKUPIFY_BASE_URL={server.base_url}",
            "export BACKUPIFY_CLIENT_ID=demo",
            f"export BACKUPIFY_CLIENT_SECRET={_SECRET}",
            sep="\n",
            flush=True,
        )
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not shutdown.absorb_cancellation():
            raise
        shutdown.dismiss()
    finally:
        await server.stop()
    return ExitCode.SUCCESS
