"""A member's turn: what it does to the record."""

import math

import attrs
import pytest

from backupify_async import RateLimit, RetryPolicy
from backupify_async._shared.messages import CallEnd, News, Report, Turn
from backupify_async._shared.record import Record, Rules, decode, encode
from backupify_async._shared.time_scale import TimeScale
from backupify_async._shared.turn import is_needed, read_news, take_turn
from backupify_async._transport.rate import Observation

RULES = Rules(RateLimit(None), RetryPolicy())
TEN_A_SECOND = Rules(RateLimit(10, burst=1), RetryPolicy())


class Table:
    """A record at which members take turns, and a clock."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.record = Record(TimeScale(0.0, 100.0, "boot", 9000.0))
        self.rules = rules
        self.now = 100.0

    def turn(self, member: str, **brings: object) -> News:
        """A member's turn; each time the record is written and read."""
        news = take_turn(self.record, _turn(member, brings), self.now, self.rules)
        self.record = decode(encode(self.record))
        return news

    def wait(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 6)

    def owners(self) -> list[str]:
        """Who has the slots, by their dates."""
        return [slot.owner for slot in sorted(self.record.slots.values(), key=lambda slot: slot.date)]


def _turn(member: str, brings: dict[str, object]) -> Turn:
    turn = Turn(member, 64)
    return attrs.evolve(turn, **brings)  # type: ignore[arg-type]


def paced() -> Table:
    """A limit of 10 a second that is known from the start."""
    table = Table(TEN_A_SECOND)
    table.turn("a", felt=True, cap=13)
    return table


def response(slot: int | None, now: float, status: int = 200, sent_time: float = 0.0) -> Report:
    return Report(slot, sent_time, now, CallEnd.RESPONSE, Observation(sent_time, now, status))


class TestWhileNoLimitIsMet:
    def test_no_slots_are_granted(self) -> None:
        news = Table().turn("a", wanted=5)
        assert (news.felt, news.granted, news.waiting) == (False, [], 0)

    def test_a_member_that_joins_wakes_the_others(self) -> None:
        table = Table()
        assert table.turn("a").changed
        assert table.turn("b").changed
        assert not table.turn("b").changed

    def test_members_are_counted(self) -> None:
        table = Table()
        assert [table.turn(name).members for name in "abc"] == [1, 2, 3]

    def test_a_turn_changes_nothing_but_the_time(self) -> None:
        table = Table()
        table.turn("a")
        assert not is_needed(table.record, Turn("a", 64), table.now + 0.4)
        assert is_needed(table.record, Turn("a", 64), table.now + 0.6)


class TestTheFirstRefusal:
    def test_makes_slots_needed_and_wakes_the_others(self) -> None:
        table = Table()
        table.turn("a")
        table.turn("b")
        refused = response(None, table.now, 429, sent_time=99.95)
        news = table.turn("a", felt=True, reports=[refused])
        assert (news.felt, news.changed) == (True, True)
        assert table.turn("b").felt

    def test_is_that_of_all_calls_that_were_in_flight(self) -> None:
        table = Table()
        table.turn("a")
        table.turn("b")
        table.turn("a", felt=True, reports=[response(None, table.now, 429, sent_time=99.95)])
        table.wait(0.01)  # b did not know it yet
        news = table.turn("b", without_slot=[table.now - 0.005])
        table.wait(0.05)
        [slot] = news.registered
        table.turn("b", reports=[response(slot, table.now, 429)], known=[slot])
        limiter, _ = table.record.limiter(RULES)
        assert limiter.paused_until == pytest.approx(100.1)  # the second wave would have put it off

    def test_by_two_members_at_once_makes_one_limiter(self) -> None:
        table = Table()
        table.turn("a")
        table.turn("b")
        table.turn("a", felt=True, sent_before=3, reports=[response(None, table.now, 429, sent_time=99.95)])
        table.turn("b", felt=True, sent_before=2, reports=[response(None, table.now, 429, sent_time=99.95)])
        assert table.record.limiter(RULES)[0].sent == 7


class TestSlots:
    def test_are_granted_a_little_ahead(self) -> None:
        table = paced()
        assert [date for _, date in table.turn("a", wanted=3).granted] == [100.0]
        table.wait(0.095)
        known = [*table.record.slots]
        assert [date for _, date in table.turn("a", wanted=2, known=known).granted] == [pytest.approx(100.1)]

    def test_go_to_the_member_that_was_served_longest_ago(self) -> None:
        table = paced()
        for _ in range(12):
            for name in "abc":
                held = [number for number, slot in table.record.slots.items() if slot.owner == name]
                sent = [number for number in held if table.record.slots[number].date <= table.now]
                table.turn(name, wanted=3, known=held, sent=sent)
            table.wait(0.1)
        owners = table.owners()
        assert {name: owners.count(name) for name in "abc"} == {"a": 4, "b": 4, "c": 4}

    def test_of_others_are_granted_too_and_wake_them(self) -> None:
        table = paced()
        table.turn("c")
        table.turn("b", wanted=1)  # gets the first slot
        assert not table.turn("c", wanted=1).changed
        table.wait(0.1)
        news = table.turn("a")
        assert (news.granted, news.changed, table.owners()) == ([], True, ["b", "c"])

    def test_are_read_without_a_turn_that_writes(self) -> None:
        table = paced()
        table.turn("b", wanted=1)
        table.turn("c", wanted=1)
        table.wait(0.1)
        table.turn("a")
        turn = Turn("c", 64, wanted=1)
        assert not is_needed(table.record, turn, table.now)
        assert [date for _, date in read_news(table.record, turn, table.now).granted] == [
            pytest.approx(100.1)
        ]

    def test_are_not_granted_to_a_member_that_uses_none(self) -> None:
        table = paced()
        table.turn("a", wanted=1)
        for _ in range(8):
            table.wait(0.1)
            table.turn("b", wanted=1, sent=[*table.record.slots], known=[*table.record.slots])
            table.turn("c", wanted=9)
        assert table.owners().count("c") <= 4

    def test_are_not_granted_again_once_those_are_void_before_it_is_seen(self) -> None:
        table = paced()
        table.turn("b", wanted=5)
        table.wait(0.095)
        assert len(table.turn("b", wanted=5).granted) == 2  # the second one is a little ahead
        table.wait(1.2)
        for _ in range(4):
            own = [number for number, slot in table.record.slots.items() if slot.owner == "a"]
            table.turn("a", wanted=5, sent=own, known=own)
            table.wait(0.1)
        assert {*table.owners()} == {"a"}
        assert len(table.turn("b", wanted=5).granted) == 1

    def test_that_are_late_keep_no_call_of_another_member_waiting(self) -> None:
        table = Table(Rules(RateLimit(1000, burst=1), RetryPolicy()))
        table.turn("a", felt=True, cap=13, capacity=1)
        for _ in range(5):
            table.turn("b", capacity=1, wanted=5)
            table.wait(0.02)
        assert table.owners() == ["b"]  # as many as can be in flight
        table.wait(0.2)
        assert table.turn("a", capacity=1, wanted=1).granted == []
        table.wait(0.4)
        assert len(table.turn("a", capacity=1, wanted=1).granted) == 1

    def test_that_are_not_used_in_a_second_are_void(self) -> None:
        table = paced()
        [(slot, _)] = table.turn("a", wanted=1).granted
        table.wait(0.9)
        assert table.turn("a", known=[slot]).void == []
        table.wait(0.2)
        assert table.turn("a", known=[slot]).void == [slot]
        assert table.record.slots == {}

    def test_that_are_known_to_be_used_last_as_long_as_the_call(self) -> None:
        table = paced()
        [(slot, _)] = table.turn("a", wanted=1).granted
        table.turn("a", sent=[slot], known=[slot])
        for _ in range(60):
            table.wait(0.5)
            assert table.turn("a", known=[slot]).void == []

    def test_that_are_given_back_are_granted_again(self) -> None:
        table = paced()
        [(slot, date)] = table.turn("a", wanted=1).granted
        unused = Report(slot, date, table.now, CallEnd.UNUSED)
        [(_, again)] = table.turn("a", wanted=1, reports=[unused], known=[slot]).granted
        assert again == date

    def test_that_a_member_has_forgotten_are_over(self) -> None:
        table = paced()
        [(slot, _)] = table.turn("a", wanted=1).granted
        table.turn("a", sent=[slot], known=[slot])
        table.turn("a", known=[])
        assert table.record.slots == {}

    def test_are_announced_by_the_time_of_the_next_turn_in_the_order_of_service(self) -> None:
        table = paced()
        table.turn("a", wanted=1)
        first = table.turn("b", wanted=1).next_turn
        second = table.turn("c", wanted=1).next_turn
        assert 100.08 < first < second < 100.2


class TestAMemberThatIsGone:
    def test_loses_its_slots_after_three_seconds(self) -> None:
        table = paced()
        table.turn("b", wanted=50)
        for _ in range(31):
            table.wait(0.1)
            table.turn("a")
        assert (sorted(table.record.members), table.record.slots) == (["a"], {})

    def test_and_holds_none_is_forgotten_after_half_a_minute(self) -> None:
        table = Table()
        table.turn("a")
        table.turn("b")
        table.wait(29)
        table.turn("b")
        assert sorted(table.record.members) == ["a", "b"]
        table.wait(2)
        table.turn("b")
        assert sorted(table.record.members) == ["b"]

    def test_and_comes_back_finds_its_slots_void(self) -> None:
        table = paced()
        [(slot, _)] = table.turn("b", wanted=1).granted
        table.wait(3.5)
        table.turn("a")
        news = table.turn("b", wanted=1, known=[slot])
        assert news.void == [slot]
        assert len(news.granted) == 1

    def test_in_good_order_leaves_nothing(self) -> None:
        table = paced()
        [(slot, date)] = table.turn("b", wanted=1).granted
        table.turn("b", leaves=True, known=[slot], reports=[Report(slot, date, table.now, CallEnd.UNUSED)])
        assert (sorted(table.record.members), table.record.slots) == (["a"], {})


class TestAReportOfACallWithoutASlot:
    def test_is_heard_if_the_call_was_sent_just_now(self) -> None:
        table = paced()
        table.wait(2.0)
        table.turn("a", reports=[response(7, table.now, 429, sent_time=table.now - 2)], known=[7])
        assert table.record.refused_at == table.now

    def test_is_not_heard_if_the_call_was_sent_long_ago(self) -> None:
        table = paced()
        table.wait(6.0)
        table.turn("a", reports=[response(7, table.now, 429, sent_time=table.now - 6)], known=[7])
        assert table.record.refused_at == -math.inf

    def test_does_not_end_a_slot_of_another_member(self) -> None:
        table = paced()
        [(slot, _)] = table.turn("a", wanted=1).granted
        table.turn("b", reports=[response(slot, table.now, 200, sent_time=table.now)], known=[slot])
        assert [*table.record.slots] == [slot]


def test_what_was_learned_is_doubted_when_no_member_was_there_for_an_hour() -> None:
    table = paced()
    limiter, _ = table.record.limiter(table.rules)
    limiter._pacer._estimator.assume(50.0)
    limiter._pacer._estimator.confirmed = 7
    table.turn("a", leaves=True)
    table.wait(60)
    table.turn("a")
    assert table.record.limiter(table.rules)[0]._pacer._estimator.confirmed == 7
    table.wait(3601)
    table.turn("b")
    assert table.record.limiter(table.rules)[0]._pacer._estimator.confirmed == 0
