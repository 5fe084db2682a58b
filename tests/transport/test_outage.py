"""The decision whether the server is down for all calls."""

import math

import pytest

from backupify_async import ConnectionFailed, DecodeError, RequestTimeout, TransportError
from backupify_async._transport.outage import Outage, fails_as_down, failure_key, shows_down, shows_up
from backupify_async._transport.request import Request
from backupify_async.errors import BackupifyError


def up(accepted_at: float = 0.0, max_outage: float = 300.0) -> Outage:
    """No outage; the last accepted call was sent at `accepted_at`."""
    outage = Outage(max_outage)
    outage.on_success(accepted_at, accepted_at, of_api=True)
    return outage


def down(at: float = 10.0) -> Outage:
    """An outage since `at`."""
    outage = up()
    for key in "abc":
        outage.on_failure(at, at, key)
    return outage


class TestTheBeginning:
    def test_an_outage_begins_once_three_instances_failed_and_no_call_succeeded_since(self) -> None:
        outage = up()
        assert [outage.on_failure(10 + one, 20, key) for one, key in enumerate("abc")] == [False, False, True]
        assert outage.down_since == 10

    def test_one_instance_that_keeps_failing_is_no_outage(self) -> None:
        outage = up()
        assert not any(outage.on_failure(when, when, "a") for when in range(1, 99))

    def test_there_is_no_outage_before_the_first_success(self) -> None:
        outage = Outage(300)
        assert not any(outage.on_failure(when, when, str(when)) for when in range(1, 99))

    def test_a_token_does_not_count_as_the_first_success(self) -> None:
        outage = Outage(300)
        outage.on_success(0, 0, of_api=False)
        assert not any(outage.on_failure(when, when, str(when)) for when in range(1, 99))

    def test_a_success_sent_after_a_failure_cancels_the_failure(self) -> None:
        outage = up()
        outage.on_failure(10, 11, "a")
        outage.on_failure(10, 11, "b")
        outage.on_success(10.5, 12, of_api=True)
        assert not outage.on_failure(13, 13, "c")

    def test_a_success_sent_before_a_failure_does_not_cancel_it(self) -> None:
        outage = up()
        outage.on_failure(10, 11, "a")
        outage.on_failure(10, 11, "b")
        outage.on_success(9, 12, of_api=True)
        assert outage.on_failure(13, 13, "c")

    def test_a_failure_of_a_call_sent_before_the_last_success_does_not_count(self) -> None:
        outage = up(accepted_at=20)
        assert not any(outage.on_failure(19, 60, key) for key in "abcd")

    def test_it_can_be_switched_off(self) -> None:
        outage = up(max_outage=0)
        assert not any(outage.on_failure(10, 10, key) for key in "abcd")


class TestProbes:
    def test_probes_are_sent_one_at_a_time_at_growing_intervals(self) -> None:
        outage, now, gaps = down(), 10.0, []
        for _ in range(10):
            assert outage.next_probe > now
            gaps.append(round(outage.next_probe - now, 2))
            now = outage.next_probe
            outage.begin_probe(now)
            assert outage.next_probe == math.inf
            outage.end_probe(now, unused=False)
        assert gaps == [0.3, 0.3, 0.45, 0.68, 1.01, 1.52, 2.28, 3.42, 5.0, 5.0]

    def test_a_probe_that_takes_long_is_followed_by_the_next_at_once(self) -> None:
        outage = down()
        outage.begin_probe(11)
        outage.end_probe(21, unused=False)
        assert outage.next_probe <= 21

    def test_a_probe_that_was_not_sent_is_replaced_at_once(self) -> None:
        outage = down()
        outage.begin_probe(11)
        outage.end_probe(12, unused=True)
        assert outage.next_probe == 12


class TestTheEnd:
    def test_a_success_sent_during_an_outage_ends_it(self) -> None:
        outage = down(at=10)
        outage.on_success(15, 16, of_api=True)
        assert (outage.down_since, outage.closes_at) == (None, math.inf)

    def test_a_success_sent_before_an_outage_does_not_end_it(self) -> None:
        outage = down(at=10)
        outage.on_success(9, 16, of_api=True)
        assert outage.down_since == 10

    def test_a_token_ends_an_outage_too(self) -> None:
        outage = down(at=10)
        outage.on_success(15, 16, of_api=False)
        assert outage.down_since is None

    def test_after_max_outage_calls_fail_and_a_probe_is_sent_every_five_seconds(self) -> None:
        outage = down(at=10)
        assert not outage.is_closed(309.9)
        assert outage.is_closed(310)
        outage.begin_probe(400)
        outage.end_probe(400, unused=False)
        assert outage.next_probe == 405

    def test_its_downtime_is_known_while_it_lasts_and_afterwards(self) -> None:
        outage = down(at=10)
        assert outage.downtime(12) == 2
        outage.on_success(15, 16, of_api=True)
        assert outage.downtime(99) == 6


class TestWhatCounts:
    @pytest.mark.parametrize("status", [502, 503, 504, 520, 521, 522, 523, 524])
    def test_statuses_that_a_gateway_sends_for_the_server_show_that_it_is_down(self, status: int) -> None:
        assert (shows_down(status), shows_up(status)) == (True, False)

    @pytest.mark.parametrize("status", [500, 501, 525, 530, 408])
    def test_some_statuses_show_neither(self, status: int) -> None:
        assert (shows_down(status), shows_up(status)) == (False, False)

    @pytest.mark.parametrize("status", [200, 201, 302, 401, 403, 404, 429])
    def test_other_statuses_show_that_it_works(self, status: int) -> None:
        assert (shows_down(status), shows_up(status)) == (False, True)

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionFailed("refused", sent=False),
            RequestTimeout("connect", sent=False),
            TransportError("the server closed the connection before it responded"),
        ],
    )
    def test_a_connection_that_fails_counts(self, error: BackupifyError) -> None:
        assert fails_as_down(error)

    @pytest.mark.parametrize(
        "error",
        [
            ConnectionFailed("the certificate", sent=False, gave_up="certificate errors are not retried"),
            ConnectionFailed("too many open files", sent=False, ours=True),
            RequestTimeout("read"),
            TransportError("in the middle of the response", status=200),
            DecodeError("no JSON", "/v1/ping"),
        ],
    )
    def test_a_tls_fault_or_one_of_this_machine_or_a_slow_response_does_not_count(
        self, error: BackupifyError
    ) -> None:
        assert not fails_as_down(error)

    @pytest.mark.parametrize(
        ("request_", "key"),
        [
            (Request("GET", "/api/v1/backup_instances/42/backups", "page=2"), "42"),
            (Request("POST", "/v1/backup_instances/42/backups"), "42"),
            (Request("GET", "/v1/customers", "page=2"), "/v1/customers?page=2"),
            (Request("POST", "/oauth/token"), "/oauth/token 3"),
        ],
    )
    def test_failures_are_counted_by_instance_or_else_by_request(self, request_: Request, key: str) -> None:
        assert failure_key(request_, 3) == key
