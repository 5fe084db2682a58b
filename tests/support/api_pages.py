"""The API pages: all that a user calls, in the order of the README. For `nox -s docs`."""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pdoc
import pdoc.doc_ast

import backupify_async
from backupify_async import testing
from backupify_async._resources.backups import Backups
from backupify_async._resources.customers import Customers
from backupify_async._resources.instances import Instances

# A user calls these and does not import them: `client.backups` is one of `Backups`.
RESOURCES: list[type] = [Backups, Instances, Customers]
GROUPS = {
    "Client and credentials": "BackupifyClient ClientCredentials StaticToken Token TokenSource",
    "One instance": "Backups Instances Customers Backup BackupInstance InstanceId Paginator Page",
    "Many instances": "Fleet FanOut fan_out Outcomes Outcome Success Failure Results",
    "Triggers": "TriggerResult TriggerKind SentTrigger Reconciliation",
    "Journals": "Journal JournalEntry EntryState SweepInfo SweepAccount JournalStore",
    "Waiting": "PollPolicy WaitResult WaitKind",
    "Settings": "Settings Timeouts RetryPolicy RateLimit",
    "The rate limit": "Limiter AsyncLimiter OpenableLimiter AdaptiveLimiter Ticket Observation Estimate "
    "Quota Statistics LimitSource SpeedReason",
    "Many processes": "SharedState",
    "A transport of your own": "Transport AiohttpTransport PreparedRequest Response",
    "Events": "Event EventHook RequestSent ResponseReceived RetryScheduled Throttled LimitChanged "
    "TokenRefreshed SharedStoreAway SharedStoreBack TriggerStopped",
}


def groups() -> dict[str, list[str]]:
    """Each public name under its heading; a name without a group is an error or one of the others."""
    named = {heading: names.split() for heading, names in GROUPS.items()}
    grouped = {name for names in named.values() for name in names}
    rest = [name for name in backupify_async.__all__ if name not in grouped and name != "__version__"]
    errors = [name for name in rest if _is_error(getattr(backupify_async, name))]
    others = [name for name in rest if name not in errors]
    return named | {"Errors": errors} | ({"Others": others} if others else {})


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _let_pdoc_find_the_source_of(kind: type) -> None:
    """Errors and client have the `__module__` that users import from, which is not where their source is."""
    for name, module in list(sys.modules.items()):
        if name.startswith("backupify_async.") and re.search(
            rf"^class {kind.__name__}\b", inspect.getsource(module), re.MULTILINE
        ):
            shown, kind.__module__ = kind.__module__, name
            pdoc.doc_ast.walk_tree(kind)  # it keeps what it found
            kind.__module__ = shown


def build(directory: Path) -> None:
    """Write the pages."""
    package: Any = backupify_async
    contents = groups()
    for kind in RESOURCES:
        setattr(package, kind.__name__, kind)
    package.__all__ = [name for names in contents.values() for name in names]
    package.__doc__ = (package.__doc__ or "") + "".join(
        f"\n\n**{heading}**: {', '.join(f'`{name}`' for name in names)}"
        for heading, names in contents.items()
    )
    for name in package.__all__:
        value = getattr(package, name)
        if isinstance(value, type) and value.__module__ == package.__name__:
            _let_pdoc_find_the_source_of(value)
    pdoc.render.configure(docformat="google")
    pdoc.pdoc(package.__name__, testing.__name__, output_directory=directory)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
