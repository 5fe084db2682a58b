"""The text of `--help` around the options."""

PROGRAM = """List, watch and trigger backups across many Backupify instances at once.

Credentials are read from the environment: BACKUPIFY_CLIENT_ID and BACKUPIFY_CLIENT_SECRET (or \
BACKUPIFY_CLIENT_SECRET_FILE), or BACKUPIFY_TOKEN. They are not options, because every user of this \
machine could read those. BACKUPIFY_BASE_URL names a server other than https://api.backupify.com. \
BACKUPIFY_SHARED names a directory or a Redis server by which all processes share the rate limit; with \
BACKUPIFY_TOKEN it needs a name of the account, in BACKUPIFY_SHARED_ACCOUNT."""

EXIT_CODES = """In summaries, throttled calls were refused by the server's rate limit (429) and sent again; \
retried calls were sent again after another failure.

Exit codes:

  0    success; a backup that is already running is a success
  1    some instances failed: each has a row, and a message on stderr with the
       reason; or a backup that was waited for did not complete
  2    usage or configuration error
  3    authentication failed
  70   internal error: a bug in backupify
  129  the terminal was closed (SIGHUP)
  130  Ctrl-C (SIGINT)
  141  stdout was closed, as by | head
  143  SIGTERM"""


def examples(*lines: str) -> str:
    """A command's examples, for the end of its help."""
    return "\n".join(["Examples:", "", *(f"  {line}" for line in lines)])


def sweep_usage(command: str) -> str:
    """The usage line of a command that takes instances."""
    return f"Usage: backupify {command} [OPTIONS] IDS... | --ids-file FILE | --all"


EXAMPLES = examples(
    "backupify demo                                  # needs no credentials",
    "backupify list 42 43",
    "backupify active --all",
    "backupify latest --ids-file ids.txt --output csv > latest.csv",
    "backupify trigger --ids-file ids.txt --dry-run",
    "backupify active --all --shared /run/backupify   # at one limit with all that name this directory",
)
