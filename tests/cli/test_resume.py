"""`resume`: a sweep continues after the ids that its journal knows."""

from pathlib import Path

import pytest

from backupify_async._cli.exit_codes import Exit
from backupify_async._cli.id_sources import AllIds, ArgumentIds, FileIds
from backupify_async._cli.journal_sweep import remaining_source, sweep_name
from backupify_async._journal.entries import SweepInfo
from backupify_async.testing import SimulatedBackupify
from tests.journal.examples import WHEN
from tests.support.commands import Run, forget, shown, states

pytestmark = pytest.mark.slow


class TestResume:
    @pytest.mark.backupify(instances=4)
    @pytest.mark.parametrize("source", ["--all", "--ids-file", "ids"])
    def test_continues_after_the_ids_in_the_journal(
        self, server: SimulatedBackupify, run: Run, path: str, tmp_path: Path, source: str
    ) -> None:
        file = tmp_path / "ids of tonight.txt"
        file.write_text("1\n2\n3\n4\n")
        which = {"--all": ["--all"], "--ids-file": ["--ids-file", str(file)], "ids": ["1", "2", "3", "4"]}
        run("trigger", *which[source], "--yes", "--journal", path)
        forget(path, 3, 4)
        result = run("resume", path, "--ordered", "-o", "jsonl")
        assert result.code == 0
        assert list(states(result).items()) == [
            *((1, "started"), (2, "started")),
            *((3, "already_active"), (4, "already_active")),
        ]

    @pytest.mark.backupify(instances=3)
    def test_reads_no_ids_where_all_are_known(
        self, server: SimulatedBackupify, run: Run, path: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "ids.txt"
        file.write_text("1\n2\n")
        run("trigger", "--ids-file", str(file), "--yes", "--journal", path)
        file.unlink()
        result = run("resume", path)
        assert (result.code, "was done already: no backup was triggered" in result.err) == (0, True)

    @pytest.mark.backupify(instances=2)
    def test_finds_its_files_from_any_directory(
        self, server: SimulatedBackupify, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("ids.txt").write_text("1\n2\n")
        assert run("trigger", "--ids-file", "ids.txt", "--yes", "--journal", "sweep.sqlite").code == 0
        forget("sweep.sqlite", 2)
        monkeypatch.chdir("/")
        assert run("resume", f"{tmp_path}/sweep.sqlite").code == 0
        monkeypatch.chdir(tmp_path)
        assert shown(run, "sweep.sqlite") == {1: "started", 2: "already_active"}

    def test_without_a_journal_creates_none(self, server: SimulatedBackupify, run: Run, path: str) -> None:
        result = run("resume", path)
        assert (result.code, Path(path).exists(), server.requests) == (2, False, [])
        assert f"there is no journal {path}: `backupify trigger --journal` creates one" in result.err


class TestTheNameOfASweep:
    @pytest.mark.parametrize("ids", [AllIds(), ArgumentIds((42, "007", "a b", -5)), ArgumentIds(("--all",))])
    def test_leads_back_to_its_ids(self, ids: AllIds | ArgumentIds) -> None:
        assert remaining_source(SweepInfo(sweep_name(ids), WHEN), Path("x")) == ids

    def test_leads_back_to_its_file_from_anywhere(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "my ids.txt").touch()
        monkeypatch.chdir(tmp_path)
        name = sweep_name(FileIds("my ids.txt", rereadable=True))
        monkeypatch.chdir("/")
        found = remaining_source(SweepInfo(name, WHEN), Path("x"))
        assert found == FileIds(str(tmp_path / "my ids.txt"), rereadable=True)

    @pytest.mark.parametrize("name", ["", "nightly", "'"])
    def test_of_a_program_leads_nowhere(self, name: str) -> None:
        with pytest.raises(Exit, match="was not begun by `backupify trigger`"):
            remaining_source(SweepInfo(name, WHEN), Path("x"))

    def test_of_a_program_is_not_needed_where_all_ids_are_known(self) -> None:
        assert remaining_source(SweepInfo("nightly", WHEN, read_to_end=True), Path("x")) == ArgumentIds(())

    def test_must_be_printable(self) -> None:
        with pytest.raises(Exit, match="printable name"):
            sweep_name(FileIds("\udcff.txt", rereadable=True))
