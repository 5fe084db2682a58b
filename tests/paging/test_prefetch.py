"""Prefetched pages give the same list in less time; in virtual time."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backupify_async import BackupifyError, RateLimit, UnsafeLink
from backupify_async._fleet.fleet import Fleet
from backupify_async._journal.entries import SweepAccount
from backupify_async._resources.backups import Backups
from backupify_async._resources.customers import Customers
from backupify_async._resources.instances import Instances
from tests.benchmarks.rate import virtual_time
from tests.support.fake_transport import FakeTransport, session_over
from tests.support.sites import Site, pages_asked

pytestmark = pytest.mark.looptime

TEN = Site([2] * 10, says_last=10)


@contextlib.asynccontextmanager
async def backups_of(site: Site, round_trip: float = 0.05) -> AsyncIterator[tuple[Backups, FakeTransport]]:
    transport = FakeTransport(site, round_trip)
    async with session_over(transport, rate_limit=RateLimit(None, adaptive=False)) as session:
        yield Backups(session), transport


def fleet_of(backups: Backups, ids: list[int | str]) -> Fleet:
    return Fleet(backups, ids, concurrency=8, is_blocked=lambda: False, account=SweepAccount("", None))


async def read(site: Site, prefetch: int, stop_after: int | None = None) -> tuple[list[Any], str | None]:
    """The ids that were handed out, and the repr of the error that ended the list."""
    found: list[int | str] = []
    async with backups_of(site) as (backups, transport):
        listed = backups.list(42, prefetch=prefetch)
        try:
            async with contextlib.aclosing(aiter(listed)) as items:
                async for backup in items:
                    found.append(backup.id)
                    if len(found) == stop_after:
                        break
        except BackupifyError as error:
            return found, repr(error)
        finally:
            assert transport.in_flight == 0
    return found, None


class TestRoundTrips:
    @pytest.mark.parametrize(("prefetch", "round_trips"), [(0, 10), (1, 10), (2, 6), (3, 4), (9, 2), (99, 2)])
    async def test_prefetched_pages_share_a_round_trip(self, prefetch: int, round_trips: int) -> None:
        loop = asyncio.get_running_loop()
        async with backups_of(TEN) as (backups, transport):
            began = loop.time()
            await backups.list(42, prefetch=prefetch).collect()
            assert round((loop.time() - began) / 0.05) == round_trips
        assert transport.most_in_flight == min(max(1, prefetch), 9)
        assert sorted(pages_asked(transport)[1:]) == sorted(f"page={page}" for page in range(2, 11))

    async def test_a_slow_page_delays_later_pages_but_not_their_requests(self) -> None:
        async with backups_of(TEN) as (backups, transport):
            async with contextlib.aclosing(backups.list(42, prefetch=3).pages()) as pages:
                await anext(pages)
                await asyncio.sleep(1)
                sent = len(transport.sent)
                assert [(await anext(pages)).number, (await anext(pages)).number] == [2, 3]
            assert sent == 4

    async def test_nothing_is_prefetched_before_the_first_response(self) -> None:
        async with backups_of(TEN) as (backups, transport):
            await backups.list(42, prefetch=5).collect(1)
        assert pages_asked(transport) == [""]


class TestLimit:
    @pytest.mark.parametrize(
        ("limit", "pages"), [(0, 0), (1, 1), (2, 1), (3, 2), (9, 5), (20, 10), (99, 10), (None, 10)]
    )
    @pytest.mark.parametrize("prefetch", [0, 1, 4, 16])
    async def test_only_needed_pages_are_requested(
        self, prefetch: int, limit: int | None, pages: int
    ) -> None:
        async with backups_of(TEN) as (backups, transport):
            found = await backups.list(42, prefetch=prefetch).collect(limit)
        assert (len(found), len(transport.sent)) == (min(limit if limit is not None else 20, 20), pages)

    async def test_an_empty_page_does_not_change_the_number_of_pages(self) -> None:
        async with backups_of(Site([0, 2, 2, 2], says_last=4)) as (backups, transport):
            assert len(await backups.list(42, prefetch=9).collect(3)) == 3
        assert pages_asked(transport) == ["", "page=2", "page=3"]


class TestLinks:
    @pytest.mark.parametrize(
        "query",
        ["page={}", "page[number]={}", "a=1&page={}&b=2", "page={0}&page={0}", "page=0{}", "cursor=x{}"],
    )
    async def test_each_list_is_read_to_its_end(self, query: str) -> None:
        site = Site([1] * 6, says_last=6, query=query)
        assert await read(site, 3) == ([1, 2, 3, 4, 5, 6], None)

    @pytest.mark.parametrize(
        ("query", "in_flight"),
        [("a=1&page={0}", 3), ("page={0}&again={0}", 1), ("page=0{}", 1), ("cursor=x{}", 1)],
    )
    async def test_only_an_unambiguous_page_number_is_used_for_prefetching(
        self, query: str, in_flight: int
    ) -> None:
        async with backups_of(Site([1] * 6, says_last=6, query=query)) as (backups, transport):
            await backups.list(42, prefetch=3).collect()
        assert transport.most_in_flight == in_flight

    async def test_without_a_last_link_pages_are_fetched_one_by_one(self) -> None:
        async with backups_of(Site([1] * 6)) as (backups, transport):
            await backups.list(42, prefetch=3).collect()
        assert transport.most_in_flight == 1

    async def test_a_last_link_to_another_origin_is_neither_followed_nor_needed(self) -> None:
        link = "<?page=2>; rel=next, <https://elsewhere.example/?page=9>; rel=last"
        assert await read(Site([1] * 3, broken=1, how=link), 3) == ([1, 2, 3], None)

    async def test_links_that_do_not_follow_the_numbers_end_prefetching(self) -> None:
        link = "<?page=7>; rel=next, <?page=9>; rel=last"
        async with backups_of(Site([1] * 9, says_last=9, broken=2, how=link)) as (backups, transport):
            found = [backup.id for backup in await backups.list(42, prefetch=3).collect()]
        assert found == [1, 2, 7, 8, 9]
        assert pages_asked(transport) == ["", *(f"page={page}" for page in (2, 3, 4, 7, 8, 9))]

    async def test_a_link_to_another_path_is_not_a_page_number(self) -> None:
        link = "<?page=2>; rel=next, </v1/elsewhere?page=3>; rel=last"
        async with backups_of(Site([1] * 3, broken=1, how=link)) as (backups, transport):
            await backups.list(42, prefetch=3).collect()
        assert pages_asked(transport) == ["", "page=2", "page=3"]


class TestAListThatChanges:
    async def test_a_list_that_grew_is_read_to_its_new_end(self) -> None:
        assert await read(Site([1] * 8, says_last=5), 4) == (list(range(1, 9)), None)

    async def test_a_list_that_shrank_ends_where_its_links_end(self) -> None:
        assert await read(Site([1] * 4, says_last=9), 4) == ([1, 2, 3, 4], None)


class TestErrors:
    @pytest.mark.parametrize("how", ["missing", "unreadable"])
    async def test_errors_are_raised_after_the_items_before_them(self, how: str) -> None:
        found, error = await read(Site([2] * 10, says_last=10, broken=4, how=how), 8)
        assert (found, error is not None) == ([1, 2, 3, 4, 5, 6], True)

    async def test_errors_after_the_limit_are_not_raised(self) -> None:
        async with backups_of(Site([2] * 10, says_last=10, broken=4)) as (backups, _):
            assert len(await backups.list(42, prefetch=8).collect(6)) == 6

    async def test_an_unsafe_next_link_is_raised_when_it_is_needed(self) -> None:
        site = Site([1] * 5, says_last=5, broken=3, how="<https://elsewhere.example/>; rel=next")
        found, error = await read(site, 4)
        assert found == [1, 2, 3]
        assert UnsafeLink.__name__ in str(error)


class TestLeaving:
    async def test_breaking_out_leaves_no_task(self) -> None:
        async with backups_of(TEN) as (backups, transport):
            before = asyncio.all_tasks()
            async for _ in backups.list(42, prefetch=4):
                break
            await asyncio.sleep(0.01)
            assert (asyncio.all_tasks(), transport.in_flight) == (before, 0)

    async def test_an_unreferenced_iteration_leaves_no_task(self) -> None:
        async with backups_of(TEN) as (backups, transport):
            before = asyncio.all_tasks()
            pages = backups.list(42, prefetch=4).pages()
            await anext(pages)
            del pages
            gc.collect()
            await asyncio.sleep(0.01)
            assert (asyncio.all_tasks(), transport.in_flight) == (before, 0)

    async def test_aclose_waits_for_the_prefetched_requests(self) -> None:
        async with backups_of(TEN) as (backups, transport):
            before = asyncio.all_tasks()
            listed = backups.list(42, prefetch=4)
            items = aiter(listed)
            await anext(items)
            await asyncio.sleep(0)
            assert transport.in_flight == 4
            await listed.aclose()
            assert (asyncio.all_tasks(), transport.in_flight) == (before, 0)

    @pytest.mark.parametrize("after", [0.02, 0.05, 0.07, 0.1, 0.12])
    async def test_cancellation_leaves_no_task_and_no_request(self, after: float) -> None:
        async with backups_of(TEN) as (backups, transport):
            before = asyncio.all_tasks()
            reading = asyncio.create_task(backups.list(42, prefetch=4).collect())
            await asyncio.sleep(after)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert (asyncio.all_tasks(), transport.in_flight) == (before, 0)

    async def test_closing_the_client_reports_no_unhandled_error(self) -> None:
        unhandled: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unhandled.append(context))
        async with backups_of(TEN) as (backups, _):
            pages = backups.list(42, prefetch=4).pages()
            await anext(pages)
        await pages.aclose()
        del pages, backups
        gc.collect()
        assert unhandled == []


class TestOtherLists:
    async def test_instances_of_the_account_and_of_a_customer_are_prefetched_too(self) -> None:
        transport = FakeTransport(TEN, 0.05)
        async with session_over(transport, rate_limit=RateLimit(None, adaptive=False)) as session:
            await Instances(session).list(prefetch=3).collect()
            assert transport.most_in_flight == 3
            transport.most_in_flight = 0
            await Customers(session).instances(7, prefetch=4).collect()
            assert transport.most_in_flight == 4

    async def test_a_fleet_prefetches_the_pages_of_each_instance(self) -> None:
        async with backups_of(TEN) as (backups, transport):
            results = await fleet_of(backups, ["42", 42]).list(prefetch=3)
        assert [len(found) for found in results.values.values()] == [20, 20]
        assert (transport.most_in_flight, len(transport.sent)) == (6, 20)

    async def test_prefetched_requests_of_a_fleet_count_for_their_instance(self) -> None:
        async with backups_of(TEN) as (backups, _), fleet_of(backups, [42]).list(prefetch=9) as outcomes:
            assert [outcome.attempts async for outcome in outcomes] == [10]

    async def test_an_abandoned_fleet_leaves_no_page_in_flight(self) -> None:
        async with backups_of(TEN) as (backups, transport):
            before = asyncio.all_tasks()
            async with fleet_of(backups, [42, 42]).list(prefetch=4):
                await asyncio.sleep(0.07)
                assert transport.in_flight == 8
            assert (asyncio.all_tasks(), transport.in_flight) == (before, 0)

    @pytest.mark.parametrize("prefetch", [-1, 1.5, True, "4", None])
    async def test_an_invalid_prefetch_is_refused(self, prefetch: Any) -> None:
        async with backups_of(TEN) as (backups, _):
            for listing in (partial(backups.list, 42), fleet_of(backups, [42]).list):
                with pytest.raises(ValueError, match="prefetch"):
                    listing(prefetch=prefetch)


_unsafe = "<https://elsewhere.example/>; rel=next"
_circle = (
    "</v1/backup_instances/42/backups?page=2>; rel=next, </v1/backup_instances/42/backups?page=5>; rel=last"
)
sites = st.builds(
    Site,
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.one_of(st.none(), st.integers(1, 15)),
    st.sampled_from(["page={}", "page[number]={}&per_page=3", "cursor={}x", "page={0}&again={0}"]),
    st.one_of(st.none(), st.integers(1, 12)),
    st.sampled_from(["missing", "unreadable", "nonsense", _unsafe, _circle]),
)


@given(sites, st.integers(1, 20), st.one_of(st.none(), st.integers(1, 30)))
@settings(max_examples=200, deadline=None)
def test_the_items_are_the_same_without_prefetch(site: Site, prefetch: int, stop_after: int | None) -> None:
    expected = virtual_time.run(read(site, 0, stop_after))
    assert virtual_time.run(read(site, prefetch, stop_after)) == expected


@given(sites, st.integers(1, 20), st.one_of(st.none(), st.integers(0, 30)))
@settings(max_examples=100, deadline=None)
def test_collect_is_the_same_without_prefetch(site: Site, prefetch: int, limit: int | None) -> None:
    async def collect(prefetched: int) -> object:
        async with backups_of(site) as (backups, transport):
            try:
                return await backups.list(42, prefetch=prefetched).collect(limit)
            except BackupifyError as error:
                return repr(error)
            finally:
                assert transport.in_flight == 0

    assert virtual_time.run(collect(prefetch)) == virtual_time.run(collect(0))
