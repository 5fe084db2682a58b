"""The command `whoami`."""

import json
import sys
from functools import partial
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

from backupify_async._cli.exit_codes import ExitCode, most_severe
from backupify_async._cli.help_text import examples
from backupify_async._cli.identity import Check, check_access
from backupify_async._cli.options import OUTPUT, PACE, read_positive_number
from backupify_async._cli.output import Output
from backupify_async._cli.shutdown import Shutdown, run_command
from backupify_async._cli.single_call import SingleCallOptions, single_call
from backupify_async._escaping import printable
from backupify_async.events import TokenRefreshed

EXAMPLES = examples("backupify whoami", "backupify whoami -o json | jq .vendor.detail")


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class WhoamiOptions(SingleCallOptions):
    """The options of `whoami`: a check ends soon, also where the server never responds."""

    timeout: Annotated[
        float | None,
        Parameter(group=PACE, converter=read_positive_number, help="Maximum time for each check in seconds."),
    ] = 30.0


_DEFAULTS = WhoamiOptions()


def whoami(
    *,
    output: Annotated[Literal["text", "json"], Parameter(group=OUTPUT, alias="-o")] = "text",
    options: WhoamiOptions = _DEFAULTS,
) -> int:
    """Check the server and the credentials, show whose they are, and what to do if a check fails.

    Exit code 0 if all checks passed, 3 if no token could be obtained, else 1.

    Args:
        output: Text for people, or one JSON object.
    """
    return run_command(partial(_whoami, output_format=output, options=options))


async def _whoami(shutdown: Shutdown, output_format: str, options: SingleCallOptions) -> ExitCode:
    tokens: list[TokenRefreshed] = []

    def on_event(event: object) -> None:
        if isinstance(event, TokenRefreshed):
            tokens.append(event)

    async with single_call(shutdown, options, on_event=on_event) as (client, output):
        checks = [check async for check in check_access(client, tokens)]
        await _write(output, checks, output_format)
    return most_severe(*(check.code for check in checks))


async def _write(output: Output, checks: list[Check], output_format: str) -> None:
    if output_format == "json":
        text = json.dumps({check.name: check.to_dict() for check in checks}) + "\n"
    else:
        width = max(len(check.name) for check in checks)
        lines = [f"{check.name:{width}}  {printable(check.detail)}" for check in checks]
        text = "".join(f"{line}\n" for line in lines)
        for check in checks:
            if check.advice:
                output.message(f"{check.name}: {check.advice}")
    await output.rows(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
