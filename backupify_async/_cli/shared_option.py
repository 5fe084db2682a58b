"""The option `--shared`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async.errors import ConfigurationError

if TYPE_CHECKING:
    from backupify_async._shared.shared_state import SharedState


def shared_state(location: str, environ: Mapping[str, str]) -> "SharedState":
    """What `--shared` names.

    Raises:
        Exit: It cannot be used, or contains a password.
    """
    from backupify_async._shared.locations import read_location  # noqa: PLC0415 - few commands share
    from backupify_async._shared.shared_state import ACCOUNT, SHARED, SharedState  # noqa: PLC0415

    try:
        if not read_location(location).has_password:
            return SharedState(location, account=environ.get(ACCOUNT) or None)
    except ConfigurationError as error:
        raise Exit(ExitCode.USAGE, f"--shared: {error.problem}") from None
    raise Exit(
        ExitCode.USAGE,
        f"--shared: every user of this machine could read the password: set {SHARED} to this URL instead",
    )
