"""The command `instances`."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from backupify_async._cli.command_context import command_context, fetch_token
from backupify_async._cli.error_messages import ran_out_of_time, reason
from backupify_async._cli.exit_codes import ExitCode, exit_code_of
from backupify_async._cli.help_text import examples
from backupify_async._cli.options import INSTANCES, ROW_DEFAULTS, RowOptions, valid_id
from backupify_async._cli.rows import INSTANCE_LAYOUT, instance_row
from backupify_async._cli.shutdown import Shutdown, run_command
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.models import BackupInstance

EXAMPLES = examples(
    "backupify instances",
    "backupify instances --customer 7",
    "backupify instances --definition 3 --output csv > instances.csv",
)
_PER_PAGE = 100
_FILTER = Parameter(group=INSTANCES, validator=valid_id, metavar="ID")


def instances(
    *,
    definition: Annotated[str | None, _FILTER] = None,
    customer: Annotated[str | None, _FILTER] = None,
    options: RowOptions = ROW_DEFAULTS,
) -> int:
    """List the instances that the credentials can access, one row per instance.

    Args:
        definition: Only instances of this backup definition.
        customer: Only instances of this customer.
    """
    return run_command(partial(_list, definition=definition, customer=customer, options=options))


async def _list(
    shutdown: Shutdown, definition: str | None, customer: str | None, options: RowOptions
) -> ExitCode:
    async with command_context(shutdown, "instances", INSTANCE_LAYOUT, options) as context:
        await fetch_token(context.client, options.timeout)
        await context.start()
        try:
            async for page in _pages(context.client, definition, customer):
                context.progress.succeeded += len(page)
                await context.write([instance_row(instance) for instance in page])
        except BackupifyError as error:
            context.output.message(f"the list ended early: {reason(error)}")
            context.progress.ended_early("the list", ExitCode.SOME_FAILED, exit_code_of(error))
            context.progress.timed_out += ran_out_of_time(error)
    return context.progress.code


async def _pages(
    client: BackupifyClient, definition: str | None, customer: str | None
) -> AsyncIterator[list[BackupInstance]]:
    """The instances, page by page. The API filters by customer or by definition, but not by both."""
    if customer is None:
        async for page in client.instances.list(definition, per_page=_PER_PAGE).pages():
            yield page.items
        return
    async for page in client.customers.instances(customer, per_page=_PER_PAGE).pages():
        yield [one for one in page.items if definition is None or str(one.backup_definition_id) == definition]
