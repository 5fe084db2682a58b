"""`to_dict()` returns JSON types, which `json.dumps`, a log or a web framework can write unchanged."""

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async import (
    AmbiguousTrigger,
    Backup,
    BackupInstance,
    ConfigurationError,
    Failure,
    FanOutAborted,
    LimitSource,
    NotFound,
    Page,
    RequestTimeout,
    Results,
    SentTrigger,
    Statistics,
    Success,
    TriggerKind,
    TriggerResult,
    WaitFailed,
    WaitKind,
    WaitResult,
    WaitTimeout,
)
from backupify_async._json_types import to_json_types

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BACKUP = Backup(1007, 42, "running", started_at=WHEN, extra={"size": 3, "parts": [{"a": None}]})
PLAIN_BACKUP = {
    "id": 1007,
    "backup_instance_id": 42,
    "status": "running",
    "created_at": None,
    "started_at": "2026-01-02T03:04:05+00:00",
    "completed_at": None,
    "updated_at": None,
    "extra": {"size": 3, "parts": [{"a": None}]},
}
MISSING = NotFound(404, "GET", "/v1/backup_instances/9", "r-1", "{}")
PLAIN_MISSING = {
    "type": "NotFound",
    "message": str(MISSING),
    "status": 404,
    "method": "GET",
    "path": "/v1/backup_instances/9",
    "request_id": "r-1",
    "excerpt": "{}",
    "retry_after": None,
    "gave_up": None,
}
STARTED = TriggerResult(TriggerKind.STARTED, BACKUP)
PLAIN_STARTED = {"kind": "started", "backup": PLAIN_BACKUP, "waited": None, "from_previous_run": False}
LOST = RequestTimeout("no response in 60 s")
UNKNOWN = AmbiguousTrigger(SentTrigger(9, WHEN), LOST, "the list is empty", (BACKUP,))

EXPECTED: list[tuple[Any, dict[str, Any]]] = [
    (BACKUP, PLAIN_BACKUP),
    (
        BackupInstance("i-1", 7, 2, "daily", WHEN),
        {
            "id": "i-1",
            "customer_id": 7,
            "backup_definition_id": 2,
            "backup_frequency": "daily",
            "created_at": "2026-01-02T03:04:05+00:00",
            "updated_at": None,
            "extra": {},
        },
    ),
    (STARTED, PLAIN_STARTED),
    (
        WaitResult(WaitKind.REPLACED, None, BACKUP),
        {"kind": "replaced", "backup": None, "replaced_by": PLAIN_BACKUP},
    ),
    (
        Page([BACKUP], 1, None, {"next": "https://api.example.com/?page=2"}),
        {
            "items": [PLAIN_BACKUP],
            "number": 1,
            "total": None,
            "links": {"next": "https://api.example.com/?page=2"},
        },
    ),
    (
        Success(42, STARTED, 1, 0.5),
        {"key": 42, "ok": True, "value": PLAIN_STARTED, "error": None, "attempts": 1, "elapsed": 0.5},
    ),
    (
        Failure(9, MISSING, 2, 0.5),
        {"key": 9, "ok": False, "value": None, "error": PLAIN_MISSING, "attempts": 2, "elapsed": 0.5},
    ),
    (
        Results({42: STARTED, 7: None}, {9: MISSING, 8: ValueError("odd")}),
        {
            "values": {"42": PLAIN_STARTED, "7": None},
            "errors": {"9": PLAIN_MISSING, "8": {"type": "ValueError", "message": "odd"}},
        },
    ),
    (
        Statistics(1, 2, WHEN, 3, 4, 5, 6, LimitSource.HISTORY, None, reconciling=7),
        {
            "in_flight": 1,
            "waiting": 2,
            "paused_until": "2026-01-02T03:04:05+00:00",
            "requests": 3,
            "refused": 4,
            "retried": 5,
            "budget_left": 6,
            "limit_source": "history",
            "limit_per_second": None,
            "reconciling": 7,
            "waited_for": 0,
            "answered_from_memory": 0,
            "down_since": None,
            "speed_reason": "not limited",
            "store_away": None,
        },
    ),
    (MISSING, PLAIN_MISSING),
    (
        UNKNOWN,
        {
            "type": "AmbiguousTrigger",
            "message": str(UNKNOWN),
            "trigger": {
                "instance_id": 9,
                "sent_at": "2026-01-02T03:04:05+00:00",
                "baseline": "unknown",
                "response_by": None,
                "clock_offset": None,
                "accepted": False,
                "seen": [],
            },
            "cause": LOST.to_dict(),
            "reason": "the list is empty",
            "seen": [PLAIN_BACKUP],
            "interrupted_by": None,
        },
    ),
    (
        ConfigurationError("no"),
        {"type": "ConfigurationError", "message": "no", "problem": "no", "override": ""},
    ),
]


@pytest.mark.parametrize(("value", "expected"), EXPECTED, ids=lambda value: type(value).__name__)
def test_to_dict_returns_json_types(value: Any, expected: dict[str, Any]) -> None:
    made = value.to_dict()
    assert made == expected
    assert json.loads(json.dumps(made, allow_nan=False)) == made


def test_a_late_failure_contains_what_was_done() -> None:
    late = WaitFailed(42, STARTED, WaitTimeout(42, 1007, 60, BACKUP))
    assert late.to_dict()["result"] == PLAIN_STARTED
    assert late.to_dict()["cause"]["backup"] == PLAIN_BACKUP
    aborted = FanOutAborted("enough", 1, 1, {42: STARTED}, {9: MISSING})
    assert (aborted.to_dict()["values"], aborted.to_dict()["errors"]) == (
        {"42": PLAIN_STARTED},
        {"9": PLAIN_MISSING},
    )


def test_keys_with_the_same_text_are_both_kept() -> None:
    assert Results({42: "int", "42": "str"}, {}).to_dict()["values"] == {"42": "int", "'42'": "str"}


def test_extra_is_not_converted_at_any_depth() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert Backup(1, extra={"deep": deep}).to_dict()["extra"]["deep"] is deep


def test_changing_the_dict_does_not_change_the_model() -> None:
    backup = Backup(1, extra={"size": 3})
    backup.to_dict()["extra"]["size"] = 4
    assert backup.extra["size"] == 3


class TestAnyValues:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (Decimal("1.5"), "1.5"),
            (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
            (float("nan"), None),
            (float("inf"), None),
            ((1, [2, {3}]), [1, [2, [3]]]),
            ({"b", "a"}, ["a", "b"]),
            ({(1, 2): WHEN}, {"(1, 2)": "2026-01-02T03:04:05+00:00"}),
            (TriggerKind.ADOPTED, "adopted"),
        ],
    )
    def test_values_are_converted_to_json_types(self, value: object, expected: object) -> None:
        assert Success("key", value, 0, 0.0).to_dict()["value"] == expected

    @given(
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text()
            | st.datetimes()
            | st.binary(),
            lambda inner: (
                st.lists(inner)
                | st.frozensets(st.integers() | st.text())
                | st.dictionaries(st.integers() | st.text(), inner)
            ),
            max_leaves=10,
        )
    )
    def test_any_value_is_converted_to_json_types(self, value: object) -> None:
        made = to_json_types(value)
        assert json.loads(json.dumps(made, allow_nan=False)) == made
