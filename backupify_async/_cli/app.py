"""The commands and their options."""

from functools import partial
from typing import Annotated

from cyclopts import App, Parameter

from backupify_async._cli import examples, journal_show, journals, operations
from backupify_async._cli.exit_codes import Exit, ExitCode
from backupify_async._cli.ids import choose
from backupify_async._cli.interrupts import run_command
from backupify_async._cli.listing import Choice, list_instances
from backupify_async._cli.options import (
    CALL_DEFAULTS,
    CONSENT,
    FLEET_DEFAULTS,
    JOURNAL,
    OUTPUT,
    SWEEP_DEFAULTS,
    WHICH,
    CallOptions,
    Flag,
    FleetOptions,
    SweepOptions,
    WaitFlag,
    WaitSeconds,
    above_zero,
    file_name,
    from_one_up,
    from_zero_up,
    port_number,
    possible_id,
    whole,
)
from backupify_async._cli.reading import absolute
from backupify_async._cli.rows import Format
from backupify_async._cli.sweep import Operation, T, sweep
from backupify_async._cli.triggers import Consent, read_wait
from backupify_async.version import __version__

InstanceIds = Annotated[
    str, Parameter(group=WHICH, help="Instance ids; behind -- also such that begin with -.")
]


def _usage(command: str) -> str:
    return f"Usage: backupify {command} [OPTIONS] IDS... | --ids-file FILE | --all"


app = App(
    name="backupify",
    help=examples.PROGRAM,
    help_format="plaintext",
    help_epilogue=f"{examples.MAIN}\n\n{examples.EXIT_CODES}",
    version=__version__,
    version_flags="--version",
)


@app.command(help_epilogue=examples.DEMO, sort_key=0)
def demo() -> int:
    """Show what it does, on a simulated server with a rate limit and faults. Needs no credentials."""
    # The server is heavy to load, and no other command needs it.
    from backupify_async._cli.demo import demonstrate  # noqa: PLC0415

    return run_command(demonstrate)


@app.command(name="list", usage=_usage("list"), help_epilogue=examples.LIST, sort_key=1)
def list_(
    *ids: InstanceIds,
    limit: Annotated[
        int | None,
        Parameter(
            group=OUTPUT,
            converter=whole,
            validator=from_one_up,
            help="So many backups of each instance at most, the oldest.",
        ),
    ] = None,
    newest: Annotated[
        int | None,
        Parameter(
            group=OUTPUT,
            converter=whole,
            validator=from_one_up,
            help="So many backups of each instance at most, the newest, and the newest first.",
        ),
    ] = None,
    options: SweepOptions = SWEEP_DEFAULTS,
) -> int:
    """List all backups of each instance, one row per backup, the oldest first."""
    if limit is not None and newest is not None:
        raise Exit(ExitCode.USAGE, "--limit takes the oldest and --newest the newest: give one of them")
    return _sweep(operations.listing(limit, newest), ids, options)


@app.command(usage=_usage("active"), help_epilogue=examples.ACTIVE, sort_key=2)
def active(*ids: InstanceIds, options: SweepOptions = SWEEP_DEFAULTS) -> int:
    """Show the backup that runs now on each instance, one row per instance, idle ones too."""
    return _sweep(operations.active(), ids, options)


@app.command(usage=_usage("latest"), help_epilogue=examples.LATEST, sort_key=3)
def latest(*ids: InstanceIds, options: SweepOptions = SWEEP_DEFAULTS) -> int:
    """Show the newest backup of each instance, one row per instance."""
    return _sweep(operations.latest(), ids, options)


@app.command(usage=_usage("trigger"), help_epilogue=examples.TRIGGER, sort_key=4)
def trigger(
    *ids: InstanceIds,
    yes: Annotated[
        bool, Flag, Parameter(group=CONSENT, alias="-y", help="Do not ask, also for more than one instance.")
    ] = False,
    dry_run: Annotated[
        bool,
        Flag,
        Parameter(group=CONSENT, help="Start nothing: look what runs now, and say what would be done."),
    ] = False,
    wait: WaitFlag = False,
    wait_timeout: WaitSeconds = None,
    journal: Annotated[
        str | None,
        Parameter(
            group=JOURNAL,
            validator=file_name,
            metavar="FILE",
            help="Write down what is done in this file, so that the same command, or resume, goes on after "
            "a crash. A new sweep needs a new file.",
        ),
    ] = None,
    options: SweepOptions = SWEEP_DEFAULTS,
) -> int:
    """Start a backup of each instance now, one row per instance, and never two of one.

    A backup that runs already goes on, and is no failure; with --wait, one that
    does not end well is, and makes the exit code 1. A trigger whose answer was
    lost is looked for, and sent again only where it surely did nothing; where that
    cannot be found out, its instance is named on stderr.
    """
    source = choose(ids, options.ids_file, everything=options.all)
    if dry_run:
        pretended = operations.pretended_triggering(source)
        return run_command(partial(sweep, operation=pretended, ids=source, options=options))
    waiting = read_wait(wait, wait_timeout)
    at = None if journal is None else absolute(journal)
    consent = Consent(source, yes=yes, journal=at)
    consent.require_somebody_to_ask()
    operation, ids_to_read = operations.triggering(consent, waiting), source
    if at is not None:
        operation, ids_to_read = journals.begin(at, source, consent, waiting)
    return run_command(partial(sweep, operation=operation, ids=ids_to_read, options=options))


@app.command(help_epilogue=examples.RESUME, sort_key=5)
def resume(
    file: Annotated[str, Parameter(validator=file_name, help="The journal.")],
    /,
    *,
    wait: WaitFlag = False,
    wait_timeout: WaitSeconds = None,
    options: FleetOptions = FLEET_DEFAULTS,
) -> int:
    """Go on with a sweep that `trigger --journal` began: all of it, one row per instance.

    What is done is not triggered again. What may have been is looked at first.
    What failed, and what was not begun, is triggered.
    """
    waiting = read_wait(wait, wait_timeout)
    return run_command(partial(journals.resume, path=absolute(file), wait=waiting, options=options))


journal_app = App(name="journal", help="Snapshot at the journal of a sweep.", sort_key=6)
app.command(journal_app)


@journal_app.command(help_epilogue=examples.JOURNAL_SHOW)
def show(
    file: Annotated[str, Parameter(validator=file_name, help="The journal; a sweep may be at it.")],
    /,
    *,
    output: Annotated[
        Format,
        Parameter(group=OUTPUT, alias="-o", help="A table counts the instances; jsonl and csv list them."),
    ] = "table",
) -> int:
    """Show how far a sweep is."""
    return run_command(partial(journal_show.show, path=absolute(file), output_format=output))


@app.command(help_epilogue=examples.INSTANCES, sort_key=7)
def instances(
    *,
    definition: Annotated[
        str | None,
        Parameter(
            group=WHICH, validator=possible_id, metavar="ID", help="Only those of this backup definition."
        ),
    ] = None,
    customer: Annotated[
        str | None, Parameter(group=WHICH, validator=possible_id, metavar="ID", help="Only this customer's.")
    ] = None,
    options: CallOptions = CALL_DEFAULTS,
) -> int:
    """List the instances that the credentials may see, one row per instance."""
    return run_command(partial(list_instances, choice=Choice(definition, customer), options=options))


@app.command(help_epilogue=examples.SIMULATE, sort_key=8)
def simulate(
    *,
    port: Annotated[int, Parameter(converter=whole, validator=port_number)] = 8099,
    instances: Annotated[int, Parameter(converter=whole, validator=from_zero_up)] = 200,
    rate: Annotated[float | None, Parameter(converter=above_zero)] = None,
    seed: Annotated[int, Parameter(converter=whole)] = 1,
) -> int:
    """Serve a simulated Backupify on this machine until Ctrl-C, and print the environment to use it.

    Args:
        port: Where to listen; 0 takes a free one.
        instances: How many instances it has.
        rate: Calls a second that it allows, as a token bucket; by default it has no limit.
        seed: Of all that is random in it.
    """
    from backupify_async._cli.simulate import simulate as serve  # noqa: PLC0415 - as above

    return run_command(partial(serve, port=port, instances=instances, rate=rate, seed=seed))


def _sweep(operation: Operation[T], ids: tuple[str, ...], options: SweepOptions) -> int:
    source = choose(ids, options.ids_file, everything=options.all)
    return run_command(partial(sweep, operation=operation, ids=source, options=options))
