"""The body of a get-active response, and its delay, which the path says: `/20ms/1pages/v1/...`."""

import re


def active_backup(path: str) -> tuple[float, dict[str, object]]:
    """Seconds to wait, and the body."""
    wait = int(re.search(r"/(\d+)ms/", path)[1])
    instance = int(re.search(r"/backup_instances/(\d+)/", path)[1])
    return wait / 1000, {"id": 1007, "backup_instance_id": instance, "status": "running"}
