"""Answers are counted in the order in which their calls left."""

from hypothesis import given
from hypothesis import strategies as st

from backupify_async._transport.rate import CallOutcome
from backupify_async._transport.rate.reorder_buffer import ReorderBuffer


class TestOrder:
    def test_a_refusal_that_overtakes_a_success_is_handed_on_behind_it(self) -> None:
        ledger = ReorderBuffer()
        first, second = ledger.on_send(0.0), ledger.on_send(0.01)
        assert list(ledger.settle(0.02, second, CallOutcome.REFUSED)) == []
        assert list(ledger.settle(0.06, first, CallOutcome.ACCEPTED)) == [first, second]

    def test_a_call_that_hangs_holds_the_others_up_for_half_a_second_only(self) -> None:
        ledger = ReorderBuffer()
        hanging, other = ledger.on_send(0.0), ledger.on_send(0.01)
        assert list(ledger.settle(0.06, other, CallOutcome.REFUSED)) == []
        assert list(ledger.due(0.49)) == []
        assert list(ledger.due(0.51)) == [other]
        assert hanging.overdue

    def test_where_calls_take_long_it_is_waited_for_longer(self) -> None:
        ledger = ReorderBuffer()
        list(ledger.settle(1.0, ledger.on_send(0.0), CallOutcome.ACCEPTED))
        assert (ledger.latency, ledger.patience) == (1.0, 4.0)

    def test_a_late_answer_is_handed_on_as_overdue(self) -> None:
        ledger = ReorderBuffer()
        hanging, other = ledger.on_send(0.0), ledger.on_send(0.01)
        list(ledger.settle(0.06, other, CallOutcome.REFUSED))
        list(ledger.due(1.0))
        assert list(ledger.settle(2.0, hanging, CallOutcome.ACCEPTED)) == [hanging]

    @given(st.permutations(range(12)))
    def test_each_call_is_handed_on_once_and_in_order(self, order: list[int]) -> None:
        ledger = ReorderBuffer()
        tickets = [ledger.on_send(number / 1000) for number in range(12)]
        handed = [one for at in order for one in ledger.settle(0.1, tickets[at], CallOutcome.ACCEPTED)]
        assert handed == tickets
