import pytest

from backupify_async._cli.command_progress import SendRate


def test_at_the_beginning_it_is_the_rate_since_the_start() -> None:
    speed = SendRate(100.0)
    assert speed.at(100.0, 0) == 0
    assert speed.at(102.0, 30) == 15


def test_later_it_is_the_rate_of_the_last_ten_seconds() -> None:
    speed = SendRate(0.0)
    for second in range(61):
        speed.at(float(second), 100 * second)
    for second in range(61, 71):
        told = speed.at(float(second), 6_000 + 5 * (second - 60))
    assert told == pytest.approx(5)


def test_it_falls_to_nothing_while_nothing_leaves() -> None:
    speed = SendRate(0.0)
    told = [speed.at(float(second), min(50, 10 * second)) for second in range(20)]
    assert (told[5], told[-1]) == (10, 0)


def test_it_keeps_few_counts_however_often_it_is_asked() -> None:
    speed = SendRate(0.0)
    for tenth in range(10_000):
        speed.at(tenth / 10, tenth)
    assert len(speed._counts) <= 22


def test_after_a_long_silence_it_counts_from_the_last_time_that_it_was_asked() -> None:
    speed = SendRate(0.0)
    speed.at(10.0, 100)
    assert speed.at(60.0, 200) == 2
