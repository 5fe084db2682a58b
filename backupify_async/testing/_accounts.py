"""The vendor, its backup definitions and its customers. Pure: the time is an argument."""

import threading

from attrs import evolve, frozen

# No id of a definition or a customer: code that takes one id for another fails.
_VENDOR_ID = 900
_SERVICES = ("Google Workspace", "Microsoft 365", "Salesforce")


@frozen
class Vendor:
    """The vendor that the tokens belong to.

    Attributes:
        id: The id.
        name: The name.
        created_at: In seconds since the epoch.
    """

    id: int
    name: str
    created_at: float


@frozen
class BackupDefinition:
    """A service that customers can have a backup instance of.

    Attributes:
        id: The id, from 1.
        vendor_id: The vendor.
        name: The name.
        description: One sentence.
        created_at: In seconds since the epoch.
    """

    id: int
    vendor_id: int
    name: str
    description: str
    created_at: float


@frozen
class Customer:
    """A customer of the vendor.

    Attributes:
        id: The id, from 1.
        name: The name.
        email: The address, or None.
        created_at: In seconds since the epoch.
        updated_at: The time of the last change, likewise.
    """

    id: int
    name: str
    email: str | None
    created_at: float
    updated_at: float


def vendor(now: float) -> Vendor:
    """The vendor, created at `now` (seconds since the epoch)."""
    return Vendor(_VENDOR_ID, "Simulated Vendor", now)


def definitions(now: float) -> tuple[BackupDefinition, ...]:
    """The backup definitions, ascending by id, created at `now` (seconds since the epoch)."""
    return tuple(
        BackupDefinition(position, _VENDOR_ID, name, f"Daily backups of {name}.", now)
        for position, name in enumerate(_SERVICES, start=1)
    )


class CustomerRecords:
    """All customers. One that no request created or changed is made on access: there may be many.

    Args:
        count: The initial number of customers.
        created_at: When these were created, in seconds since the epoch.
    """

    def __init__(self, *, count: int, created_at: float) -> None:
        self._count = count
        self._created_at = created_at
        self._stored: dict[int, Customer] = {}
        self._lock = threading.Lock()  # a test can add instances from another thread

    @property
    def ids(self) -> range:
        """The ids of all customers, ascending."""
        return range(1, self._count + 1)

    def __getitem__(self, customer_id: int) -> Customer:
        if customer_id not in self.ids:
            raise KeyError(customer_id)
        return self._stored.get(customer_id) or _placeholder(customer_id, self._created_at)

    def create(self, name: str, email: str | None, now: float) -> Customer:
        """Create a customer without instances at `now` (seconds since the epoch)."""
        with self._lock:
            return self._store(Customer(self._count + 1, name, email, now, now))

    def ensure(self, customer_id: int, now: float) -> None:
        """Create the customer of a new instance at `now`, unless it exists. A new id is the next one."""
        if customer_id <= self._count:  # without the lock: it is so for all initial instances
            return
        with self._lock:
            # A request can have created it meanwhile.
            self._store(self._stored.get(customer_id) or _placeholder(customer_id, now))

    def rename(self, customer_id: int, name: str, now: float) -> Customer:
        """Change the name of a customer at `now` (seconds since the epoch)."""
        with self._lock:
            return self._store(evolve(self[customer_id], name=name, updated_at=now))

    def _store(self, customer: Customer) -> Customer:
        self._stored[customer.id] = customer
        self._count = max(self._count, customer.id)  # last: a reader in another thread finds each id
        return customer


def _placeholder(customer_id: int, created_at: float) -> Customer:
    email = f"customer-{customer_id}@example.com"
    return Customer(customer_id, f"Customer {customer_id}", email, created_at, created_at)
