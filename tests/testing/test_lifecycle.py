"""Starting and stopping, in a loop and in a thread; settings that are none."""

import asyncio
import http.client
import json
import math
import socket
import threading
from typing import Any

import aiohttp
import pytest

from backupify_async.testing import Fault, ManualClock, SimulatedBackupify, running_in_thread
from backupify_async.testing._clock import wall_clock
from tests.support.caller import calling

_ACTIVE = "/v1/backup_instances/7/backups/active"


def _port(server: SimulatedBackupify) -> int:
    return int(server.base_url.rpartition(":")[2])


def _ping(server: SimulatedBackupify) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", _port(server))
    try:
        connection.request("GET", "/v1/ping")
        return connection.getresponse().status
    finally:
        connection.close()


class TestStarting:
    async def test_it_listens_on_a_free_loopback_port(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert server.base_url.startswith("http://127.0.0.1:")
            assert (await call.get("/v1/ping")).json == {"ping": "pong"}

    async def test_before_that_it_has_no_address(self) -> None:
        server = SimulatedBackupify(instances=3)
        assert repr(server) == "<SimulatedBackupify not started, 3 instances>"
        with pytest.raises(RuntimeError, match="before it is started"):
            assert server.base_url

    async def test_a_port_that_is_taken_is_an_error_that_names_it(self) -> None:
        async with SimulatedBackupify() as server:
            with pytest.raises(OSError, match=str(_port(server))):
                await SimulatedBackupify(port=_port(server)).start()

    async def test_it_is_started_once(self) -> None:
        async with SimulatedBackupify() as server:
            with pytest.raises(RuntimeError, match="already running"):
                await server.start()

    async def test_after_a_stop_it_is_back_at_its_port_with_its_state(self) -> None:
        async with SimulatedBackupify() as server:
            address, token = server.base_url, server.issue_token()
            await server.stop()
            await server.start()
            assert server.base_url == address
            async with calling(server, token=token) as call:
                assert (await call.get(_ACTIVE)).status == 404


class TestStopping:
    async def test_it_leaves_no_task_and_no_socket(self) -> None:
        before = asyncio.all_tasks()
        async with aiohttp.ClientSession() as session:
            async with SimulatedBackupify(faults=[Fault.hang(first=3)]) as server:
                hanging = [asyncio.create_task(session.get(f"{server.base_url}/v1/ping")) for _ in range(4)]
                await server.wait_for_requests(4)
            results = await asyncio.gather(*hanging, return_exceptions=True)
            assert sum(isinstance(result, aiohttp.ClientConnectionError) for result in results) == 3
        assert asyncio.all_tasks() == before
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", _port(server)))

    async def test_twice_is_once(self) -> None:
        async with SimulatedBackupify() as server:
            await server.stop()
            await server.stop()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", _port(server)))


class TestLatency:
    async def test_an_answer_is_held_back_after_acting(self) -> None:
        async with SimulatedBackupify(latency=3600) as server, calling(server) as call:
            waiting = asyncio.create_task(call.post("/v1/backup_instances/7/backups"))
            await server.wait_for_requests(1)
            assert (len(server.triggers[7]), waiting.done()) == (1, False)
            await server.stop()
            with pytest.raises(aiohttp.ClientConnectionError):
                await waiting

    async def test_then_it_comes(self) -> None:
        async with SimulatedBackupify(latency=(0, 0.001)) as server, calling(server) as call:
            assert (await call.get("/v1/ping")).status == 200


class TestThread:
    def test_a_server_runs_beside_a_test_without_a_loop(self) -> None:
        with running_in_thread(SimulatedBackupify()) as server:
            assert _ping(server) == 200
            assert [record.operation for record in server.requests] == ["ping"]

    def test_afterwards_thread_and_port_are_gone(self) -> None:
        before = threading.enumerate()
        with running_in_thread(SimulatedBackupify()) as server:
            assert len(threading.enumerate()) == len(before) + 1
        assert threading.enumerate() == before
        with pytest.raises(ConnectionRefusedError):
            _ping(server)

    def test_a_test_that_fails_stops_it_too(self) -> None:
        with pytest.raises(ZeroDivisionError), running_in_thread(SimulatedBackupify()) as server:
            raise ZeroDivisionError
        with pytest.raises(ConnectionRefusedError):
            _ping(server)

    def test_an_error_at_the_start_is_raised_where_it_is_started(self) -> None:
        with running_in_thread(SimulatedBackupify()) as server:
            other = SimulatedBackupify(port=_port(server))
            with pytest.raises(OSError, match=str(_port(server))), running_in_thread(other):
                pytest.fail("it started")

    @pytest.mark.blocking
    async def test_a_loop_of_another_thread_can_use_it_and_wait_for_it(self) -> None:
        with running_in_thread(SimulatedBackupify(faults=[Fault.hang(first=1)])) as server:
            async with calling(server) as call:
                waiting = asyncio.create_task(call.get("/v1/ping"))
                await server.wait_for_requests(1)
                waiting.cancel()
                assert (await call.get("/v1/ping")).status == 200


class TestClocks:
    def test_a_manual_one_stands_still_until_it_is_turned(self) -> None:
        clock = ManualClock(1000.0)
        assert (clock(), clock()) == (1000.0, 1000.0)
        clock.advance(0.5)
        assert (clock(), repr(clock)) == (1000.5, "ManualClock(1000.5)")

    @pytest.mark.parametrize("seconds", [-1, math.nan])
    def test_it_is_not_turned_back(self, seconds: float) -> None:
        with pytest.raises(ValueError, match="forward"):
            ManualClock().advance(seconds)

    def test_the_wall_clock_shows_the_real_time_and_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.time", lambda: 5000.0)
        monkeypatch.setattr("time.monotonic", iter([10.0, 10.0, 11.5]).__next__)
        clock = wall_clock()
        assert (clock(), clock()) == (5000.0, 5001.5)


class TestSettings:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("instances", -1),
            ("backups", -1),
            ("token_lifetime", 0),
            ("latency", -1),
            ("latency", (2, 1)),
            ("latency", math.nan),
            ("backup_duration", 0),
            ("idle_response", 200),
            ("active_conflict", 400),
            ("per_page", 0),
            ("max_per_page", 0),
            ("port", 65536),
        ],
    )
    def test_one_out_of_its_range_is_named(self, name: str, value: Any) -> None:
        with pytest.raises(ValueError, match=name):
            SimulatedBackupify(**{name: value})

    @pytest.mark.parametrize("name", ["instances", "backups", "per_page", "port"])
    def test_a_count_is_an_integer(self, name: str) -> None:
        settings: Any = {name: 1.5}
        with pytest.raises(TypeError, match=name):
            SimulatedBackupify(**settings)

    def test_the_same_seed_is_the_same_world(self) -> None:
        def answers(seed: int) -> bytes:
            with running_in_thread(SimulatedBackupify(seed=seed, clock=ManualClock())) as server:
                connection = http.client.HTTPConnection("127.0.0.1", _port(server))
                header = {"Authorization": f"Bearer {server.issue_token()}", "Host": "host"}
                connection.request("GET", "/v1/backup_instances/1/backups", headers=header)
                body = connection.getresponse().read()
                connection.close()
                return json.dumps([header, body.decode()]).encode()

        assert answers(1) == answers(1) != answers(2)
