"""The JSON of each kind of object. `now` is in seconds since the epoch; `local_time` is the setting."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from backupify_async.testing._accounts import BackupDefinition, Customer, Vendor
from backupify_async.testing._state import Instance, SimulatedBackup


def backup_json(backup: SimulatedBackup, now: float, local_time: float | None) -> Mapping[str, Any]:
    """A backup at `now`."""
    completed_at = None if backup.is_active(now) else _date(backup.completes_at, local_time)
    started_at = _date(backup.started_at, local_time)
    return {
        "id": backup.id,
        "backup_instance_id": backup.backup_instance_id,
        "status": "running" if completed_at is None else "completed",
        "created_at": started_at,
        "started_at": started_at,
        "completed_at": completed_at,
        "updated_at": completed_at or started_at,
    }


def instance_json(instance: Instance, _now: float, local_time: float | None) -> Mapping[str, Any]:
    """A backup instance."""
    return {
        "id": instance.id,
        "customer_id": instance.customer_id,
        "backup_definition_id": instance.backup_definition_id,
        "backup_frequency": "daily",
        "created_at": _date(instance.created_at, local_time),
        "updated_at": _date(instance.created_at, local_time),
    }


def customer_json(customer: Customer, _now: float, local_time: float | None) -> Mapping[str, Any]:
    """A customer."""
    return {
        "id": customer.id,
        "name": customer.name,
        "email": customer.email,
        "created_at": _date(customer.created_at, local_time),
        "updated_at": _date(customer.updated_at, local_time),
    }


def definition_json(definition: BackupDefinition, _now: float, local_time: float | None) -> Mapping[str, Any]:
    """A backup definition."""
    return {
        "id": definition.id,
        "vendor_id": definition.vendor_id,
        "name": definition.name,
        "description": definition.description,
        "published": True,
        "created_at": _date(definition.created_at, local_time),
        "updated_at": _date(definition.created_at, local_time),
    }


def vendor_json(vendor: Vendor, _now: float, local_time: float | None) -> Mapping[str, Any]:
    """A vendor."""
    return {
        "id": vendor.id,
        "name": vendor.name,
        "created_at": _date(vendor.created_at, local_time),
        "updated_at": _date(vendor.created_at, local_time),
    }


def _date(seconds: float, local_time: float | None) -> str:
    ahead = 0.0 if local_time is None else local_time * 3600
    text = datetime.fromtimestamp(seconds + ahead, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + ("Z" if local_time is None else "")
