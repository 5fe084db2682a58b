"""What `--help` shows beside the options."""

PROGRAM = """List, watch and trigger backups across many Backupify instances at once.

Credentials come from the environment, never from the command line, where every user of the machine could \
read them: BACKUPIFY_CLIENT_ID and BACKUPIFY_CLIENT_SECRET (or BACKUPIFY_CLIENT_SECRET_FILE), or \
BACKUPIFY_TOKEN; and BACKUPIFY_BASE_URL where it is not https://api.backupify.com."""

EXIT_CODES = """In summaries, throttled calls are those that the server refused for now (429) and that were \
sent again; retried ones were sent again after another failure.

Exit codes:

  0    all well; a backup that ran already is well
  1    some instances failed: each has its row, and is named on stderr with its
       reason; or some backups that were waited for did not end well
  2    usage or configuration
  3    authentication
  130  ended by Ctrl-C; 143 by SIGTERM; 129 as its terminal went away;
       141 by a closed pipe (| head)"""


def examples(*lines: str) -> str:
    """A command's examples, as its help shows them."""
    return "\n".join(["Examples:", "", *(f"  {line}" for line in lines)])


MAIN = examples(
    "backupify demo                                  # no credentials needed",
    "backupify list 42 43",
    "backupify active --all",
    "backupify latest --ids-file ids.txt --output csv > latest.csv",
    "backupify trigger --ids-file ids.txt --dry-run",
)
DEMO = examples("backupify demo")
LIST = examples(
    "backupify list 42",
    "backupify list 42 43 --newest 5",
    "backupify list --all --output jsonl | gzip > backups.jsonl.gz",
)
ACTIVE = examples(
    "backupify active 42 43",
    "backupify active --all --output jsonl | jq 'select(.state == \"active\")'",
    "backupify active --ids-file ids.txt --rate 20 --concurrency 64",
)
LATEST = examples(
    "backupify latest --all",
    "backupify latest --all --output csv --quiet > latest.csv",
    "backupify instances --customer 7 -o jsonl | jq .id | backupify latest --ids-file -",
)
TRIGGER = examples(
    "backupify trigger 42",
    "backupify trigger 42 43 44                      # asks first",
    "backupify trigger --ids-file ids.txt --dry-run  # says what it would do",
    "backupify trigger --ids-file ids.txt --yes      # does not ask: for scripts",
    "backupify trigger 42 43 --yes --wait            # until both backups are over",
    "backupify trigger --all --journal tonight.sqlite",
)
RESUME = examples(
    "backupify resume tonight.sqlite",
    "backupify resume tonight.sqlite --wait   # until all of its backups are over",
)
_STATES = """States, and what `backupify resume` does:

  read            nothing was sent: it triggers it
  intended        a trigger left, or was about to: it looks for its backup
  started         a backup was started: nothing; --wait waits for its end
  adopted         so it was; its answer was lost, and it was found: the same
  already_active  another backup ran, and none was started: the same
  failed          surely nothing was started: it triggers it again
  ambiguous       a backup may or may not have been started: it looks again"""
_SHOW = examples(
    "backupify journal show tonight.sqlite",
    "backupify journal show tonight.sqlite -o jsonl | jq 'select(.state == \"ambiguous\")'",
)
JOURNAL_SHOW = f"{_STATES}\n\n{_SHOW}"
INSTANCES = examples(
    "backupify instances",
    "backupify instances --customer 7",
    "backupify instances --definition 3 --output csv > instances.csv",
)
SIMULATE = examples(
    "backupify simulate                              # prints what to export",
    "backupify simulate --port 0 --instances 5000 --rate 50",
)
