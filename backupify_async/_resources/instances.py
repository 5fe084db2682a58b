"""Backup instances: list them, get one."""

from backupify_async._codec.decode import decode_present, require_same
from backupify_async._endpoints.backups import INSTANCE
from backupify_async._paging.paginator import Paginator, paginate
from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import Response
from backupify_async.models import BackupInstance


class Instances:
    """`client.instances`: the backup instances that the credentials can access."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def list(
        self, backup_definition_id: int | str | None = None, *, per_page: int | None = None, prefetch: int = 0
    ) -> Paginator[BackupInstance]:
        """List the instances.

        Args:
            backup_definition_id: Only those of this backup definition.
            per_page: Items per page. The server may cap or ignore it.
            prefetch: How many pages to request ahead, concurrently, where the links number the pages. Each
                request counts against `max_concurrency` and the rate limit.

        Raises:
            TypeError, ValueError: An argument is invalid; the message names it.
        """
        return paginate(
            self._session.send,
            BackupInstance,
            "/v1/backup_instances",
            query={"backup_definition_id": backup_definition_id},
            per_page=per_page,
            prefetch=prefetch,
        )

    async def get(self, backup_instance_id: int | str) -> BackupInstance:
        """Get one instance.

        Raises:
            TypeError, ValueError: The id is invalid.
            NotFound: There is no such instance.
            DecodeError: The response is not an instance, or another instance than requested.
            BackupifyError: The request failed.
        """

        def decode(response: Response) -> BackupInstance:
            instance = decode_present(response, BackupInstance)
            require_same(response, "instance", backup_instance_id, instance.id)
            return instance

        request = Request.get(INSTANCE, decode=decode, backup_instance_id=backup_instance_id)
        found: BackupInstance = (await self._session.send(request)).decoded
        return found
