"""Whether the extra `journal` is installed."""

from backupify_async.errors import ConfigurationError


def require_extra() -> None:
    """Check that what an SQLite journal needs can be imported.

    Raises:
        ConfigurationError: It is not installed; the message says how to install it.
    """
    try:
        import aiosqlite  # noqa: F401, PLC0415
        import filelock  # noqa: F401, PLC0415
    except ModuleNotFoundError as missing:
        raise ConfigurationError(
            f"a journal needs {missing.name}, which is not installed: pip install '.[journal]' in the "
            "checkout of backupify-async"
        ) from None
