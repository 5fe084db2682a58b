"""Few calls in flight at first, more with each success."""

from backupify_async.transport.rate.start import Ramp


class TestTheRamp:
    def test_thirteen_begin(self) -> None:
        assert Ramp(64).cap == 13

    def test_no_more_than_there_are_places(self) -> None:
        assert Ramp(3).cap == 3

    def test_a_success_gives_less_than_a_place(self) -> None:
        ramp = Ramp(64)
        for _ in range(20):
            ramp.succeeded(1.1, 1.0, ramp.cap)
        assert 13 < ramp.cap < 13 + 20

    def test_four_round_trips_are_enough_for_all(self) -> None:
        ramp = Ramp(64)
        for _ in range(4):
            for _ in range(ramp.cap):
                ramp.succeeded(1.1, 1.0, ramp.cap)
        assert ramp.cap == 64

    def test_it_ends_at_the_places(self) -> None:
        ramp = Ramp(64)
        for _ in range(1_000):
            ramp.succeeded(1.1, 1.0, 64)
        assert ramp.cap == 64

    def test_little_work_teaches_nothing(self) -> None:
        ramp = Ramp(64)
        for _ in range(1_000):
            ramp.succeeded(1.1, 1.0, 6)
        assert ramp.cap == 13

    def test_one_place_is_enough_to_go(self) -> None:
        ramp = Ramp(1)
        ramp.succeeded(1.1, 1.0, 1)
        assert ramp.cap == 1

    def test_behind_the_first_refusal_it_begins_anew_and_lower(self) -> None:
        ramp = Ramp(64)
        ramp.restart(2.0, careful=False)
        assert ramp.cap == 6

    def test_what_left_before_that_teaches_nothing(self) -> None:
        ramp = Ramp(64)
        ramp.restart(2.0, careful=False)
        for _ in range(100):
            ramp.succeeded(2.1, 2.0, 6)
        assert ramp.cap == 6
        ramp.succeeded(2.2, 2.1, 6)
        ramp.succeeded(2.3, 2.2, 6)
        assert ramp.cap == 7

    def test_where_calls_are_fast_it_grows_by_less(self) -> None:
        near, far = Ramp(64), Ramp(64)
        for _ in range(20):
            near.succeeded(1.001, 1.0, near.cap)
            far.succeeded(1.06, 1.0, far.cap)
        assert (near.cap, far.cap) == (13, 25)

    def test_where_a_probe_was_refused_it_begins_with_two(self) -> None:
        ramp = Ramp(64)
        ramp.restart(2.0, careful=True)
        assert ramp.cap == 2
