"""Backups decoded from the body of a response."""

from backupify_async import Backup
from backupify_async._codec.decode import decode_list, decode_one, decode_present
from tests.support.transport_values import make_response


def one(body: bytes | object) -> Backup | None:
    """The backup in a body; None if it is empty."""
    return decode_one(make_response(body), Backup)


def present(body: bytes | object) -> Backup:
    """The backup in a body, which must have one."""
    return decode_present(make_response(body), Backup)


def listed(body: bytes | object) -> list[Backup]:
    """The backups in a body."""
    return decode_list(make_response(body), Backup)
