"""The command `instances`: which instances there are."""

from collections.abc import AsyncIterator

import attrs

from backupify_async._cli.command_context import command_context
from backupify_async._cli.exit_codes import ExitCode, code_of, ran_out_of_time, reason
from backupify_async._cli.interrupts import Stop
from backupify_async._cli.options import CallOptions
from backupify_async._cli.records import INSTANCES, instance_row
from backupify_async.client import BackupifyClient
from backupify_async.errors import BackupifyError
from backupify_async.models import BackupInstance

_PER_PAGE = 100


@attrs.frozen
class Choice:
    """Which instances to list.

    Attributes:
        definition: Those of this backup definition; None for any.
        customer: Those of this customer; None for any.
    """

    definition: str | None
    customer: str | None

    async def pages(self, client: BackupifyClient) -> AsyncIterator[list[BackupInstance]]:
        """The instances, page by page."""
        if self.customer is None:
            async for page in client.instances.list(self.definition, per_page=_PER_PAGE).pages():
                yield page.items
            return
        async for page in client.customers.instances(self.customer, per_page=_PER_PAGE).pages():
            yield [one for one in page.items if self._is_of_definition(one)]

    def _is_of_definition(self, instance: BackupInstance) -> bool:
        """The API lists a customer's instances, or a definition's; not those of both."""
        return self.definition is None or str(instance.backup_definition_id) == self.definition


async def list_instances(stop: Stop, choice: Choice, options: CallOptions) -> ExitCode:
    """Write a row for each instance.

    Raises:
        Exit: It could not begin.
    """
    async with command_context(stop, "instances", INSTANCES, options) as at:
        await at.begin()
        try:
            async for instances in choice.pages(at.client):
                at.tally.succeeded += len(instances)
                await at.write([instance_row(instance) for instance in instances])
        except BackupifyError as error:
            at.output.say(f"the list broke off: {reason(error)}")
            at.tally.broke_off("the list", ExitCode.SOME_FAILED, code_of(error))
            at.tally.timed_out += ran_out_of_time(error)
    return at.tally.code
