"""What get-active answers, and after how many seconds: as the path says, `/20ms/1pages/v1/...`."""

import re


def answer(path: str) -> tuple[float, dict[str, object]]:
    """Seconds to wait, and the answer."""
    wait = int(re.search(r"/(\d+)ms/", path)[1])
    instance = int(re.search(r"/backup_instances/(\d+)/", path)[1])
    return wait / 1000, {"id": 1007, "backup_instance_id": instance, "status": "running"}
