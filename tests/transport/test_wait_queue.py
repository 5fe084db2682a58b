"""The queue of the calls that wait at the gate."""

import asyncio
import random
from functools import partial

from backupify_async._transport.rate import Ticket
from backupify_async._transport.wait_queue import WaitQueue

Turn = asyncio.Future[Ticket]


class Waiting(WaitQueue):
    """A queue whose calls are known by names."""

    def __init__(self) -> None:
        super().__init__()
        self.turns: dict[str, Turn] = {}

    def add(self, name: str, began: int, *, repeatable: bool = True) -> None:
        turn: Turn = asyncio.get_running_loop().create_future()
        self.turns[name] = turn
        self.join(began, turn, repeatable=repeatable)

    def cancel(self, name: str) -> None:
        self.turns[name].cancel()
        self.give_up()

    def name_of(self, turn: Turn | None) -> str | None:
        return next((name for name, one in self.turns.items() if one is turn), None)

    def taken(self) -> list[str | None]:
        return [self.name_of(self.take_next()) for _ in iter(self.has_next, False)]


async def test_the_oldest_call_comes_first_whether_it_is_repeatable_or_not() -> None:
    queue = Waiting()
    queue.add("third", 3)
    queue.add("first", 1, repeatable=False)
    queue.add("second", 2)
    assert queue.taken() == ["first", "second", "third"]


async def test_calls_of_one_age_come_in_the_order_of_arrival() -> None:
    queue = Waiting()
    for name, repeatable in (("a", True), ("b", False), ("c", True)):
        queue.add(name, 7, repeatable=repeatable)
    assert queue.taken() == ["a", "b", "c"]


async def test_the_oldest_repeatable_call_can_be_taken_before_older_triggers() -> None:
    queue = Waiting()
    queue.add("trigger", 1, repeatable=False)
    queue.add("old", 2)
    queue.add("new", 3)
    assert queue.name_of(queue.take_repeatable()) == "old"
    assert (queue.waiting, queue.taken()) == (2, ["trigger", "new"])


async def test_no_repeatable_call_is_found_if_none_waits() -> None:
    queue = Waiting()
    queue.add("trigger", 1, repeatable=False)
    queue.add("get", 2)
    queue.cancel("get")
    assert queue.take_repeatable() is None
    assert queue.waiting == 1


async def test_cancelled_calls_are_skipped() -> None:
    queue = Waiting()
    for number in range(4):
        queue.add(str(number), number, repeatable=bool(number % 2))
    queue.cancel("0")
    queue.cancel("1")
    assert queue.taken() == ["2", "3"]


async def test_each_call_is_taken_once_and_in_order_if_others_are_cancelled() -> None:
    queue, draw = Waiting(), random.Random(7)
    ages = {str(number): draw.randrange(50) for number in range(500)}
    for name, began in ages.items():
        queue.add(name, began, repeatable=draw.random() < 0.5)
    cancelled = draw.sample(sorted(ages), 300)
    for name in cancelled:
        queue.cancel(name)
    assert queue.waiting == 200
    remaining = [name for name in ages if name not in cancelled]
    assert queue.taken() == sorted(remaining, key=partial(ages.__getitem__))
    assert queue.waiting == 0
