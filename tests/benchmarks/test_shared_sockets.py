"""The benchmark of processes that share a limit runs, and its figures are what the server has recorded."""

import re
import subprocess
import sys

import pytest

from backupify_async.testing import RequestRecord
from tests.benchmarks.shared.sockets.figures import figures, percentile


def request(at: float, status: int = 200, member: str = "m0") -> RequestRecord:
    return RequestRecord(
        operation="get_active",
        method="GET",
        path="/",
        query={},
        instance_id=1,
        status=status,
        fault=None,
        at=at,
        request_id="id",
        user_agent=member,
    )


class TestFigures:
    def test_are_percents_of_the_limit_and_of_all_requests(self) -> None:
        records = [request(100.0 + number) for number in range(9)] + [request(101.0, 429)]
        found = figures(records, 100.0, 20.0, allowed=10)
        assert (found.used, found.refused, found.refused_later) == (90.0, 10.0, 0.0)

    def test_do_not_count_what_came_before_or_after(self) -> None:
        records = [request(99.0), request(100.0), request(130.0, 429)]
        assert figures(records, 100.0, 30.0, allowed=1).used == 100.0
        assert figures(records, 100.0, 30.0, allowed=1).refused == 0.0

    def test_are_fair_where_each_member_has_as_much(self) -> None:
        fair = [request(1.0, member=f"m{number}") for number in range(4)]
        assert figures(fair, 0.0, 2.0, allowed=4).fairness == 1.0
        assert figures([*fair, *[request(1.0)] * 4], 0.0, 2.0, allowed=4).fairness == pytest.approx(64 / 112)

    def test_have_percentiles(self) -> None:
        assert [percentile([float(number) for number in range(101)], part) for part in (0.5, 0.99)] == [
            50,
            99,
        ]
        assert percentile([], 0.5) == 0.0


@pytest.mark.slow
class TestTheTable:
    @pytest.mark.parametrize(
        ("options", "row"),
        [
            (["--only", "bucket"], r"bucket 83/s, 3 s: .*\| +file +\| [\d.]+ / [\d.]+ / [\d.]+ % / [\d.]+"),
            (["--only", "token"], r"token requests +\| Redis +\| \d+ in 1.5 s"),
            (["--faults", "--only", "killed"], r"a member is killed \(kill -9\) +\| file +\| [\d.]+ %"),
        ],
    )
    def test_is_printed(self, options: list[str], row: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.shared.sockets", "--quick", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert re.search(row, done.stdout), done.stdout
