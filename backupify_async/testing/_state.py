"""The state of the server: customers, instances, backups and tokens. Pure: the time is an argument."""

import base64
import itertools
import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from attrs import define, field, frozen

from backupify_async.testing._accounts import CustomerRecords, definitions, vendor

_DAY = 86_400.0
_NIGHTLY_DURATION = 600.0
_MAX_BACKUPS = 65  # three pages of twenty, and a few more
_STALE_ROUNDS = 7
_STALE_SHARE = 0.05


@frozen
class Instance:
    """A backup instance: the data of one customer in one service.

    Attributes:
        id: The id, from 1.
        customer_id: The customer.
        backup_definition_id: The backup definition of the service.
        created_at: In seconds since the epoch.
    """

    id: int
    customer_id: int
    backup_definition_id: int
    created_at: float


@frozen
class SimulatedBackup:
    """A backup on the server.

    Attributes:
        id: The id; ids ascend over all instances.
        backup_instance_id: The instance.
        started_at: In seconds since the epoch on the server's clock.
        completes_at: When it ends, likewise.
    """

    id: int
    backup_instance_id: int
    started_at: float
    completes_at: float

    def is_active(self, now: float) -> bool:
        """Whether it is still active at `now` (seconds since the epoch)."""
        return now < self.completes_at


@frozen
class _History:
    """The initial backups of an instance. They are made on first access: there may be millions."""

    ids: Sequence[int]
    newest_at: float

    def backups(self, instance_id: int) -> list[SimulatedBackup]:
        oldest_at = self.newest_at - (len(self.ids) - 1) * _DAY
        starts = (oldest_at + nights * _DAY for nights in range(len(self.ids)))
        return [
            SimulatedBackup(backup_id, instance_id, start, start + _NIGHTLY_DURATION)
            for backup_id, start in zip(self.ids, starts, strict=True)
        ]


class ServerState:
    """The vendor, its backup definitions and customers, all instances and their backups.

    Customer 1 has the instances 1 to 3, one of each backup definition, customer 2 the next three, and so on.
    Each night every instance was backed up once, so ids ascend over all of them. By the seed, one instance in
    twenty was skipped in the last nights: its newest backup is days old.

    Args:
        instances: The initial number of instances.
        backups: The initial number of backups of each; None for a number by the seed, up to a few pages.
        backup_duration: The duration of a backup that is started from now on, in seconds.
        seed: The seed.
        now: The time of the start, in seconds since the epoch.
    """

    def __init__(
        self, *, instances: int, backups: int | None, backup_duration: float, seed: int, now: float
    ) -> None:
        self.instances: list[Instance] = []
        self._of_customer: dict[int, list[Instance]] = defaultdict(list)
        self._of_definition: dict[int, list[Instance]] = defaultdict(list)
        self._histories: list[_History] = []
        self._backups: dict[int, list[SimulatedBackup]] = {}
        self._duration = backup_duration
        rounds = _STALE_ROUNDS + (_MAX_BACKUPS if backups is None else backups)
        founded_at = now - (rounds + 1) * _DAY  # before the first backup
        self.vendor = vendor(founded_at)
        self.definitions = definitions(founded_at)
        self.customers = CustomerRecords(count=-(-instances // len(self.definitions)), created_at=founded_at)
        self._new_ids = itertools.count(1 + rounds * instances)
        rng = random.Random(seed)
        for position in range(instances):
            count = rng.randint(0, _MAX_BACKUPS) if backups is None else backups
            skipped = rng.randint(2, _STALE_ROUNDS) if rng.random() < _STALE_SHARE else 0
            end = rounds - skipped
            ids = range(1 + (end - count) * instances + position, 1 + end * instances + position, instances)
            # It is over at the start. Unless skipped, it stays less than a day old for another ten minutes.
            newest = now - skipped * _DAY - rng.uniform(_NIGHTLY_DURATION, _DAY - _NIGHTLY_DURATION)
            self._add(_History(ids, newest))

    def add(self, *, backups: int, now: float) -> Instance:
        """Add an instance with backups, of which the newest ends at `now`."""
        ids = [next(self._new_ids) for _ in range(backups)]
        return self._add(_History(ids, now - _NIGHTLY_DURATION))

    def _add(self, history: _History) -> Instance:
        instance_id = len(self.instances) + 1
        customer, service = divmod(instance_id - 1, len(self.definitions))
        instance = Instance(
            id=instance_id,
            customer_id=customer + 1,
            backup_definition_id=self.definitions[service].id,
            created_at=history.newest_at - len(history.ids) * _DAY,
        )
        self.customers.ensure(instance.customer_id, instance.created_at)
        self._histories.append(history)
        self.instances.append(instance)
        self._of_customer[instance.customer_id].append(instance)
        self._of_definition[instance.backup_definition_id].append(instance)
        return instance

    def instance(self, instance_id: int | None) -> Instance | None:
        """The instance with an id, or None."""
        if instance_id is None or not 1 <= instance_id <= len(self.instances):
            return None
        return self.instances[instance_id - 1]

    def of_customer(self, customer_id: int) -> Sequence[Instance]:
        """The instances of a customer, ascending by id."""
        return self._of_customer.get(customer_id, ())

    def of_definition(self, backup_definition_id: int) -> Sequence[Instance]:
        """The instances of a backup definition, ascending by id."""
        return self._of_definition.get(backup_definition_id, ())

    def backups(self, instance: Instance) -> Sequence[SimulatedBackup]:
        """The backups of an instance, ascending by id."""
        return self._backups_of(instance)

    def backup(self, instance: Instance, backup_id: int | None) -> SimulatedBackup | None:
        """The backup of an instance with an id, or None."""
        if backup_id is None:
            return None
        backups = self._backups_of(instance)
        place = bisect_left(backups, backup_id, key=lambda backup: backup.id)
        found = backups[place : place + 1]
        return found[0] if found and found[0].id == backup_id else None

    def active(self, instance: Instance, now: float) -> SimulatedBackup | None:
        """The active backup of an instance at `now` (seconds since the epoch), or None."""
        newest = self._backups_of(instance)[-1:]
        return newest[0] if newest and newest[0].is_active(now) else None

    def start(self, instance: Instance, now: float) -> SimulatedBackup:
        """Start a backup at `now` (seconds since the epoch)."""
        backup = SimulatedBackup(next(self._new_ids), instance.id, now, now + self._duration)
        self._backups_of(instance).append(backup)
        return backup

    def _backups_of(self, instance: Instance) -> list[SimulatedBackup]:
        backups = self._backups.get(instance.id)
        if backups is None:
            history = self._histories[instance.id - 1].backups(instance.id)
            # Atomic: a test in another thread and the server get the same list.
            backups = self._backups.setdefault(instance.id, history)
        return backups


@define
class Tokens:
    """The issued access tokens.

    Args:
        lifetime: The lifetime of a token, in seconds.
        seed: The seed.
        lag: How long a new token is not accepted yet, in seconds.
        newest_only: Whether a new token invalidates all earlier ones.
    """

    lifetime: int
    seed: int
    lag: float = 0.0
    newest_only: bool = False
    issued: int = field(default=0, init=False)
    _rng: random.Random = field(init=False, repr=False)
    _expiries: dict[str, float] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._rng = random.Random(f"tokens {self.seed}")

    def issue(self, now: float) -> str:
        """Issue a token, in base64 with `+`, `/` and `=`."""
        # 0xfb 0xef 0xff is `++//`: code that does not encode or quote a token fails at the first one.
        token = base64.b64encode(b"\xfb\xef\xff" + self._rng.randbytes(29)).decode()
        if self.newest_only:
            self.expire_all()
        self._expiries[token] = now + self.lifetime
        self.issued += 1
        return token

    def check(self, token: str | None, now: float) -> Literal["good", "expired", "unknown"]:
        """Whether a token is accepted at `now` (seconds since the epoch)."""
        expiry = None if token is None else self._expiries.get(token)
        if expiry is None or now < expiry - self.lifetime + self.lag:
            return "unknown"
        return "good" if now < expiry else "expired"

    def expire_all(self) -> None:
        """Let all tokens expire."""
        for token in list(self._expiries):
            self._expiries[token] = float("-inf")
