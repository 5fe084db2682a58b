"""Which requests a fault applies to, and faults that are invalid."""

import random
import re
from typing import Any

import pytest

from backupify_async.testing import Fault
from backupify_async.testing._faults import FaultInjector
from backupify_async.testing._messages import Operation, Request


def _request(operation: Operation = "get_active", instance: int = 7, *, method: str = "GET") -> Request:
    path = f"/v1/backup_instances/{instance}/backups/active"
    parts = {"instance_id": str(instance)}
    return Request(operation=operation, method=method, path=path, at=0.0, origin="http://host", parts=parts)


def _injector(*faults: Fault) -> FaultInjector:
    return FaultInjector(faults, random.Random(1))


def _hits(injector: FaultInjector, count: int) -> list[int]:
    """The positions, from 1, of the requests that matched."""
    return [position for position in range(1, count + 1) if injector.match(_request()) is not None]


class TestMatching:
    @pytest.mark.parametrize(
        "where",
        [
            {},
            {"operation": "get_active"},
            {"method": "get"},
            {"instance": 7},
            {"path": "/v1/*/active"},
            {"path": re.compile(r"/active$")},
            {"operation": "get_active", "method": "GET", "instance": 7, "path": "*"},
        ],
    )
    def test_a_request_that_fits_all_conditions_matches(self, where: Any) -> None:
        assert Fault.answer(503, **where).matches(_request())

    @pytest.mark.parametrize(
        "where",
        [
            {"operation": "trigger"},
            {"method": "POST"},
            {"instance": 8},
            {"path": "/v1/*/backups"},
            {"path": re.compile(r"^/active$")},
            {"operation": "get_active", "instance": 8},
        ],
    )
    def test_a_request_that_differs_in_one_condition_does_not_match(self, where: Any) -> None:
        assert not Fault.answer(503, **where).matches(_request())

    def test_without_a_limit_all_matching_requests_fail(self) -> None:
        assert _hits(_injector(Fault.answer(503)), 3) == [1, 2, 3]

    def test_only_the_first_requests_fail(self) -> None:
        assert _hits(_injector(Fault.answer(503, first=2)), 5) == [1, 2]

    def test_every_nth_request_fails(self) -> None:
        assert _hits(_injector(Fault.answer(503, every=3)), 7) == [3, 6]

    def test_a_probability_follows_the_seed(self) -> None:
        fault = Fault.answer(503, probability=0.1)
        hits = _hits(_injector(fault), 1000)
        assert 70 < len(hits) < 130
        assert hits == _hits(_injector(fault), 1000)

    def test_only_matching_requests_are_counted(self) -> None:
        injector = _injector(Fault.answer(503, instance=7, first=1))
        assert injector.match(_request(instance=8)) is None
        assert injector.match(_request(instance=7)) is not None

    def test_the_first_matching_fault_is_applied_and_the_others_do_not_count(self) -> None:
        earlier, later = Fault.answer(503, first=1), Fault.answer(500, first=1)
        injector = _injector(earlier, later)
        assert [injector.match(_request()) for _ in range(3)] == [earlier, later, None]

    def test_equal_faults_count_separately(self) -> None:
        assert _hits(_injector(Fault.answer(503, first=1), Fault.answer(503, first=1)), 3) == [1, 2]


class TestInvalidFaults:
    def test_two_limits_are_refused(self) -> None:
        with pytest.raises(ValueError, match="one of first, every and probability"):
            Fault.hang(first=1, every=2)

    @pytest.mark.parametrize(
        ("where", "named"),
        [
            ({"operation": "get_activ"}, "operation"),
            ({"first": 0}, "first"),
            ({"every": 0}, "every"),
            ({"probability": 0}, "probability"),
            ({"probability": 1.1}, "probability"),
            ({"probability": float("nan")}, "probability"),
        ],
    )
    def test_a_value_out_of_range_is_refused(self, where: Any, named: str) -> None:
        with pytest.raises(ValueError, match=named):
            Fault.hang(**where)

    def test_an_invalid_header_is_refused(self) -> None:
        with pytest.raises(ValueError, match="line break"):
            Fault.wrong_link("<a>\r\nX: y")
        with pytest.raises(ValueError, match="line break"):
            Fault.answer(503, headers={"X": "a\nb"})

    @pytest.mark.parametrize("status", [100, 199, 600])
    def test_a_status_that_is_not_final_is_refused(self, status: int) -> None:
        with pytest.raises(ValueError, match="status"):
            Fault.answer(status)


def test_a_repr_shows_only_what_was_set() -> None:
    assert repr(Fault.lose_response(after_acting=True, operation="trigger", first=2)) == (
        "<Fault lose_response operation='trigger' first=2 after_acting=True>"
    )
