"""What the server knows: instances, their backups, tokens. Pure: whoever asks says what time it is."""

import base64
import itertools
import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from attrs import define, field, frozen

_DAY = 86_400.0
_NIGHTLY_DURATION = 600.0
_SERVICES = 3  # each customer has a backup instance of each service, one backup definition per service
_MOST_BACKUPS = 65  # three pages of twenty, and a few more
_STALE_ROUNDS = 7
_STALE_SHARE = 0.05


@frozen
class Instance:
    """A backup instance: one customer's data in one service.

    Attributes:
        id: its number, from 1.
        customer_id: whose data it is.
        backup_definition_id: which service it is in.
        created_at: in seconds since the epoch.
    """

    id: int
    customer_id: int
    backup_definition_id: int
    created_at: float


@frozen
class SimulatedBackup:
    """A backup as the server keeps it.

    Attributes:
        id: ids grow over all instances.
        backup_instance_id: of which instance it is a backup.
        started_at: in seconds since the epoch on the server's clock.
        completes_at: when it is over, likewise.
    """

    id: int
    backup_instance_id: int
    started_at: float
    completes_at: float

    def is_active(self, now: float) -> bool:
        """Whether it still runs at `now` (seconds since the epoch)."""
        return now < self.completes_at


@frozen
class _History:
    """The backups that an instance came with: made only when somebody looks, there may be millions."""

    ids: Sequence[int]
    newest_at: float

    def backups(self, instance_id: int) -> list[SimulatedBackup]:
        oldest_at = self.newest_at - (len(self.ids) - 1) * _DAY
        starts = (oldest_at + nights * _DAY for nights in range(len(self.ids)))
        return [
            SimulatedBackup(backup_id, instance_id, start, start + _NIGHTLY_DURATION)
            for backup_id, start in zip(self.ids, starts, strict=True)
        ]


class World:
    """All instances and their backups.

    A night's round backs up every instance once, so that ids grow over all of them. By seed one instance in
    twenty has been left out of the last rounds: its newest backup is days old.

    Args:
        instances: how many there are at the start.
        backups: how many each of them has at the start; None lets the seed decide, from none to a few pages.
        backup_duration: how long a backup runs that is started from now on, in seconds.
        seed: of the randomness.
        now: the time of the start, in seconds since the epoch.
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
        rounds = _STALE_ROUNDS + (_MOST_BACKUPS if backups is None else backups)
        self._new_ids = itertools.count(1 + rounds * instances)
        rng = random.Random(seed)
        for position in range(instances):
            count = rng.randint(0, _MOST_BACKUPS) if backups is None else backups
            skipped = rng.randint(2, _STALE_ROUNDS) if rng.random() < _STALE_SHARE else 0
            end = rounds - skipped
            ids = range(1 + (end - count) * instances + position, 1 + end * instances + position, instances)
            # Over at the start, and unless it was skipped less than a day old for ten minutes to come.
            newest = now - skipped * _DAY - rng.uniform(_NIGHTLY_DURATION, _DAY - _NIGHTLY_DURATION)
            self._add(_History(ids, newest))

    def add(self, *, backups: int, now: float) -> Instance:
        """A new instance with so many backups, the newest just over at `now`."""
        ids = [next(self._new_ids) for _ in range(backups)]
        return self._add(_History(ids, now - _NIGHTLY_DURATION))

    def _add(self, history: _History) -> Instance:
        instance_id = len(self.instances) + 1
        instance = Instance(
            id=instance_id,
            customer_id=-(-instance_id // _SERVICES),
            backup_definition_id=(instance_id - 1) % _SERVICES + 1,
            created_at=history.newest_at - len(history.ids) * _DAY,
        )
        self._histories.append(history)
        self.instances.append(instance)
        self._of_customer[instance.customer_id].append(instance)
        self._of_definition[instance.backup_definition_id].append(instance)
        return instance

    def instance(self, instance_id: int | None) -> Instance | None:
        """The instance of that id, or None."""
        if instance_id is None or not 1 <= instance_id <= len(self.instances):
            return None
        return self.instances[instance_id - 1]

    def of_customer(self, customer_id: int) -> Sequence[Instance] | None:
        """A customer's instances, ascending by id; None where there is no such customer."""
        return self._of_customer.get(customer_id)

    def of_definition(self, backup_definition_id: int) -> Sequence[Instance]:
        """The instances of a backup definition, ascending by id."""
        return self._of_definition.get(backup_definition_id, ())

    def backups(self, instance: Instance) -> Sequence[SimulatedBackup]:
        """An instance's backups, ascending by id."""
        return self._shelf(instance)

    def backup(self, instance: Instance, backup_id: int | None) -> SimulatedBackup | None:
        """The instance's backup of that id, or None."""
        if backup_id is None:
            return None
        backups = self._shelf(instance)
        place = bisect_left(backups, backup_id, key=lambda backup: backup.id)
        found = backups[place : place + 1]
        return found[0] if found and found[0].id == backup_id else None

    def active(self, instance: Instance, now: float) -> SimulatedBackup | None:
        """The instance's backup that runs at `now` (seconds since the epoch), or None."""
        newest = self._shelf(instance)[-1:]
        return newest[0] if newest and newest[0].is_active(now) else None

    def start(self, instance: Instance, now: float) -> SimulatedBackup:
        """Start a backup at `now` (seconds since the epoch)."""
        backup = SimulatedBackup(next(self._new_ids), instance.id, now, now + self._duration)
        self._shelf(instance).append(backup)
        return backup

    def _shelf(self, instance: Instance) -> list[SimulatedBackup]:
        shelf = self._backups.get(instance.id)
        if shelf is None:
            history = self._histories[instance.id - 1].backups(instance.id)
            # Atomic, so that a test in another thread and the server find the same list.
            shelf = self._backups.setdefault(instance.id, history)
        return shelf


@define
class Tokens:
    """The access tokens that have been handed out.

    Args:
        lifetime: how long each is good for, in seconds.
        seed: of the randomness.
        lag: how long each is not known yet, in seconds.
        newest_only: whether each ends all before it.
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
        """A new token, in base64 with `+`, `/` and `=` in it."""
        # 0xfb 0xef 0xff is `++//`: whoever forgets to encode or to quote a token finds out at the first one.
        token = base64.b64encode(b"\xfb\xef\xff" + self._rng.randbytes(29)).decode()
        if self.newest_only:
            self.expire_all()
        self._expiries[token] = now + self.lifetime
        self.issued += 1
        return token

    def verdict(self, token: str | None, now: float) -> Literal["good", "expired", "unknown"]:
        """What a token is worth at `now` (seconds since the epoch)."""
        expiry = None if token is None else self._expiries.get(token)
        if expiry is None or now < expiry - self.lifetime + self.lag:
            return "unknown"
        return "good" if now < expiry else "expired"

    def expire_all(self) -> None:
        """Let every token be over."""
        for token in list(self._expiries):
            self._expiries[token] = float("-inf")
