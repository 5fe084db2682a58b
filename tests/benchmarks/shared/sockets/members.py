"""Starts members, each in a process of its own, and reads what they met."""

import asyncio
import contextlib
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence

import attrs

from tests.benchmarks.shared.sockets.member import MemberResult, MemberSettings

_LINE = 1 << 26  # bytes: a result has the wait of each call


@attrs.define
class Member:
    """A member's process."""

    settings: MemberSettings
    process: Process
    killed: bool = False

    def begin(self) -> None:
        """Let it send."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")

    def kill(self) -> None:
        """Kill it, as `kill -9`."""
        self.killed = True
        self.process.kill()

    def stop(self) -> None:
        """Let it stand still."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """End a `stop`."""
        self.process.send_signal(signal.SIGCONT)

    async def result(self) -> MemberResult | None:
        """What it met, once it has ended; None if it was killed."""
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        await self.process.wait()
        if self.killed:
            return None
        return MemberResult(**json.loads(line))


async def start(settings: MemberSettings) -> Member:
    """Start a member, whose client is open then."""
    command = [sys.executable, "-m", "tests.benchmarks.shared.sockets.member"]
    text = json.dumps(attrs.asdict(settings))
    process = await asyncio.create_subprocess_exec(*command, text, stdin=PIPE, stdout=PIPE, limit=_LINE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return Member(settings, process)


@contextlib.asynccontextmanager
async def started(settings: Sequence[MemberSettings]) -> AsyncIterator[list[Member]]:
    """Members that begin together; those that still run at the end of the block are killed."""
    members = list(await asyncio.gather(*(start(one) for one in settings)))
    try:
        for member in members:
            member.begin()
        yield members
    finally:
        for member in members:
            if member.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    member.process.kill()
                await member.process.wait()
