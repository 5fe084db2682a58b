"""The library's errors in the words of the command line."""

import attrs

from backupify_async.errors import AmbiguousTrigger, BackupifyError, RequestTimeout, WaitFailed, WaitTimeout


def reason(error: BaseException) -> str:
    """Why something failed, without the instance's id.

    Of an error that is not the library's, only the type is shown: its text could hold a secret.
    """
    if not isinstance(error, BackupifyError):
        return f"unexpected {type(error).__name__}"
    named = _with_option(error)
    if isinstance(named, WaitTimeout):
        return f"backup {named.backup_id} {named.progress}"
    return named.detail if isinstance(named, AmbiguousTrigger | WaitFailed) else str(named)


def ran_out_of_time(error: BaseException | None) -> bool:
    """Whether something failed because it took longer than --timeout allows."""
    if isinstance(error, AmbiguousTrigger):
        return ran_out_of_time(error.interrupted_by) or ran_out_of_time(error.cause)
    return isinstance(error, RequestTimeout) and error.limit == "total"


def _with_option(error: BackupifyError) -> BackupifyError:
    """The error, with `--timeout` in its message where the library names the setting `total`."""
    match error:
        case RequestTimeout(limit="total", seconds=seconds) if seconds is not None:
            return attrs.evolve(error, problem=f"the call took longer than --timeout {seconds:g} s")
        case AmbiguousTrigger(cause=cause, reason=why, interrupted_by=interrupted_by):
            if why and interrupted_by is not None:
                why = str(_with_option(interrupted_by))
            return attrs.evolve(error, cause=_with_option(cause), reason=why)
        case _:
            return error
