"""The command line's app: every command is registered here."""

from cyclopts import App

from backupify_async._cli import help_text
from backupify_async._cli.commands import (
    active,
    api,
    demo,
    get,
    instances,
    journal,
    latest,
    resume,
    simulate,
    trigger,
    wait,
    whoami,
)
from backupify_async._cli.commands import list as list_
from backupify_async._cli.help_text import sweep_usage
from backupify_async.version import __version__

app = App(
    name="backupify",
    help=help_text.PROGRAM,
    help_format="plaintext",
    help_epilogue=f"{help_text.EXAMPLES}\n\n{help_text.EXIT_CODES}",
    version=__version__,
    version_flags="--version",
)

# In the order of the help, which `sort_key` keeps.
app.command(demo.demo, help_epilogue=demo.EXAMPLES, sort_key=0)
app.command(
    list_.list_backups, name="list", usage=sweep_usage("list"), help_epilogue=list_.EXAMPLES, sort_key=1
)
app.command(active.active, usage=sweep_usage("active"), help_epilogue=active.EXAMPLES, sort_key=2)
app.command(latest.latest, usage=sweep_usage("latest"), help_epilogue=latest.EXAMPLES, sort_key=3)
app.command(get.get, help_epilogue=get.EXAMPLES, sort_key=4)
app.command(trigger.trigger, usage=sweep_usage("trigger"), help_epilogue=trigger.EXAMPLES, sort_key=5)
app.command(wait.wait, help_epilogue=wait.EXAMPLES, sort_key=6)
app.command(resume.resume, help_epilogue=resume.EXAMPLES, sort_key=7)
app.command(journal.app)
app.command(instances.instances, help_epilogue=instances.EXAMPLES, sort_key=9)
app.command(api.api, help_epilogue=api.EXAMPLES, sort_key=10)
app.command(whoami.whoami, help_epilogue=whoami.EXAMPLES, sort_key=11)
app.command(simulate.simulate, help_epilogue=simulate.EXAMPLES, sort_key=12)
app.register_install_completion_command(
    help="Install completion for the shell that runs this: bash, zsh or fish.", help_epilogue="", sort_key=13
)
