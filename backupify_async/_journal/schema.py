"""What a journal's database looks like, and the statements that change it. No I/O."""

APPLICATION = 0x424B4A4C  # "BKJL": what tells a journal from any other database
VERSION = 3

SCHEMA = (
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
    """CREATE TABLE sweep (
        name TEXT NOT NULL,
        begun_at TEXT NOT NULL,
        opened_at TEXT NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0,
        source TEXT,
        base_url TEXT,
        client_id TEXT,
        read_to_end INTEGER NOT NULL DEFAULT 0
    )""",
    """CREATE TABLE lines (
        number INTEGER PRIMARY KEY,
        instance_id TEXT NOT NULL,
        is_number INTEGER NOT NULL,
        state TEXT NOT NULL,
        sent_at TEXT,
        baseline TEXT,
        backup TEXT,
        problem TEXT NOT NULL,
        evidence TEXT
    )""",
    # As `instance_key` has it: by the number, of what is all ASCII digits.
    """CREATE UNIQUE INDEX instances ON lines (
        CASE WHEN instance_id GLOB '*[^0-9]*' THEN instance_id
        ELSE coalesce(nullif(ltrim(instance_id, '0'), ''), '0') END
    )""",
)

# Whoever opens a journal to write raises its epoch; whoever finds another than its own writes nothing more.
HELD = "(SELECT epoch FROM sweep WHERE in_place()) = ?"
_COLUMNS = ("instance_id", "is_number", "state", "sent_at", "baseline", "backup", "problem", "evidence")
_ROW = f"({', '.join('?' * (1 + len(_COLUMNS)))})"
_CELLS = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)


def write_lines(number: int) -> str:
    """The statement that writes so many lines: they are there whole or not at all, and on disk behind it."""
    rows = ", ".join([_ROW] * number)
    return (
        f"INSERT INTO lines SELECT * FROM (VALUES {rows}) WHERE {HELD} "  # noqa: S608 - no input
        f"ON CONFLICT (number) DO UPDATE SET {_CELLS}"
    )


def note(cells: str) -> str:
    """The statement that notes something of the sweep as a whole."""
    return f"UPDATE sweep SET {cells} WHERE {HELD}"  # noqa: S608 - no input
