"""The state of the server, at a time that the test sets."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

from backupify_async.testing._state import ServerState, Tokens

_NOW = 1_767_225_600.0
_DAY = 86_400.0


def _state(
    instances: int = 10, *, backups: int | None = None, seed: int = 1, duration: float = 60.0
) -> ServerState:
    return ServerState(instances=instances, backups=backups, backup_duration=duration, seed=seed, now=_NOW)


class TestInstances:
    def test_ids_begin_at_one(self) -> None:
        assert [instance.id for instance in _state(4).instances] == [1, 2, 3, 4]

    def test_a_customer_has_one_instance_of_each_definition(self) -> None:
        found = _state(7).of_customer(2)
        assert [(each.id, each.backup_definition_id) for each in found] == [(4, 1), (5, 2), (6, 3)]

    def test_a_definition_has_its_instances(self) -> None:
        assert [each.id for each in _state(7).of_definition(1)] == [1, 4, 7]

    def test_an_unknown_id_has_no_instance(self) -> None:
        state = _state(2)
        assert [state.instance(0), state.instance(3), state.instance(None)] == [None] * 3
        assert list(state.of_customer(2)) == []

    def test_an_added_instance_has_the_next_id_and_its_own_backups(self) -> None:
        state = _state(2, backups=3)
        added = state.add(backups=2, now=_NOW)
        taken = {backup.id for each in state.instances[:2] for backup in state.backups(each)}
        assert added.id == 3
        assert len(taken | {backup.id for backup in state.backups(added)}) == 8


class TestCustomers:
    def test_each_has_three_instances_but_the_last(self) -> None:
        assert [list(_state(count).customers.ids) for count in (0, 3, 4)] == [[], [1], [1, 2]]

    def test_an_unknown_customer_is_a_key_error(self) -> None:
        for unknown in (0, 3):
            with pytest.raises(KeyError, match=str(unknown)):
                _state(6).customers[unknown]

    def test_the_first_added_instance_creates_its_customer(self) -> None:
        state = _state(3)
        added = [state.add(backups=2, now=_NOW) for _ in range(3)]
        assert {each.customer_id for each in added} == {2}
        assert state.customers[2].created_at == added[0].created_at

    def test_a_created_customer_gets_the_next_id(self) -> None:
        state = _state(6)
        created = state.customers.create("Acme", None, _NOW)
        assert (created.id, state.customers[3]) == (3, created)

    def test_a_renamed_customer_keeps_its_other_fields(self) -> None:
        customers = _state(6).customers
        before = customers[2]
        assert customers.rename(2, "Acme", _NOW) == evolve(before, name="Acme", updated_at=_NOW)
        assert customers[2].name == "Acme"

    def test_concurrent_threads_get_different_ids(self) -> None:
        customers = _state(0).customers
        with ThreadPoolExecutor(8) as threads:
            created = list(threads.map(lambda name: customers.create(str(name), None, _NOW), range(400)))
        assert sorted(each.id for each in created) == list(customers.ids) == list(range(1, 401))


class TestBackups:
    def test_the_same_seed_gives_the_same_backups(self) -> None:
        first, second = _state(), _state()
        assert [first.backups(each) for each in first.instances] == [
            second.backups(each) for each in second.instances
        ]

    def test_the_seed_gives_none_to_a_few_pages_of_backups(self) -> None:
        state = _state(500)
        counts = {len(state.backups(each)) for each in state.instances}
        assert min(counts) == 0
        assert 60 <= max(counts) <= 65

    def test_no_two_instances_share_an_id(self) -> None:
        state = _state(40)
        ids = [backup.id for each in state.instances for backup in state.backups(each)]
        assert len(set(ids)) == len(ids)

    def test_within_an_instance_ids_and_times_ascend(self) -> None:
        state = _state(1, backups=30)
        backups = state.backups(state.instances[0])
        ids, times = [each.id for each in backups], [each.started_at for each in backups]
        assert (ids, times) == (sorted(set(ids)), sorted(set(times)))

    def test_all_have_completed_at_the_start_however_long_new_ones_run(self) -> None:
        state = _state(50, backups=2, duration=math.inf)
        assert not any(backup.is_active(_NOW) for each in state.instances for backup in state.backups(each))

    def test_most_are_less_than_a_day_old_and_a_few_are_stale(self) -> None:
        state = _state(1000, backups=1)
        ages = [_NOW - state.backups(each)[0].started_at for each in state.instances]
        assert 20 < sum(age > _DAY for age in ages) < 90

    def test_a_new_backup_has_the_highest_id(self) -> None:
        state = _state(5)
        highest = max(backup.id for each in state.instances for backup in state.backups(each))
        assert state.start(state.instances[0], _NOW).id > highest

    def test_a_new_backup_is_active_for_its_duration(self) -> None:
        state = _state(1)
        instance = state.instances[0]
        started = state.start(instance, _NOW)
        assert [state.active(instance, _NOW + 59.9), state.active(instance, _NOW + 60)] == [started, None]

    def test_an_instance_without_backups_has_no_active_one(self) -> None:
        state = _state(1, backups=0)
        assert state.active(state.instances[0], _NOW) is None

    def test_a_backup_is_found_by_its_id_in_its_own_instance_only(self) -> None:
        state = _state(2, backups=3)
        mine, other = state.instances
        wanted = state.backups(mine)[1]
        assert state.backup(mine, wanted.id) == wanted
        assert [state.backup(other, wanted.id), state.backup(mine, None), state.backup(mine, 10**9)] == [
            None
        ] * 3


class TestTokens:
    def test_a_token_is_valid_for_its_lifetime(self) -> None:
        tokens = Tokens(899, seed=1)
        token = tokens.issue(_NOW)
        assert [tokens.check(token, _NOW + 898.9), tokens.check(token, _NOW + 899)] == ["good", "expired"]

    def test_a_token_has_the_special_characters_of_base64(self) -> None:
        assert set("+/=") < set(Tokens(899, seed=1).issue(_NOW))

    def test_tokens_are_unique(self) -> None:
        tokens = Tokens(899, seed=1)
        assert len({tokens.issue(_NOW) for _ in range(20)}) == tokens.issued == 20

    def test_a_token_that_was_never_issued_is_unknown(self) -> None:
        tokens = Tokens(899, seed=1)
        assert [tokens.check("made up", _NOW), tokens.check(None, _NOW)] == ["unknown", "unknown"]

    def test_expired_tokens_do_not_affect_later_ones(self) -> None:
        tokens = Tokens(899, seed=1)
        before = tokens.issue(_NOW)
        tokens.expire_all()
        assert [tokens.check(before, _NOW), tokens.check(tokens.issue(_NOW), _NOW)] == ["expired", "good"]

    def test_the_repr_shows_no_token(self) -> None:
        tokens = Tokens(899, seed=1)
        assert tokens.issue(_NOW) not in repr(tokens)
