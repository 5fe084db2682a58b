"""Functions that end the process or raise another `BaseException`."""

import asyncio

import pytest

from backupify_async import fan_out
from tests.support.work import BaseError

pytestmark = pytest.mark.looptime


class TestAFunctionThatEndsTheProcess:
    @pytest.mark.looptime(enabled=False)
    @pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
    def test_ends_the_process_instead_of_its_key_only(self, end: type[BaseException]) -> None:
        async def work(_key: int) -> None:
            raise end

        async def sweep() -> None:
            await fan_out(work, range(100), concurrency=2)

        with pytest.raises(end):
            asyncio.run(sweep())


class TestAFunctionThatRaisesABaseException:
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("ordered", [False, True])
    async def test_has_the_exception_as_its_outcome(self, ordered: bool) -> None:
        async def work(key: int) -> int:
            await asyncio.sleep(1)
            if key == 1:
                raise BaseError
            return key

        async with fan_out(work, range(4), ordered=ordered) as outcomes:
            found = {outcome.key: type(outcome.error) async for outcome in outcomes}
            for worker in outcomes._workers:
                worker.done() and not worker.cancelled() and worker.exception()
        assert found == {0: type(None), 1: BaseError, 2: type(None), 3: type(None)}
