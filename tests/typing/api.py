"""The types that an editor shows: checked by mypy, never run."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, assert_type

import attrs

from backupify_async import (
    AmbiguousTrigger,
    APIResponse,
    Backup,
    BackupifyClient,
    BackupInstance,
    ClientCredentials,
    EntryState,
    Failure,
    FanOut,
    Journal,
    JournalEntry,
    JournalStore,
    Outcome,
    Page,
    Paginator,
    PollPolicy,
    RateLimited,
    Reconciliation,
    Results,
    SharedState,
    StaticToken,
    Statistics,
    Success,
    Timeouts,
    Token,
    TriggerKind,
    TriggerResult,
    WaitResult,
    WaitTimeout,
    fan_out,
)


class Vault:
    """A credentials object of a user's own."""

    async def token(self) -> Token:
        return Token("from the vault", expires_in=300)


async def ids() -> AsyncIterator[int | str]:
    yield 42


async def length(word: str) -> int:
    return len(word)


async def one_instance(client: BackupifyClient) -> None:
    assert_type(client.backups.list(42), Paginator[Backup])
    assert_type(client.backups.list(42, prefetch=16), Paginator[Backup])
    assert_type([backup async for backup in client.backups.list(42)], list[Backup])
    assert_type([page async for page in client.backups.list(42).pages()], list[Page[Backup]])
    assert_type(await client.backups.list(42).collect(limit=5), list[Backup])
    assert_type(await client.backups.get(42, "1007"), Backup)
    assert_type(await client.backups.get_active(42), Backup | None)
    assert_type(await client.backups.latest(42), Backup | None)
    assert_type(await client.backups.trigger(42), TriggerResult)
    assert_type(await client.backups.trigger(42, baseline=await client.backups.latest(42)), TriggerResult)
    assert_type(await client.backups.trigger(42, baseline="1007"), TriggerResult)
    assert_type((await client.backups.trigger(42)).from_previous_run, bool)
    assert_type(await client.backups.wait(42, 7, timeout=60, poll=PollPolicy(interval=5)), WaitResult)
    assert_type(await client.backups.list(42).newest(5), list[Backup])
    assert_type(client.instances.list(backup_definition_id=1), Paginator[BackupInstance])
    assert_type(await client.instances.get(42), BackupInstance)
    assert_type(client.customers.instances(7), Paginator[BackupInstance])
    assert_type(client.statistics(), Statistics)
    assert_type(client.statistics().store_away, datetime | None)


async def many_instances(client: BackupifyClient) -> None:
    fleet = client.fleet(ids(), concurrency=32)
    assert_type(fleet.newest(5), FanOut[int | str, list[Backup]])
    assert_type(fleet.list(limit=5, prefetch=4), FanOut[int | str, list[Backup]])
    assert_type(await client.fleet([1, 2]).get_active(), Results[int | str, Backup | None])
    assert_type((await client.fleet([1, 2]).latest()).values, dict[int | str, Backup | None])
    newest = (await client.fleet([1, 2]).latest()).values
    assert_type(await client.fleet([1, 2]).trigger(baseline=newest), Results[int | str, TriggerResult])
    async with fleet.trigger(ordered=True, max_failures=3) as outcomes:
        async for outcome in outcomes:
            assert_type(outcome, Outcome[int | str, TriggerResult])
            assert_type(outcome.value, TriggerResult | None)
            assert_type(outcome.error, BaseException | None)
            assert_type(in_one_line(outcome), TriggerKind | str)


def in_one_line(outcome: Outcome[int | str, TriggerResult]) -> TriggerKind | str:
    """A check of `ok`, of the error or of the class narrows an outcome."""
    if outcome.ok:  # mypy narrows by truth; pyright only by the checks below
        assert_type(outcome, Success[int | str, TriggerResult])  # pyright: ignore[reportAssertTypeFailure]
        assert_type(outcome.value.kind, TriggerKind)  # pyright: ignore[reportOptionalMemberAccess]
    else:
        assert_type(outcome.error, BaseException)  # pyright: ignore[reportAssertTypeFailure]
    if outcome.ok is True:
        assert_type(outcome.value, TriggerResult)
    if outcome.error is not None:
        assert_type(outcome, Failure[int | str])
        return str(outcome.error)
    assert_type(outcome.value, TriggerResult)
    match outcome:
        case Success(value=value):
            assert_type(value, TriggerResult)
    return outcome.value.kind


def matched(outcome: Outcome[str, Backup | None]) -> Backup | None:
    """Also where the value can be None, and exhaustively."""
    match outcome:
        case Success(value=value):
            return assert_type(value, Backup | None)
        case Failure(error=error):
            raise assert_type(error, BaseException)


async def a_sweep_with_a_journal(client: BackupifyClient) -> None:
    async with Journal("sweep.sqlite", sweep="nightly") as journal:
        assert_type(journal, Journal)
        assert_type(client.fleet(ids()).trigger(journal=journal), FanOut[int | str, TriggerResult])


async def a_journal_on_another_store(store: JournalStore) -> None:
    assert_type(Journal.on(store, sweep="nightly"), Journal)
    async for entry in store.read_entries():
        assert_type(entry, JournalEntry)
        assert_type(entry.state, EntryState)


async def waiting(client: BackupifyClient) -> None:
    sweep = client.fleet([1, 2]).trigger(wait=True, wait_timeout=3600, poll=PollPolicy(interval=30))
    assert_type(await sweep, Results[int | str, TriggerResult])


async def any_function() -> None:
    assert_type(await fan_out(length, ["a", "bb"]), Results[str, int])


def values(
    backup: Backup, result: TriggerResult, error: RateLimited, unknown: AmbiguousTrigger, late: WaitTimeout
) -> None:
    assert_type(backup.id, int | str)
    assert_type(backup.created_at, datetime | None)
    assert_type(backup.extra, Mapping[str, Any])
    assert_type(result.kind, TriggerKind)
    assert_type(result.waited, WaitResult | None)
    assert_type(error.retry_after, float | None)
    assert_type(unknown.reason, str)
    assert_type(unknown.seen, tuple[Backup, ...])
    assert_type(late.backup, Backup | None)


@attrs.frozen
class Customer:
    """A model of a user's own."""

    id: int
    name: str | None = None


async def any_operation(client: BackupifyClient) -> None:
    assert_type(client.iterate("/v1/customers", Customer), Paginator[Customer])
    assert_type(await client.iterate("/v1/customers", Customer).newest(5), list[Customer])
    assert_type(client.iterate("/v1/customers"), Paginator[dict[str, Any]])
    response = await client.request("PUT", "/v1/customers/{id}", form={"customer": {"name": "Ada"}}, id=7)
    assert_type(response, APIResponse)
    assert_type(response.read_as(Customer), Customer)
    assert_type(client.with_options(timeouts=Timeouts(total=5), background=True), BackupifyClient)
    client.iterate("/v1/customers", Customer(1))  # type: ignore[call-overload]
    await client.request("GET", "/v1/ping", params=["a"])  # type: ignore[arg-type]
    client.with_options(timeouts=5)  # type: ignore[arg-type]


def clients() -> None:
    settled = Reconciliation(settling=5)
    assert_type(BackupifyClient(StaticToken("token"), reconciliation=settled), BackupifyClient)
    assert_type(BackupifyClient(ClientCredentials("id", "secret"), max_concurrency=8), BackupifyClient)
    assert_type(BackupifyClient(StaticToken("token"), base_url="https://api.example.com"), BackupifyClient)
    shared = SharedState("/run/backupify", account="ops")
    assert_type(BackupifyClient(StaticToken("token"), shared=shared), BackupifyClient)
    SharedState("/run/backupify", scope="machine")  # type: ignore[arg-type]
    assert_type(BackupifyClient(Vault()), BackupifyClient)
    assert_type(BackupifyClient.from_env(), BackupifyClient)
