"""Checks after a lost response that cannot show whether a backup was started."""

import asyncio
from collections.abc import Callable

import pytest

from backupify_async import AmbiguousTrigger, DecodeError, Reconciliation, TransportError
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.virtual_instance import LOST_AFTER, LOST_BEFORE, Post, VirtualInstance, running_time
from tests.triggers.runs import ADOPTED, backup_id, fail, run, sent_before

pytestmark = pytest.mark.looptime(start=0)


def hide_all(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    return lambda message: None if "active" in message.url.path else server.page(message, [])


def hide_newest(server: VirtualInstance) -> Callable[[PreparedRequest], Response | None]:
    shown = [server.shown(one, 0) for one in server.backups[:-1]]
    return lambda message: None if "active" in message.url.path else server.page(message, shown)


class TestUndecided:
    @pytest.mark.parametrize(
        ("status", "message"), [(404, "answered 404"), (403, "answered 403"), (500, "answered 500")]
    )
    async def test_checks_that_fail_until_patience_ends_are_ambiguous(
        self, status: int, message: str
    ) -> None:
        server = VirtualInstance()
        server.gets.extend([fail(status)(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match=message) as raised:
            await run(server, LOST_AFTER)
        assert isinstance(raised.value.cause, TransportError)
        assert raised.value.__cause__ is raised.value.cause
        assert (raised.value.instance_id, raised.value.seen) == (7, ())
        assert running_time() == pytest.approx(150, abs=20)

    async def test_checks_that_fail_for_a_while_are_repeated(self) -> None:
        server = VirtualInstance()
        server.gets.extend([fail(500)(server)] * 20)
        assert (await run(server, LOST_AFTER))[0].kind is ADOPTED

    async def test_an_instance_that_is_gone_at_the_second_check_is_ambiguous(self) -> None:
        server = VirtualInstance()
        server.gets.extend([lambda message: None] * 3 + [fail(404)(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match=r"the last check failed: .* answered 404"):
            await run(server, LOST_BEFORE)

    async def test_an_empty_list_beside_an_active_backup_is_ambiguous(self) -> None:
        server = VirtualInstance(old=(-310,))
        server.gets.extend([hide_all(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match="the list does not have it") as raised:
            await run(server, LOST_BEFORE, baseline=None)
        assert [one.id for one in raised.value.seen] == [1]

    async def test_an_empty_list_that_hides_our_ended_backup_is_ambiguous(self) -> None:
        server = VirtualInstance(duration=0.05)
        server.gets.extend([hide_all(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match="and had backup 4"):
            await run(server, LOST_AFTER, baseline=4)

    async def test_a_list_that_is_empty_for_less_than_ten_seconds_is_not_believed(self) -> None:
        brief = {"reconciliation": Reconciliation(settling=5, patience=4)}
        with pytest.raises(AmbiguousTrigger, match="which no baseline confirms"):
            await run(VirtualInstance(old=()), LOST_BEFORE, options=brief)

    async def test_a_list_that_ends_before_the_baseline_is_ambiguous(self) -> None:
        server = VirtualInstance(duration=0.05)
        with pytest.raises(AmbiguousTrigger, match="ends before the baseline, 9"):
            await run(server, LOST_BEFORE, baseline=9)

    async def test_a_list_that_shrinks_is_ambiguous(self) -> None:
        server = VirtualInstance()
        server.gets.extend([lambda message: None] * 3 + [hide_newest(server)] * 1000)
        with pytest.raises(AmbiguousTrigger, match="backup 4 was there before"):
            await run(server, LOST_BEFORE)

    async def test_a_list_whose_end_has_no_older_backup_is_ambiguous(self) -> None:
        await asyncio.sleep(1000)
        server = VirtualInstance(per_page=1, old=tuple(float(begun) for begun in range(900, 910)))
        with pytest.raises(AmbiguousTrigger, match="no backup that is surely older") as raised:
            await run(server, recorded=sent_before(600))
        assert [one.id for one in raised.value.seen] == [6, 7, 8, 9, 10]

    async def test_an_unreadable_2xx_without_a_visible_backup_is_ambiguous(self) -> None:
        with pytest.raises(AmbiguousTrigger, match="2xx") as raised:
            await run(VirtualInstance(), Post(None, "garbage"))
        assert isinstance(raised.value.cause, DecodeError)

    async def test_reconciliation_waits_for_a_list_that_lags(self) -> None:
        server = VirtualInstance(lag=20, duration=3)
        server.gets.append(fail(404)(server))  # the only request to get-active while it runs
        result, _ = await run(server, LOST_AFTER)
        assert (result.kind, backup_id(result)) == (ADOPTED, 5)
