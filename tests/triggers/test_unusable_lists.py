"""Checks after a lost response, where the list of backups is endless, cut or descending; in virtual time."""

import asyncio
from typing import Any

import pytest

from backupify_async import AmbiguousTrigger, Conflict, Reconciliation, TriggerKind
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.virtual_instance import LOST_AFTER, LOST_BEFORE, Post, VirtualInstance, triggering

pytestmark = pytest.mark.looptime

IMPATIENT = Reconciliation(settling=1, patience=1)


async def run(server: VirtualInstance) -> tuple[TriggerKind | AmbiguousTrigger, int]:
    """The outcome of a trigger whose response is lost, and how many requests it took."""
    async with triggering(server, reconciliation=IMPATIENT) as (trigger, transport, _):
        try:
            return (await trigger.run(7)).kind, len(transport.sent)
        except AmbiguousTrigger as error:
            return error, len(transport.sent)


class Endless(VirtualInstance):
    """Each page of its list has a new backup and a link to another page."""

    def page(self, message: PreparedRequest, items: list[dict[str, Any]]) -> Response:
        number = int(message.url.query.get("page", "1"))
        link = f"<{message.url.path}?page={number + 1}>; rel=next"
        return self.respond(message, 200, [{"id": 1000 + number}], {"Link": link})


class WithoutLinks(VirtualInstance):
    """A proxy drops the Link header of each page."""

    def page(self, message: PreparedRequest, items: list[dict[str, Any]]) -> Response:
        return self.respond(message, 200, items[: self.per_page], {"Total": str(len(items))})


class NewestFirst(VirtualInstance):
    """Its list descends."""

    def page(self, message: PreparedRequest, items: list[dict[str, Any]]) -> Response:
        return super().page(message, items[::-1])


async def test_an_endless_list_ends_the_check_in_time() -> None:
    server = Endless()
    server.posts.append(LOST_BEFORE)
    error, requests = await run(server)
    assert isinstance(error, AmbiguousTrigger)
    assert "the end of the list did not come in" in error.reason
    assert asyncio.get_running_loop().time() < 15
    assert requests < 120


async def test_an_endless_list_ends_the_check_after_a_refusal_in_time() -> None:
    server = Endless()
    server.posts.append(Post(None, 409))
    async with triggering(server, reconciliation=IMPATIENT) as (trigger, _, _):
        with pytest.raises(Conflict, match="the end of the list did not come in"):
            await trigger.run(7)
    assert asyncio.get_running_loop().time() < 10


async def test_a_cut_list_shows_nothing_and_the_trigger_is_not_sent_again() -> None:
    server = WithoutLinks()
    server.posts.append(LOST_BEFORE)
    error, _ = await run(server)
    assert isinstance(error, AmbiguousTrigger)
    assert "3 of 4 items" in error.reason
    assert server.triggers_received == 1


@pytest.mark.parametrize("old", [3, 4, 5, 6, 7])
@pytest.mark.parametrize("name", [int, "b-{}".format], ids=["numbers", "texts"])
async def test_a_descending_list_never_causes_a_second_backup(old: int, name: Any) -> None:
    begun = tuple(-100_000.0 * day for day in range(old, 0, -1))
    server = NewestFirst(old=begun, name=name, duration=0.5)
    server.posts.append(LOST_AFTER)
    error, _ = await run(server)
    assert (
        isinstance(error, AmbiguousTrigger) or error is TriggerKind.ADOPTED,
        server.triggers_received,
    ) == (True, 1)


@pytest.mark.parametrize("kind", [Endless, WithoutLinks, NewestFirst])
async def test_our_backup_in_get_active_counts_though_the_list_is_unusable(
    kind: type[VirtualInstance],
) -> None:
    server = kind()
    server.posts.append(LOST_AFTER)
    assert (await run(server))[0] is TriggerKind.ADOPTED


@pytest.mark.parametrize("kind", [Endless, WithoutLinks, NewestFirst])
async def test_another_backup_in_get_active_does_not_count_without_the_list(
    kind: type[VirtualInstance],
) -> None:
    server = kind(old=(-400_000.0, -300_000.0, -200_000.0, -100_000.0, -5000.0))
    server.backups[-1] = type(server.backups[-1])(5, -5000.0, 1e9)
    server.posts.append(LOST_BEFORE)
    assert isinstance((await run(server))[0], AmbiguousTrigger)
