"""The send rate that the progress line shows."""

import pytest

from backupify_async._cli.command_progress import SendRate


def test_at_first_it_is_the_rate_since_the_start() -> None:
    send_rate = SendRate(100.0)
    assert send_rate.at(100.0, 0) == 0
    assert send_rate.at(102.0, 30) == 15


def test_later_it_is_the_rate_of_the_last_ten_seconds() -> None:
    send_rate = SendRate(0.0)
    for second in range(61):
        send_rate.at(float(second), 100 * second)
    for second in range(61, 71):
        rate = send_rate.at(float(second), 6_000 + 5 * (second - 60))
    assert rate == pytest.approx(5)


def test_it_falls_to_zero_while_nothing_is_sent() -> None:
    send_rate = SendRate(0.0)
    rates = [send_rate.at(float(second), min(50, 10 * second)) for second in range(20)]
    assert (rates[5], rates[-1]) == (10, 0)


def test_it_keeps_few_counts_however_often_it_is_read() -> None:
    send_rate = SendRate(0.0)
    for tenth in range(10_000):
        send_rate.at(tenth / 10, tenth)
    assert len(send_rate._counts) <= 22


def test_after_a_long_pause_it_counts_from_the_last_reading() -> None:
    send_rate = SendRate(0.0)
    send_rate.at(10.0, 100)
    assert send_rate.at(60.0, 200) == 2
