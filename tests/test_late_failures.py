"""Whatever fails once a client was made is met with what is there: nothing is imported for it.

A process that is out of file descriptors can import nothing, and one whose files were replaced must not.
"""

import asyncio
import json
import socket
import sys
from typing import Any

import pytest

from backupify_async.testing import Fault, SimulatedBackupify

BEGIN = """
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
        told = await call
    except BackupifyError as error:
        return [type(error).__name__, getattr(error, "sent", None), getattr(error, "gave_up", None)]
    return str(getattr(getattr(told, "kind", None), "name", getattr(told, "id", told)))
"""

WITHOUT_IMPORTS = """
late = []

class NoMore:
    def find_spec(self, name, path=None, target=None):
        late.append(name)
        raise ImportError(name)

async def main(base_url, closed_url):
    events = []
    here = client_of(base_url, ClientCredentials("demo", "demo"), on_event=events.append)
    nobody = client_of(closed_url)
    nowhere = client_of("https://no-such-host.invalid")
    no_tls = client_of(base_url.replace("http:", "https:"))
    sweep = here.fleet([7, 8])
    sys.meta_path.insert(0, NoMore())
    told = {}
    async with here, nobody, nowhere, no_tls:
        told["lost"] = [await outcome(here.backups.trigger(number)) for number in (1, 2, 3, 4)]
        told["looked"] = [await outcome(here.backups.get_active(number)) for number in (1, 2, 3, 4, 5, 6)]
        told["listed"] = len(await here.backups.list(1).collect())
        told["waited"] = await outcome(here.backups.wait(1, told["looked"][0], timeout=0.01))
        told["nobody"] = await outcome(nobody.backups.trigger(1))
        told["nowhere"] = await outcome(nowhere.backups.trigger(1))
        told["no TLS"] = await outcome(no_tls.backups.trigger(1))
        told["swept"] = len((await sweep.trigger()).values)
        told["drained"] = await here.drain(1)
    told["late"] = late
    print(json.dumps(told))

asyncio.run(main(*sys.argv[1:]))
"""

OUT_OF_DESCRIPTORS = """
import aiohttp, resource

plenty = resource.getrlimit(resource.RLIMIT_NOFILE)

def allow_none():
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, plenty[1]))

def allow_many():
    resource.setrlimit(resource.RLIMIT_NOFILE, plenty)

def when_tried_again(event):
    if isinstance(event, RetryScheduled) and helped:
        allow_many()

async def main(base_url):
    global helped
    told = {}
    credentials = ClientCredentials("demo", "demo")
    keeps_none = aiohttp.TCPConnector(force_close=True)
    looking = client_of(base_url, credentials, on_event=when_tried_again, connector=keeps_none)
    triggering = client_of(base_url, credentials, on_event=when_tried_again)
    async with keeps_none, looking, triggering:
        await asyncio.gather(looking.fetch_token(), triggering.fetch_token())
        for helped in (False, True):
            told[str(helped)] = []
            for call in (looking.backups.get_active, triggering.backups.trigger):
                await asyncio.sleep(0.01)  # what was closed is closed
                allow_none()
                told[str(helped)].append(await outcome(call(1)))
                allow_many()
    print(json.dumps(told))

helped = False
asyncio.run(main(*sys.argv[1:]))
"""


async def run(code: str, *arguments: str) -> dict[str, Any]:
    """What a process prints that runs some code."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        BEGIN + code,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    told: dict[str, Any] = json.loads(printed)
    return told


class TestWithoutImports:
    async def test_every_failure_ends_as_it_would_with_them(self) -> None:
        faults = [
            Fault.lose_answer(after_acting=True, operation="trigger", instance=1, first=1),
            Fault.lose_answer(after_acting=False, operation="trigger", instance=2, first=1),
            Fault.answer(422, operation="trigger", instance=3),
            Fault.answer(429, operation="trigger", instance=4, first=1),
            Fault.answer(503, operation="get_active", instance=1, first=1),
            Fault.lose_answer(after_acting=True, operation="get_active", instance=2, first=1),
            Fault.truncate(operation="get_active", instance=3, first=1),
            Fault.garbage("<html>", operation="get_active", instance=4),
            Fault.answer(404, operation="get_active", instance=5),
            Fault.answer(429, operation="get_active", instance=6, first=1, retry_after="soon"),
            Fault.answer(500, operation="list_backups", instance=1, first=1),
            Fault.lose_answer(after_acting=True, operation="trigger", instance=7, first=1),
        ]
        with socket.create_server(("127.0.0.1", 0)) as free:
            closed_url = f"http://127.0.0.1:{free.getsockname()[1]}"
        async with SimulatedBackupify(faults=faults) as server:
            told = await run(WITHOUT_IMPORTS, server.base_url, closed_url)
        assert told["late"] == []
        assert told["lost"] == ["ADOPTED", "STARTED", ["UnprocessableEntity", None, None], "STARTED"]
        assert [isinstance(one, str) for one in told["looked"]] == [True, True, True, False, True, True]
        assert told["looked"][3][0] == "DecodeError"
        assert told["listed"] > 0
        assert told["waited"][0] == "WaitTimeout"
        assert told["nobody"] == told["nowhere"] == ["ConnectionFailed", False, "tried 4 times"]
        assert told["no TLS"][:2] == ["ConnectionFailed", False]
        assert (told["swept"], told["drained"]) == (2, 0)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit to set")
class TestOutOfDescriptors:
    async def test_nothing_is_sent_and_it_is_tried_again(self) -> None:
        async with SimulatedBackupify() as server:
            told = await run(OUT_OF_DESCRIPTORS, server.base_url)
            started = len(server.triggers[1])
        nothing_sent = ["ConnectionFailed", False, "tried 4 times"]
        assert told == {"False": [nothing_sent, nothing_sent], "True": ["None", "STARTED"]}
        assert started == 1
