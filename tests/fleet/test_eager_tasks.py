"""Fan-outs in a loop whose tasks start eagerly."""

import asyncio
import sys

import pytest

from backupify_async import fan_out
from tests.support.work import Work


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks need Python 3.12")
class TestEagerTasks:
    @pytest.fixture(autouse=True)
    async def eager(self) -> None:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", None))

    @pytest.mark.looptime
    @pytest.mark.parametrize("ordered", [True, False])
    async def test_never_exceed_the_concurrency(self, ordered: bool) -> None:
        work = Work(1)
        results = await fan_out(work, range(40), concurrency=4, ordered=ordered)
        assert (len(results.values), work.most_in_flight) == (40, 4)

    async def test_can_be_thousands(self) -> None:
        work = Work(0)
        results = await fan_out(work, range(6000), concurrency=5000)
        assert len(results.values) == 6000
        assert work.most_in_flight <= 5000

    async def test_that_never_wait_can_be_thousands_too(self) -> None:
        async def return_at_once(key: int) -> int:
            return key

        results = await fan_out(return_at_once, range(6000), concurrency=5000)
        assert len(results.values) == 6000
