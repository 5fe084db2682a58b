"""Runs of one trigger against an instance in virtual time."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from backupify_async import TriggerKind, TriggerResult
from backupify_async._transport.transport import PreparedRequest, Response
from backupify_async.models import SentTrigger
from tests.support.action_windows import NOON
from tests.support.fake_transport import FakeTransport
from tests.support.virtual_instance import Post, VirtualInstance, running_time, triggering

ADOPTED, STARTED, ACTIVE = TriggerKind.ADOPTED, TriggerKind.STARTED, TriggerKind.ALREADY_ACTIVE


async def run(
    server: VirtualInstance, *posts: Post, options: dict[str, Any] | None = None, **arguments: Any
) -> tuple[TriggerResult, FakeTransport]:
    """Trigger a backup of instance 7; the server starts at most one."""
    server.posts.extend(posts)
    async with triggering(server, **(options or {})) as (trigger, transport, _):
        result = await trigger.run(7, **arguments)
    assert sum(server.started.values()) <= 1
    return result, transport


def backup_id(result: TriggerResult) -> int | str | None:
    """The id of the backup in a result."""
    return result.backup.id if result.backup is not None else None


def sent_before(seconds: float) -> SentTrigger:
    """What an earlier process recorded about a trigger that it sent `seconds` ago."""
    sent_at = datetime.fromtimestamp(NOON + running_time() - seconds, UTC)
    return SentTrigger(7, sent_at)


def posts(transport: FakeTransport) -> list[float]:
    """When each trigger was sent, in seconds of the loop."""
    return [round(when, 3) for when, message in transport.sent if message.method == "POST"]


def fail(status: int) -> Callable[[VirtualInstance], Callable[[PreparedRequest], Response]]:
    """Make a server respond to one GET with this status."""
    return lambda server: lambda message: server.respond(message, status)
