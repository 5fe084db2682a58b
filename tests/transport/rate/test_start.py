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
            ramp.succeeded(ramp.cap)
        assert 13 < ramp.cap < 13 + 20

    def test_four_round_trips_are_enough_for_all(self) -> None:
        ramp = Ramp(64)
        for _ in range(4):
            for _ in range(ramp.cap):
                ramp.succeeded(ramp.cap)
        assert ramp.cap == 64

    def test_it_ends_at_the_places(self) -> None:
        ramp = Ramp(64)
        for _ in range(1_000):
            ramp.succeeded(64)
        assert ramp.cap == 64

    def test_little_work_teaches_nothing(self) -> None:
        ramp = Ramp(64)
        for _ in range(1_000):
            ramp.succeeded(6)
        assert ramp.cap == 13

    def test_one_place_is_enough_to_go(self) -> None:
        ramp = Ramp(1)
        ramp.succeeded(1)
        assert ramp.cap == 1
