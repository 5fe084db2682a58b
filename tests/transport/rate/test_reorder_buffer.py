"""Responses are passed on in the order in which their requests were sent."""

from hypothesis import given
from hypothesis import strategies as st

from backupify_async._transport.rate import CallOutcome
from backupify_async._transport.rate.reorder_buffer import ReorderBuffer


class TestOrder:
    def test_a_refusal_that_overtakes_a_success_is_passed_on_after_it(self) -> None:
        buffer = ReorderBuffer()
        first, second = buffer.on_send(0.0), buffer.on_send(0.01)
        assert list(buffer.settle(0.02, second, CallOutcome.REFUSED)) == []
        assert list(buffer.settle(0.06, first, CallOutcome.ACCEPTED)) == [first, second]

    def test_a_hanging_call_delays_the_others_by_half_a_second_only(self) -> None:
        buffer = ReorderBuffer()
        hanging, other = buffer.on_send(0.0), buffer.on_send(0.01)
        assert list(buffer.settle(0.06, other, CallOutcome.REFUSED)) == []
        assert list(buffer.due(0.49)) == []
        assert list(buffer.due(0.51)) == [other]
        assert hanging.overdue

    def test_the_delay_is_longer_if_calls_take_long(self) -> None:
        buffer = ReorderBuffer()
        list(buffer.settle(1.0, buffer.on_send(0.0), CallOutcome.ACCEPTED))
        assert (buffer.latency, buffer.patience) == (1.0, 4.0)

    def test_a_late_response_is_passed_on_as_overdue(self) -> None:
        buffer = ReorderBuffer()
        hanging, other = buffer.on_send(0.0), buffer.on_send(0.01)
        list(buffer.settle(0.06, other, CallOutcome.REFUSED))
        list(buffer.due(1.0))
        assert list(buffer.settle(2.0, hanging, CallOutcome.ACCEPTED)) == [hanging]

    @given(st.permutations(range(12)))
    def test_each_call_is_passed_on_once_and_in_order(self, order: list[int]) -> None:
        buffer = ReorderBuffer()
        tickets = [buffer.on_send(number / 1000) for number in range(12)]

        passed_on = [one for at in order for one in buffer.settle(0.1, tickets[at], CallOutcome.ACCEPTED)]
        assert passed_on == tickets
