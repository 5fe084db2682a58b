"""Who renews the shared token: the table of `token_lease`, line by line."""

import math

import attrs
import orjson
import pytest

from backupify_async._shared.store import BadRecord, Stored
from backupify_async._shared.token_lease import (
    AFTER_FAILURE,
    LEASE,
    Renew,
    TokenRecord,
    Use,
    Wait,
    after_failure,
    decide,
    extend_lease,
    read_record,
    take_lease,
    write_record,
)

NOW = 1_000.0
FRESH = TokenRecord(b"sealed", refresh_at=NOW + 100.0, ends_at=NOW + 160.0)
DUE = TokenRecord(b"sealed", refresh_at=NOW, ends_at=NOW + 60.0)
ENDED = TokenRecord(b"sealed", refresh_at=NOW - 60.0, ends_at=NOW)
NONE = TokenRecord()


def leased(record: TokenRecord, owner: str = "other", seconds: float = 3.0) -> TokenRecord:
    return attrs.evolve(record, owner=owner, leased_until=NOW + seconds)


def ask(record: TokenRecord, *, rejected: bool = False, held: bool = False) -> Use | Renew | Wait:
    return decide(record, NOW, "me", rejected=rejected, held=held)


class TestAMemberThatAsks:
    @pytest.mark.parametrize("record", [FRESH, leased(FRESH), leased(FRESH, "me")])
    def test_uses_a_token_that_is_not_due(self, record: TokenRecord) -> None:
        assert ask(record) == Use()

    def test_uses_the_old_token_while_another_member_renews_it(self) -> None:
        assert ask(leased(DUE)) == Use()

    def test_waits_for_a_new_one_if_it_has_the_old_one_itself(self) -> None:
        assert ask(leased(DUE), held=True) == Wait(NOW + 3.0)

    @pytest.mark.parametrize("record", [leased(ENDED), leased(NONE), leased(NONE, owner="")])
    def test_waits_where_there_is_no_token(self, record: TokenRecord) -> None:
        assert ask(record) == Wait(NOW + 3.0)

    @pytest.mark.parametrize("record", [leased(FRESH), leased(DUE)])
    def test_waits_where_the_token_was_rejected(self, record: TokenRecord) -> None:
        assert ask(record, rejected=True, held=True) == Wait(NOW + 3.0)

    @pytest.mark.parametrize("record", [DUE, ENDED, NONE])
    def test_renews_it_if_no_other_member_does(self, record: TokenRecord) -> None:
        assert ask(record) == Renew()

    @pytest.mark.parametrize("record", [DUE, ENDED, NONE])
    def test_renews_it_after_the_lease_of_one_that_died(self, record: TokenRecord) -> None:
        assert ask(leased(record, seconds=0.0)) == Renew()

    @pytest.mark.parametrize("record", [DUE, ENDED, NONE])
    def test_renews_it_if_it_has_the_lease_itself(self, record: TokenRecord) -> None:
        assert ask(leased(record, "me")) == Renew()

    def test_renews_a_rejected_token_though_it_is_not_due(self) -> None:
        assert ask(FRESH, rejected=True, held=True) == Renew()


class TestALease:
    def test_keeps_the_old_token_for_others(self) -> None:
        expected = attrs.evolve(DUE, owner="me", leased_until=NOW + LEASE)
        assert take_lease(DUE, NOW, "me", rejected=False) == expected

    def test_leaves_no_rejected_token_for_others(self) -> None:
        expected = TokenRecord(owner="me", leased_until=NOW + LEASE)
        assert take_lease(FRESH, NOW, "me", rejected=True) == expected

    def test_is_extended_by_its_owner_alone(self) -> None:
        expected = leased(DUE, "me", LEASE)
        assert extend_lease(leased(DUE, "me", 1.0), NOW, "me") == expected
        assert extend_lease(leased(DUE, "other", 1.0), NOW, "me") is None

    def test_lets_all_wait_for_a_second_after_a_failure(self) -> None:
        record = after_failure(leased(DUE, "me"), NOW, "me")
        assert record == attrs.evolve(DUE, owner="", leased_until=NOW + AFTER_FAILURE)

    def test_of_another_member_is_not_ended_by_a_failure(self) -> None:
        assert after_failure(leased(DUE), NOW, "me") is None


class TestTheRecord:
    def stored(self, value: bytes | None, *, later: float = 0.0, slept: float = 0.0) -> Stored:
        return Stored(value, NOW + later, "boot", 1_700_000_000.0 + later + slept)

    @pytest.mark.parametrize("record", [FRESH, leased(DUE), NONE, TokenRecord(b"\0\xff", math.inf, math.inf)])
    def test_is_read_as_it_was_written(self, record: TokenRecord) -> None:
        value = write_record(record, self.stored(None))
        assert read_record(self.stored(value, later=5.0)) == record

    def test_is_empty_in_a_new_store(self) -> None:
        assert read_record(self.stored(None)) == NONE

    def test_goes_on_with_the_clock_of_another_boot(self) -> None:
        value = write_record(FRESH, self.stored(None))
        after_boot = Stored(value, 7.0, "another boot", 1_700_000_000.0 + 30.0)
        assert read_record(after_boot).refresh_at == 7.0 + 70.0

    def test_goes_on_where_the_clock_has_gone_back(self) -> None:
        value = write_record(FRESH, self.stored(None))
        gone_back = Stored(value, 500.0, "boot", 1_700_000_000.0 + 10.0)
        assert read_record(gone_back).refresh_at == 500.0 + 90.0

    def test_has_aged_while_the_machine_slept(self) -> None:
        value = write_record(FRESH, self.stored(None))
        assert read_record(self.stored(value, later=1.0, slept=3_600.0)).ends_at == NOW + 160.0 - 3_600.0

    def test_never_grows_younger_with_the_time_of_day(self) -> None:
        value = write_record(FRESH, self.stored(None))
        assert read_record(self.stored(value, later=1.0, slept=-3_600.0)) == FRESH

    @pytest.mark.parametrize(
        "changes",
        [
            {"sealed": 1},
            {"sealed": "not base64"},
            {"refresh_at": None},
            {"ends_at": "nan"},
            {"now": []},
            {"now": "nan"},
            {"wall": "inf"},
            {"version": "1"},
        ],
    )
    def test_that_is_damaged_is_bad(self, changes: dict[str, object]) -> None:
        fields = {**orjson.loads(write_record(FRESH, self.stored(None))), **changes}
        with pytest.raises(BadRecord):
            read_record(self.stored(orjson.dumps(fields)))

    @pytest.mark.parametrize("until", ["inf", 1e300, NOW + LEASE + 2.0])
    def test_has_no_lease_if_it_lasts_longer_than_any(self, until: object) -> None:
        fields = {**orjson.loads(write_record(leased(DUE), self.stored(None))), "leased_until": until}
        record = read_record(self.stored(orjson.dumps(fields)))
        assert decide(record, NOW, "me", rejected=False, held=True) == Renew()

    @pytest.mark.parametrize("value", [b"", b"[]", b"null", b"{}", b"\xff"])
    def test_that_is_foreign_is_bad(self, value: bytes) -> None:
        with pytest.raises(BadRecord):
            read_record(self.stored(value))

    def test_of_a_later_version_says_which(self) -> None:
        with pytest.raises(BadRecord) as caught:
            read_record(self.stored(b'{"version": 2}'))
        assert caught.value.version == 2
