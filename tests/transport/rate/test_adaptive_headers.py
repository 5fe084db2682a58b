"""The adaptive limiter with servers that announce a quota, or a wait far ahead."""

import math

import pytest

from backupify_async._transport.rate.limiter import UNKNOWN
from tests.support.rate_simulation import Reply, Run, adaptive, respond, window


class TestTheAnnouncedRate:
    def test_is_what_a_window_holds_if_our_call_opened_it(self) -> None:
        run = Run(adaptive(), window(50, 5.0, headers=True)).until_accepted(300)
        assert run.limiter.estimate(run.now).per_second == pytest.approx(10)  # type: ignore[attr-defined]

    def test_is_known_after_a_refusal_even_if_only_refusals_have_headers(self) -> None:
        limiter = adaptive()
        for number in range(4):
            respond(limiter, number / 10 + 0.1, limiter.on_send(number / 10), 200, None, {})
        respond(limiter, 0.5, limiter.on_send(0.4), 429, 3.0, {"RateLimit": '"x";r=0;t=3'})
        assert limiter.estimate(0.5).per_second == pytest.approx(4 / 3.5)
        assert limiter.earliest(3.6, 0) <= 3.6
        respond(limiter, 3.7, limiter.on_send(3.6), 200, None, {})
        assert limiter.estimate(3.7).per_second is not None

    def test_is_none_if_the_reset_is_too_far_ahead_and_nothing_was_refused(self) -> None:
        limiter = adaptive()
        respond(limiter, 0.1, limiter.on_send(0.0), 200, None, {"RateLimit": '"x";r=9;t=3600'})
        assert limiter.estimate(0.1) == UNKNOWN


class TestAWaitFarAhead:
    def test_a_retry_after_over_the_maximum_blocks_the_limiter(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 5.0, ticket, 429, 121.0, {})
        assert limiter.blocked_until == 126.0

    def test_one_at_the_maximum_does_not_block_it(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 5.0, ticket, 429, 120.0, {})
        assert limiter.blocked_until == -math.inf

    def test_a_block_is_never_shortened(self) -> None:
        limiter = adaptive()
        for retry_after in (500.0, 200.0):
            respond(limiter, 5.0, limiter.on_send(4.0), 429, retry_after, {})
        assert limiter.blocked_until == 505.0

    def test_a_reset_so_far_ahead_is_ignored_until_a_refusal_names_it(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        respond(limiter, 0.1, ticket, 200, None, {"RateLimit": '"x";r=0;t=3600'})
        assert limiter.earliest(0.1, 0) <= 0.1

    def test_an_epoch_is_read_by_the_servers_clock(self) -> None:
        limiter = adaptive()
        ticket = limiter.on_send(0.0)
        headers = {
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": "4000000005",
            "Date": "Mon, 02 Oct 2096 07:06:40 GMT",  # 4,000,000,000
        }
        respond(limiter, 0.1, ticket, 200, None, headers)
        assert limiter.earliest(0.1, 0) == pytest.approx(5.1)

    def test_an_hourly_quota_with_thousands_remaining_is_not_spent_one_by_one(self) -> None:
        used = 0

        def hourly(at: float) -> Reply:
            nonlocal used
            used += 1
            reset = 20 - at if at < 20 else 3620 - at
            remaining = 700 - used if at < 20 else 100_000 - used
            return Reply(
                200, None, {"X-RateLimit-Remaining": f"{remaining}", "X-RateLimit-Reset": f"{int(reset) + 1}"}
            )

        run = Run(adaptive(), hourly).until_accepted(4_000, at_most=60)
        assert run.accepted == 4_000


class TestResponsesWithoutHeaders:
    @pytest.mark.parametrize("status", [200, 502])
    def test_do_not_reopen_a_spent_quota(self, status: int) -> None:
        limiter = adaptive()
        tickets = []
        for number in range(2):
            assert limiter.earliest(0.0, number) <= 0.0
            tickets.append(limiter.on_send(0.0))
        respond(limiter, 0.1, tickets[0], 200, None, {"RateLimit": '"x";r=0;t=5'})
        respond(limiter, 0.2, tickets[1], status, None, {})
        assert limiter.earliest(0.2, 0) == pytest.approx(5.1)


class TestInFlight:
    def test_a_call_with_a_response_is_no_longer_counted_against_the_quota(self) -> None:
        limiter = adaptive()
        tickets = []
        for number in range(10):
            assert limiter.earliest(0.0, number) <= 0.0
            tickets.append(limiter.on_send(0.0))
        for number, ticket in enumerate(tickets):
            respond(limiter, 0.1, ticket, 200, None, {"RateLimit": f'"x";r={14 - number};t=60'})
        assert limiter.earliest(0.2, 0) <= 0.2
