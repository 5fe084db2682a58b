"""Once a client is created, no failure needs an import.

A process without free file descriptors cannot import, and one whose files were replaced must not.
"""

import asyncio
import json
import socket
import sys
from typing import Any

import pytest

from backupify_async.testing import Fault, SimulatedBackupify

PRELUDE = """
import asyncio, json, os, sys
from backupify_async import BackupifyClient, RateLimit, Reconciliation, RetryPolicy, StaticToken, Timeouts
from backupify_async import BackupifyError, ClientCredentials, RetryScheduled

SETTINGS = dict(
    retry=RetryPolicy(base=0, cap=0), reconciliation=Reconciliation(settling=0, patience=0),
    rate_limit=RateLimit(None, adaptive=False), timeouts=Timeouts(connect=5),
)

def client_of(base_url, credentials=StaticToken("token"), **more):
    return BackupifyClient(credentials, base_url=base_url, **{**SETTINGS, **more})

async def outcome(call):
    try:
        result = await call
    except BackupifyError as error:
        return [type(error).__name__, getattr(error, "sent", None), getattr(error, "gave_up", None)]
    return str(getattr(getattr(result, "kind", None), "name", getattr(result, "id", result)))
"""

WITHOUT_IMPORTS = """
late = []

class NoImports:
    def find_spec(self, name, path=None, target=None):
        late.append(name)
        raise ImportError(name)

async def main(base_url, closed_url):
    events = []
    client = client_of(base_url, ClientCredentials("demo", "demo"), on_event=events.append)
    refusing = client_of(closed_url)
    nowhere = client_of("https://no-such-host.invalid")
    no_tls = client_of(base_url.replace("http:", "https:"))
    sweep = client.fleet([7, 8])
    sys.meta_path.insert(0, NoImports())
    report = {}
    async with client, refusing, nowhere, no_tls:
        report["lost"] = [await outcome(client.backups.trigger(number)) for number in (1, 2, 3, 4)]
        report["active"] = [await outcome(client.backups.get_active(number)) for number in (1, 2, 3, 4, 5, 6)]
        report["listed"] = len(await client.backups.list(1).collect())
        report["waited"] = await outcome(client.backups.wait(1, report["active"][0], timeout=0.01))
        report["refused"] = await outcome(refusing.backups.trigger(1))
        report["nowhere"] = await outcome(nowhere.backups.trigger(1))
        report["no TLS"] = await outcome(no_tls.backups.trigger(1))
        report["swept"] = len((await sweep.trigger()).values)
        report["drained"] = await client.drain(1)
    report["late"] = late
    print(json.dumps(report))

asyncio.run(main(*sys.argv[1:]))
"""

OUT_OF_DESCRIPTORS = """
import aiohttp, resource

limits = resource.getrlimit(resource.RLIMIT_NOFILE)

def allow_no_more():
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))

def allow_many():
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)

def on_event(event):
    if isinstance(event, RetryScheduled) and freed:
        allow_many()

async def main(base_url):
    global freed
    report = {}
    credentials = ClientCredentials("demo", "demo")
    one_use_connections = aiohttp.TCPConnector(force_close=True)
    reading = client_of(base_url, credentials, on_event=on_event, connector=one_use_connections)
    triggering = client_of(base_url, credentials, on_event=on_event)
    async with one_use_connections, reading, triggering:
        await asyncio.gather(reading.fetch_token(), triggering.fetch_token())
        for freed in (False, True):
            report[str(freed)] = []
            for call in (reading.backups.get_active, triggering.backups.trigger):
                await asyncio.sleep(0.01)  # until closed connections are closed
                allow_no_more()
                report[str(freed)].append(await outcome(call(1)))
                allow_many()
    print(json.dumps(report))

freed = False
asyncio.run(main(*sys.argv[1:]))
"""


async def run(code: str, *arguments: str) -> dict[str, Any]:
    """Run code in a process, and return the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PRELUDE + code,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    report: dict[str, Any] = json.loads(printed)
    return report


class TestWithoutImports:
    async def test_every_failure_ends_as_it_does_with_imports(self) -> None:
        faults = [
            Fault.lose_response(after_acting=True, operation="trigger", instance=1, first=1),
            Fault.lose_response(after_acting=False, operation="trigger", instance=2, first=1),
            Fault.answer(422, operation="trigger", instance=3),
            Fault.answer(429, operation="trigger", instance=4, first=1),
            Fault.answer(503, operation="get_active", instance=1, first=1),
            Fault.lose_response(after_acting=True, operation="get_active", instance=2, first=1),
            Fault.truncate(operation="get_active", instance=3, first=1),
            Fault.garbage("<html>", operation="get_active", instance=4),
            Fault.answer(404, operation="get_active", instance=5),
            Fault.answer(429, operation="get_active", instance=6, first=1, retry_after="soon"),
            Fault.answer(500, operation="list_backups", instance=1, first=1),
            Fault.lose_response(after_acting=True, operation="trigger", instance=7, first=1),
        ]
        with socket.create_server(("127.0.0.1", 0)) as free:
            closed_url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with SimulatedBackupify(faults=faults) as server:
            report = await run(WITHOUT_IMPORTS, server.base_url, closed_url)
        assert report["late"] == []
        assert report["lost"] == ["ADOPTED", "STARTED", ["UnprocessableEntity", None, None], "STARTED"]
        assert [isinstance(one, str) for one in report["active"]] == [True, True, True, False, True, True]
        assert report["active"][3][0] == "DecodeError"
        assert report["listed"] > 0
        assert report["waited"][0] == "WaitTimeout"
        assert report["refused"] == report["nowhere"] == ["ConnectionFailed", False, "tried 4 times"]
        assert report["no TLS"][:2] == ["ConnectionFailed", False]
        assert (report["swept"], report["drained"]) == (2, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
class TestOutOfDescriptors:
    async def test_nothing_is_sent_and_the_call_is_retried(self) -> None:
        async with SimulatedBackupify() as server:
            report = await run(OUT_OF_DESCRIPTORS, server.base_url)
            started = len(server.triggers[1])
        nothing_sent = ["ConnectionFailed", False, "tried 4 times"]
        assert report == {"False": [nothing_sent, nothing_sent], "True": ["None", "STARTED"]}
        assert started == 1
