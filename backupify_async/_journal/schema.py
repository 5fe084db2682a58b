"""The tables of a journal's database, and the statements that change them. No I/O."""

from backupify_async._journal.entries import ENTRY_FIELDS, SWEEP_FIELDS

APPLICATION = 0x424B4A4C  # "BKJL": distinguishes a journal from any other database
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
    # Format 3 calls its entries lines.
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
    # The same key as `instance_key`: the number, where all are ASCII digits.
    """CREATE UNIQUE INDEX instances ON lines (
        CASE WHEN instance_id GLOB '*[^0-9]*' THEN instance_id
        ELSE coalesce(nullif(ltrim(instance_id, '0'), ''), '0') END
    )""",
)


# Opening a journal to write raises its epoch. A writer that finds another epoch than its own writes nothing.
# `in_place()` is defined by `SQLiteStore`: whether the files are where they were when it opened them.
_IS_HELD = "(SELECT epoch FROM sweep WHERE in_place()) = ?"
_ROW = f"({', '.join('?' * len(ENTRY_FIELDS))})"
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in ENTRY_FIELDS if name != "number")

CREATE_SWEEP = "INSERT INTO sweep (name, begun_at, opened_at) VALUES (?, ?, ?)"
RAISE_EPOCH = "UPDATE sweep SET epoch = epoch + 1, opened_at = ?"
WRITE_SWEEP = f"UPDATE sweep SET {', '.join(f'{name} = ?' for name in SWEEP_FIELDS)} WHERE {_IS_HELD}"  # noqa: S608


def write_entries(number: int) -> str:
    """The statement that writes a number of entries, all of them or none."""
    rows = ", ".join([_ROW] * number)
    return (
        f"INSERT INTO lines SELECT * FROM (VALUES {rows}) WHERE {_IS_HELD} "  # noqa: S608 - no input
        f"ON CONFLICT (number) DO UPDATE SET {_REPLACED}"
    )
