"""The models: frozen values that can be compared, copied and pickled."""

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from backupify_async import Backup, BackupInstance, TriggerKind, TriggerResult

VALUES = [
    Backup(1007, 42, "running", started_at=datetime(2026, 1, 2, tzinfo=UTC), extra={"size": 3}),
    BackupInstance("i-1", 7, 2, "daily", extra={"name": "x"}),
    TriggerResult(TriggerKind.STARTED, Backup(1)),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
class TestAllModels:
    def test_a_model_survives_pickle_and_copy(self, value: Any) -> None:
        assert pickle.loads(pickle.dumps(value)) == copy.copy(value) == copy.deepcopy(value) == value

    def test_a_model_is_frozen(self, value: Any) -> None:
        name = attrs.fields(type(value))[0].name
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, None)

    def test_a_model_is_hashable(self, value: Any) -> None:
        assert {value, copy.deepcopy(value)} == {value}


class TestBackup:
    def test_only_the_id_is_required(self) -> None:
        assert Backup(1) == Backup(1, None, None, None, None, None, None, {})

    def test_extra_counts_in_a_comparison(self) -> None:
        assert Backup(1, extra={"size": 1}) != Backup(1, extra={"size": 2})

    def test_extra_is_not_shared(self) -> None:
        assert Backup(1).extra is not Backup(1).extra


def test_a_trigger_has_three_kinds_of_result() -> None:
    assert [kind.value for kind in TriggerKind] == ["started", "already_active", "adopted"]
