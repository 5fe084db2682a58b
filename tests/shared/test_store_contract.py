"""What each `StateStore` must do."""

import asyncio
import contextlib
import logging
import sys
import time
from pathlib import Path

import pytest

from backupify_async._shared.store import BadRecord, StateStore, Stored, StoreMisused
from tests.shared.members import Wake, Writing, opened, read
from tests.shared.stores import BETWEEN_PROCESSES, STORES, Factory, Place, increment
from tests.support.memory_store import MemoryHub
from tests.support.redis_server import RedisServer


@pytest.fixture(params=["memory", "file", pytest.param("redis", marks=pytest.mark.slow)])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def make(name: str) -> Factory:
    return STORES[name]


@pytest.fixture
def place(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    if name == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        return server.url
    return MemoryHub() if name == "memory" else str(tmp_path / "shared")


class Picky(Writing):
    """A change that cannot read a value."""

    def __init__(self, value: bytes, version: int | None = None) -> None:
        super().__init__(value)
        self.version = version

    def __call__(self, stored: Stored) -> bytes:
        super().__call__(stored)
        if stored.value is not None and stored.value != self.value:
            raise BadRecord("not one of mine", self.version)
        return self.value


class TestATurn:
    async def test_finds_no_value_in_a_new_store(self, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            assert (await read(store)).value is None

    async def test_finds_what_another_member_wrote(self, make: Factory, place: Place) -> None:
        mine, theirs = make(place), make(place)
        async with opened(mine, theirs):
            await theirs.turn("limit", Writing(b"\x00{}\n\xff"))
            assert (await read(mine)).value == b"\x00{}\n\xff"

    async def test_writes_an_empty_value_as_well(self, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            await store.turn("limit", Writing(b""))
            assert (await read(store)).value == b""

    async def test_writes_a_large_value_as_well(self, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            await store.turn("limit", Writing(bytes(range(256)) * 1_000))
            assert (await read(store)).value == bytes(range(256)) * 1_000

    async def test_keeps_the_names_apart(self, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            await store.turn("limit", Writing(b"l"))
            await store.turn("token", Writing(b"t"))
            assert ((await read(store)).value, (await read(store, "token")).value) == (b"l", b"t")

    async def test_that_changes_nothing_leaves_the_value(self, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            await store.turn("limit", Writing(b"a"))
            await read(store)
            assert (await read(store)).value == b"a"

    async def test_whose_change_fails_raises_its_error_and_writes_nothing(
        self, make: Factory, place: Place
    ) -> None:
        def fail(stored: Stored) -> bytes:
            raise ZeroDivisionError

        store = make(place)
        async with opened(store):
            await store.turn("limit", Writing(b"a"))
            with pytest.raises(ZeroDivisionError):
                await store.turn("limit", fail)
            assert (await read(store)).value == b"a"

    async def test_that_is_cancelled_leaves_the_old_value_or_the_new_one(
        self, make: Factory, place: Place
    ) -> None:
        mine, theirs = make(place), make(place)
        async with opened(mine, theirs):
            await mine.turn("limit", Writing(b"old"))
            for steps in range(8):
                task = asyncio.create_task(mine.turn("limit", Writing(b"new")))
                for _ in range(steps):
                    await asyncio.sleep(0.0)
                task.cancel()
                await asyncio.wait([task])
                assert (await read(theirs)).value in (b"old", b"new")
            await mine.turn("limit", Writing(b"next"))
            assert (await read(theirs)).value == b"next"

    async def test_sees_a_clock_that_all_members_share_and_that_grows(
        self, make: Factory, place: Place
    ) -> None:
        mine, theirs = make(place), make(place)
        async with opened(mine, theirs):
            seen = [await read(store) for store in (mine, theirs) * 5]
        assert [stored.now for stored in seen] == sorted(stored.now for stored in seen)
        assert len({stored.epoch for stored in seen}) == 1
        assert seen[-1].now - seen[0].now < 5.0

    async def test_sees_the_time_of_day(self, name: str, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            wall = (await read(store)).wall
        assert name == "memory" or abs(wall - time.time()) < 5.0


class TestTurnsThatRace:
    async def test_lose_no_change(self, make: Factory, place: Place) -> None:
        async def count(store: StateStore) -> None:
            for _ in range(25):
                await store.turn("limit", increment)

        stores = [make(place) for _ in range(4)]
        async with opened(*stores):
            await asyncio.gather(*(count(store) for store in stores))
            assert (await read(stores[0])).value == b"100"

    async def test_of_one_member_lose_no_change(self, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            await asyncio.gather(*(store.turn("limit", increment) for _ in range(20)))
            assert (await read(store)).value == b"20"

    @pytest.mark.slow
    async def test_of_several_processes_lose_no_change(self, name: str, make: Factory, place: Place) -> None:
        if name not in BETWEEN_PROCESSES:
            pytest.skip("its members are in one process")
        code = (
            "import asyncio, sys\n"
            "from tests.shared.stores import STORES, increment\n"
            "async def main():\n"
            "    store = STORES[sys.argv[1]](sys.argv[2])\n"
            "    await store.open(lambda: None)\n"
            "    for _ in range(200):\n"
            "        await store.turn('limit', increment)\n"
            "        await asyncio.sleep(0.001)\n"  # nobody takes turns without a pause
            "    await store.close()\n"
            "asyncio.run(main())\n"
        )
        arguments = (sys.executable, "-c", code, name, str(place))
        processes = [await asyncio.create_subprocess_exec(*arguments) for _ in range(4)]
        assert await asyncio.gather(*(process.wait() for process in processes)) == [0] * 4
        store = make(place)
        async with opened(store):
            assert (await read(store)).value == b"800"


class TestAValueThatCannotBeRead:
    async def test_is_put_aside_and_the_change_begins_with_none(
        self, make: Factory, place: Place, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = make(place)
        change = Picky(b"mine")
        async with opened(store):
            await store.turn("limit", Writing(b"foreign"))
            with caplog.at_level(logging.WARNING, "backupify_async.shared"):
                await store.turn("limit", change)
            assert change.seen == [b"foreign", None]
            assert (await read(store)).value == b"mine"
        if not isinstance(place, MemoryHub):
            assert "not one of mine" in caplog.text
            assert "foreign" not in caplog.text

    async def test_leaves_the_other_name_as_it_is(self, make: Factory, place: Place) -> None:
        store = make(place)
        async with opened(store):
            await store.turn("token", Writing(b"t"))
            await store.turn("limit", Writing(b"foreign"))
            await store.turn("limit", Picky(b"mine"))
            assert (await read(store, "token")).value == b"t"

    async def test_and_is_of_another_version_is_put_aside_once(self, make: Factory, place: Place) -> None:
        mine, theirs = make(place), make(place)
        async with opened(mine, theirs):
            await theirs.turn("limit", Writing(b"version 2"))
            await mine.turn("limit", Picky(b"mine", version=2))
            await theirs.turn("limit", Writing(b"version 2"))
            with pytest.raises(StoreMisused, match="two versions of backupify_async share this store"):
                await mine.turn("limit", Picky(b"mine", version=2))


class TestAnAnnouncement:
    async def test_wakes_the_other_members_and_not_its_own(self, make: Factory, place: Place) -> None:
        stores = [make(place) for _ in range(3)]
        wakes = [Wake() for _ in stores]
        async with contextlib.AsyncExitStack() as stack:
            for store, wake in zip(stores, wakes, strict=True):
                await stack.enter_async_context(opened(store, wake=wake))
            await read(stores[0])
            await stores[0].announce()
            await asyncio.gather(wakes[1].arrived(), wakes[2].arrived())
            await stores[1].announce()  # what comes later has overtaken nothing
            await wakes[0].arrived()
            assert wakes[0].count == 1

    async def test_does_not_reach_a_member_that_has_closed(self, make: Factory, place: Place) -> None:
        mine, theirs, third = make(place), make(place), make(place)
        closed, wake = Wake(), Wake()
        async with opened(mine), opened(third, wake=wake):
            await theirs.open(closed)
            await theirs.close()
            await mine.announce()
            await wake.arrived()
        assert closed.count == 0


class TestClosing:
    async def test_leaves_the_values(self, make: Factory, place: Place) -> None:
        first, second = make(place), make(place)
        async with opened(first):
            await first.turn("limit", Writing(b"a"))
        async with opened(second):
            assert (await read(second)).value == b"a"

    async def test_works_twice_and_without_opening(self, make: Factory, place: Place) -> None:
        store, wake = make(place), Wake()
        await store.close()
        await store.open(wake)
        await store.close()
        await store.close()
        assert wake.count == 0
