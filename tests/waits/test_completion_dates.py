"""Whether `completed_at` shows that a backup has ended."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from backupify_async._waits.progress import WaitProgress
from backupify_async.models import Backup, WaitKind, WaitResult
from tests.waits.checks import ENDED, NOW, check


class TestACompletionDate:
    """Where no date was set, systems write the first or the last one that they can represent."""

    @pytest.mark.parametrize(
        "placeholder",
        [
            *(datetime(year, 1, 1, tzinfo=UTC) for year in (1, 1601, 1753, 1900, 1904, 1970, 1980)),
            datetime(1899, 12, 30, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
            datetime(2038, 1, 19, 3, 14, 7, tzinfo=UTC),
        ],
    )
    @pytest.mark.parametrize("created_at", [ENDED, None])
    def test_a_placeholder_is_not_an_end(self, placeholder: datetime, created_at: datetime | None) -> None:
        backup = Backup(7, status="running", created_at=created_at, completed_at=placeholder)
        progress = WaitProgress(7).checked(backup, NOW)
        assert (progress.result, progress.needs_active) == (None, False)

    @pytest.mark.parametrize(("seconds", "kind"), [(-1, WaitKind.COMPLETED), (-1.001, None)])
    @pytest.mark.parametrize("name", ["created_at", "started_at"])
    def test_a_completion_date_before_the_start_is_ignored(
        self, name: str, seconds: float, kind: WaitKind | None
    ) -> None:
        completed_at = ENDED + timedelta(seconds=seconds)
        dates: dict[str, Any] = {name: ENDED, "completed_at": completed_at}
        backup = Backup(7, status="running", **dates)
        result = WaitProgress(7).checked(backup, NOW).result
        assert (result and result.kind) is kind

    @pytest.mark.parametrize(
        ("ahead", "tolerance", "kind"),
        [
            (300, 300, WaitKind.COMPLETED),
            (302, 300, None),
            (0.5, 0, WaitKind.COMPLETED),  # a Date has whole seconds
            (2, 0, None),
            (1e6, 1e15, WaitKind.COMPLETED),
        ],
    )
    def test_a_completion_date_in_the_future_beyond_the_tolerance_is_ignored(
        self, ahead: float, tolerance: float, kind: WaitKind | None
    ) -> None:
        backup = Backup(7, created_at=ENDED, completed_at=NOW + timedelta(seconds=ahead))
        result = WaitProgress(7, tolerance=tolerance).checked(backup, NOW).result
        assert (result and result.kind) is kind

    def test_an_implausible_completion_date_leaves_the_decision_to_get_active(self) -> None:
        backup = Backup(7, status="odd", created_at=ENDED, completed_at=datetime(1, 1, 1, tzinfo=UTC))
        once = check(WaitProgress(7), backup, None)
        assert (once.result, check(once, backup, None).result) == (None, WaitResult(WaitKind.UNKNOWN, backup))

    def test_a_status_that_means_an_end_needs_no_date(self) -> None:
        backup = Backup(7, status="failed", completed_at=datetime(1, 1, 1, tzinfo=UTC))
        assert WaitProgress(7).checked(backup, NOW).result == WaitResult(WaitKind.FAILED, backup)


class TestADateWithoutAnOffset:
    """Its offset from UTC can be anything from -12 to +14 hours."""

    @pytest.mark.parametrize(
        ("hours", "without", "kind"),
        [
            (13.9, {"completed_at"}, WaitKind.COMPLETED),
            (14.1, {"completed_at"}, None),
            (-11.9, {"completed_at"}, WaitKind.COMPLETED),
            (-12.1, {"completed_at"}, None),
            (-13.9, {"created_at"}, WaitKind.COMPLETED),
            (-14.1, {"created_at"}, None),
            (-0.1, {"created_at", "completed_at"}, None),
            (0, {"created_at", "completed_at"}, WaitKind.COMPLETED),
        ],
    )
    def test_a_plausible_completion_date_is_an_end(
        self, hours: float, without: set[str], kind: WaitKind | None
    ) -> None:
        completed_at = NOW + timedelta(hours=hours)
        backup = Backup(7, None, "running", NOW, None, completed_at, extra=dict.fromkeys(without, "raw"))
        assert backup.without_offset == without
        result = WaitProgress(7).checked(backup, NOW).result
        assert (result and result.kind) is kind
