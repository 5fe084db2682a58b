"""The benchmark of processes that share a limit runs, and shows what it is to show."""

import pytest

from tests.benchmarks.shared.next_run import next_run
from tests.benchmarks.shared.table import MUST, jobs, scores

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["token bucket 83/s burst 17, Retry-After", "window 140 per 2 s, headers"])
def test_processes_that_share_reach_what_one_client_reaches(name: str) -> None:
    [job] = jobs(name, 2_000, 1, 8, "memory", None, False)
    one, alone, shared = scores(job)
    assert alone is None
    assert 100 * shared.ideal / one.ideal >= MUST
    assert shared.refused <= one.refused + 1.0


def test_a_store_that_is_some_milliseconds_away_costs_little() -> None:
    [job] = jobs("token bucket 83/s burst 17, Retry-After", 1_000, 1, 8, "memory", (1.0, 20.0), False)
    one, _, shared = scores(job)
    assert 100 * shared.ideal / one.ideal >= 95


def test_processes_that_do_not_share_starve_each_other() -> None:
    [job] = jobs("token bucket 83/s burst 17, Retry-After", 1_000, 1, 8, "memory", None, True)
    _, alone, shared = scores(job)
    assert alone is not None
    assert alone.ideal < shared.ideal
    assert alone.refused > 3 * shared.refused


@pytest.mark.parametrize("rest", [0.5, 60.0, 4000.0])
def test_the_next_run_is_hardly_refused(rest: float) -> None:
    assert next_run("token bucket 83/s burst 17", 1001, rest).refused() <= 2
