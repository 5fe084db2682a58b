"""What the stores take from the operating system: its boot id, and whether it has what is needed."""

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

from backupify_async.errors import ConfigurationError

_LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def require_unix() -> None:
    """Check that this platform has the locks and sockets of the file store.

    Raises:
        ConfigurationError: It is Windows.
    """
    if sys.platform == "win32":
        raise ConfigurationError(
            "sharing by a directory needs Unix locks and sockets, which Windows lacks: "
            "share by a Redis server (rediss://...)"
        )


def require_process(pid: int) -> None:
    """Check that a store is used in the process that opened it.

    Raises:
        ConfigurationError: It is another one.
    """
    if os.getpid() != pid:
        raise ConfigurationError("this store was opened before a fork: open one in each process")


@cache
def boot_id() -> str:
    """An id of this boot of this machine: CLOCK_MONOTONIC is one clock for as long as it is the same.

    Raises:
        ConfigurationError: This system does not say.
    """
    try:
        text = _LINUX_BOOT_ID.read_text("utf-8") if sys.platform == "linux" else _boot_session()
    except (OSError, AttributeError, ValueError):
        text = ""
    boot = text.strip()
    if not boot or not boot.isascii() or not boot.replace("-", "").isalnum():
        raise ConfigurationError(
            "this system does not say when it was booted (on Linux: /proc is not mounted): "
            "share by a Redis server (rediss://...)"
        )
    return boot


def _boot_session() -> str:
    """`sysctl -n kern.bootsessionuuid` of macOS."""
    sysctl = ctypes.CDLL(None, use_errno=True).sysctlbyname
    text = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(text))
    if sysctl(b"kern.bootsessionuuid", text, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        raise OSError(ctypes.get_errno(), "sysctl")
    return text.value.decode("ascii")
