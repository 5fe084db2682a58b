"""Start and stop, in an event loop and in a thread; latency, clocks and invalid settings."""

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


class TestStart:
    async def test_it_listens_on_a_free_loopback_port(self) -> None:
        async with SimulatedBackupify() as server, calling(server) as call:
            assert server.base_url.startswith("http://127.0.0.1:")
            assert (await call.get("/v1/ping")).json == {"ping": "pong"}

    async def test_a_server_that_is_not_started_has_no_address(self) -> None:
        server = SimulatedBackupify(instances=3)
        assert repr(server) == "<SimulatedBackupify not started, 3 instances>"
        with pytest.raises(RuntimeError, match="before it is started"):
            assert server.base_url

    async def test_a_port_in_use_is_an_error_that_names_it(self) -> None:
        async with SimulatedBackupify() as server:
            with pytest.raises(OSError, match=str(_port(server))):
                await SimulatedBackupify(port=_port(server)).start()

    async def test_a_second_start_is_an_error(self) -> None:
        async with SimulatedBackupify() as server:
            with pytest.raises(RuntimeError, match="already running"):
                await server.start()

    async def test_after_a_stop_it_starts_at_its_port_with_its_state(self) -> None:
        async with SimulatedBackupify() as server:
            address, token = server.base_url, server.issue_token()
            await server.stop()
            await server.start()
            assert server.base_url == address
            async with calling(server, token=token) as call:
                assert (await call.get(_ACTIVE)).status == 404


class TestStop:
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

    async def test_a_second_stop_does_nothing(self) -> None:
        async with SimulatedBackupify() as server:
            await server.stop()
            await server.stop()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", _port(server)))


class TestLatency:
    async def test_the_response_is_delayed_after_acting(self) -> None:
        async with SimulatedBackupify(latency=3600) as server, calling(server) as call:
            waiting = asyncio.create_task(call.post("/v1/backup_instances/7/backups"))
            await server.wait_for_requests(1)
            assert (len(server.triggers[7]), waiting.done()) == (1, False)
            await server.stop()
            with pytest.raises(aiohttp.ClientConnectionError):
                await waiting

    async def test_the_response_is_sent_after_the_delay(self) -> None:
        async with SimulatedBackupify(latency=(0, 0.001)) as server, calling(server) as call:
            assert (await call.get("/v1/ping")).status == 200


class TestThread:
    def test_a_server_runs_for_a_test_without_an_event_loop(self) -> None:
        with running_in_thread(SimulatedBackupify()) as server:
            assert _ping(server) == 200
            assert [record.operation for record in server.requests] == ["ping"]

    def test_thread_and_port_are_released_afterwards(self) -> None:
        before = threading.enumerate()
        with running_in_thread(SimulatedBackupify()) as server:
            assert len(threading.enumerate()) == len(before) + 1
        assert threading.enumerate() == before
        with pytest.raises(ConnectionRefusedError):
            _ping(server)

    def test_an_exception_stops_it_too(self) -> None:
        with pytest.raises(ZeroDivisionError), running_in_thread(SimulatedBackupify()) as server:
            raise ZeroDivisionError
        with pytest.raises(ConnectionRefusedError):
            _ping(server)

    def test_an_error_at_the_start_is_raised_in_the_calling_thread(self) -> None:
        with running_in_thread(SimulatedBackupify()) as server:
            other = SimulatedBackupify(port=_port(server))
            with pytest.raises(OSError, match=str(_port(server))), running_in_thread(other):
                pytest.fail("it started")

    @pytest.mark.blocking
    async def test_an_event_loop_of_another_thread_can_use_it_and_wait_for_it(self) -> None:
        with running_in_thread(SimulatedBackupify(faults=[Fault.hang(first=1)])) as server:
            async with calling(server) as call:
                waiting = asyncio.create_task(call.get("/v1/ping"))
                await server.wait_for_requests(1)
                waiting.cancel()
                assert (await call.get("/v1/ping")).status == 200


class TestClocks:
    def test_a_manual_clock_stands_still_until_it_is_advanced(self) -> None:
        clock = ManualClock(1000.0)
        assert (clock(), clock()) == (1000.0, 1000.0)
        clock.advance(0.5)
        assert (clock(), repr(clock)) == (1000.5, "ManualClock(1000.5)")

    @pytest.mark.parametrize("seconds", [-1, math.nan])
    def test_a_manual_clock_cannot_go_back(self, seconds: float) -> None:
        with pytest.raises(ValueError, match="forward"):
            ManualClock().advance(seconds)

    def test_the_wall_clock_begins_at_the_real_time_and_is_monotonic(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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
    def test_a_value_out_of_range_is_refused(self, name: str, value: Any) -> None:
        with pytest.raises(ValueError, match=name):
            SimulatedBackupify(**{name: value})

    @pytest.mark.parametrize("name", ["instances", "backups", "per_page", "port"])
    def test_a_count_must_be_an_integer(self, name: str) -> None:
        settings: Any = {name: 1.5}
        with pytest.raises(TypeError, match=name):
            SimulatedBackupify(**settings)

    def test_the_same_seed_gives_the_same_responses(self) -> None:
        def response_with(seed: int) -> bytes:
            with running_in_thread(SimulatedBackupify(seed=seed, clock=ManualClock())) as server:
                connection = http.client.HTTPConnection("127.0.0.1", _port(server))
                header = {"Authorization": f"Bearer {server.issue_token()}", "Host": "host"}
                connection.request("GET", "/v1/backup_instances/1/backups", headers=header)
                body = connection.getresponse().read()
                connection.close()
                return json.dumps([header, body.decode()]).encode()

        assert response_with(1) == response_with(1) != response_with(2)
