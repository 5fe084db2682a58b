"""A sweep of triggers whose journal is damaged."""

import asyncio
from pathlib import Path

import pytest

from backupify_async._journal.entries import JournalEntry
from backupify_async._journal.transitions import intended
from backupify_async.errors import JournalError
from tests.fleet.journalled_sweeps import Api, recorded_states, run_sweep, sending, write_journal
from tests.support.files import run_sql


class TestADamagedJournal:
    @pytest.mark.parametrize(
        "cells",
        [
            *("evidence = '5'", "evidence = 'null'", "evidence = '{}'", "evidence = '[1]'", "evidence = '['"),
            *("evidence = '[null, 5, true, []]'", "evidence = '[null, [1], true, []]'"),
            *("evidence = '[null, [1, \"2\"], true, []]'", "evidence = '[null, [NaN, 1], true, []]'"),
            *("evidence = '[null, null, \"yes\", []]'", "evidence = '[null, null, true, 5]'"),
            *("evidence = '[null, null, true, \"ab\"]'", "evidence = '[null, null, true, [[]]]'"),
            *("evidence = '[5, null, true, []]'", f"evidence = '{'[' * 9_000}'"),
            *("backup = '5'", "backup = '[]'", "backup = 'null'", "backup = '{}'", "backup = x'ff'"),
            *(
                "baseline = '[1]'",
                "baseline = '{}'",
                "baseline = 'true'",
                "baseline = 'x'",
                "baseline = x'31'",
            ),
            *("sent_at = 'soon'", "sent_at = '2026-11-23T03:00:00'", "sent_at = 5", "sent_at = NULL"),
            *("instance_id = ''", "instance_id = '..'", "instance_id = 'x'", "instance_id = x'31'"),
            *("instance_id = ' 1'", "instance_id = '٢'", "is_number = 2", "is_number = 'yes'"),
            *("state = 'paused'", "state = x'00'", "problem = x'00'"),
        ],
    )
    async def test_is_reported_and_nothing_is_sent(self, path: Path, api: Api, cells: str) -> None:
        await write_journal(path, intended(JournalEntry(1, 1), sending(1, 7)))
        await asyncio.to_thread(run_sql, path, f"UPDATE lines SET {cells}")
        with pytest.raises(
            JournalError, match="is damaged: check which backups are running before you begin a new sweep"
        ):
            await run_sweep(path, api, [1, 2])
        with pytest.raises(JournalError, match="is damaged"):
            await recorded_states(path)
        assert (api.sent, api.reconciled) == ([], {})

    @pytest.mark.parametrize(
        "cells",
        ["begun_at = 'once'", "begun_at = 5", "base_url = x'00'", "client_id = x'00'", "read_to_end = 7"],
    )
    async def test_is_reported_if_the_record_of_the_sweep_is_damaged(
        self, path: Path, api: Api, cells: str
    ) -> None:
        await write_journal(path, JournalEntry(1, 1))
        await asyncio.to_thread(run_sql, path, f"UPDATE sweep SET {cells}")
        with pytest.raises(JournalError, match="is damaged"):
            await run_sweep(path, api, [1])
        assert api.sent == []
