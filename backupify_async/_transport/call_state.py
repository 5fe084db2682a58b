"""One call: the settings that it has for itself, and what it has met so far."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import attrs

from backupify_async._checks import boolean, check_is_a, hook_or_none, is_a
from backupify_async._headers import check_headers
from backupify_async._tasks import cancellations
from backupify_async._transport.request import Request
from backupify_async._transport.throttling import Refusal
from backupify_async.config import RetryPolicy, Settings, Timeouts
from backupify_async.credentials import Unpicklable
from backupify_async.events import EventHook


@attrs.frozen
class CallOptions(Unpicklable):
    """The settings that one call can have for itself.

    Attributes:
        timeouts: Its time-outs.
        retry: How it is retried; `budget`, `max_outage` and `max_retry_after` are always the client's.
        headers: Headers beside those of the client; one of the same name replaces the client's. Their values
            count as secrets. Token requests do not carry them.
        background: Whether other calls of the client go first.
        on_event: Called with the events of its requests; None for no hook.

    Raises:
        ConfigurationError: A value has another type; or a header cannot be sent, or the client sets it.
    """

    timeouts: Timeouts = attrs.field(validator=is_a(Timeouts))
    retry: RetryPolicy = attrs.field(validator=is_a(RetryPolicy))
    headers: Mapping[str, str] = attrs.field(
        factory=dict, converter=check_headers, repr=lambda headers: f"{sorted(headers)}", hash=False
    )
    background: bool = attrs.field(default=False, validator=boolean)
    on_event: EventHook | None = attrs.field(default=None, validator=hook_or_none)

    @classmethod
    def of_client(cls, settings: Settings, on_event: EventHook | None = None) -> "CallOptions":
        """The options of a call that has none of its own."""
        return cls(settings.timeouts, settings.retry, on_event=on_event)

    def replaced(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        background: bool | None = None,
        on_event: EventHook | None = None,
    ) -> "CallOptions":
        """These options with others in place of some; None leaves one as it is.

        Raises:
            ConfigurationError: A value has another type; or a header cannot be sent, or the client sets it.
        """
        if retry is not None:
            check_is_a("retry", retry, RetryPolicy)
            client = self.retry
            retry = attrs.evolve(
                retry,
                budget=client.budget,
                max_outage=client.max_outage,
                max_retry_after=client.max_retry_after,
            )
        new = {} if headers is None else check_headers(headers)
        names = {name.lower() for name in new}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in names}
        return CallOptions(
            self.timeouts if timeouts is None else timeouts,
            self.retry if retry is None else retry,
            {**kept, **new},
            self.background if background is None else background,
            self.on_event if on_event is None else on_event,
        )


@attrs.define
class CallState:
    """One call, and what it has met so far.

    Attributes:
        request: What it asks.
        options: Its settings.
        before_send: Called before each sending, once the gate has let it pass; None for no call.
        retries_any_5xx: Whether it is retried after any 5xx.
        began: When it began, in the order of the gate, as `begin_call` returns it; 0 before it is sent.
        cancellations_before: How often its task was cancelled before it was sent first.
        sent_at: When the sending that is in doubt was sent, UTC; None while there is none.
        sent_time: The same by the loop's clock, in seconds.
        answered: Whether an earlier sending certainly reached the server.
        sendings: How often it was sent.
        attempts: How many sendings failed and count.
        refusals: How many sendings were refused for now, which do not count.
        refusal: The refusal that the last sending met, where it does not count; else None.
        refused_since: When it was first refused, by the loop's clock; None where it was not.
        down: Whether the last sending failed because the server is down for all calls.
        suspect: Whether the last sending failed as if the server were down, which is not yet known.
        last_cost: What the last retry took from the budget.
        status: The status of the last response that was lost, and whose head came.
        distrusts: Whether it needs a new connection: the last response may have been another request's.
    """

    request: Request
    options: CallOptions
    before_send: Callable[[], Awaitable[None]] | None = None
    retries_any_5xx: bool = False
    began: int = 0
    cancellations_before: int = 0
    sent_at: datetime | None = None
    sent_time: float = 0.0
    answered: bool = False
    sendings: int = 0
    attempts: int = 0
    refusals: int = 0
    refusal: Refusal | None = None
    refused_since: float | None = None
    down: bool = False
    suspect: bool = False
    last_cost: int = 0
    status: int | None = None
    distrusts: bool = False

    @property
    def was_cancelled(self) -> bool:
        """Whether it was cancelled, by its caller or its scope."""
        return cancellations() > self.cancellations_before

    def require_not_cancelled(self) -> None:
        """Do not go on with a call that was cancelled.

        Raises:
            asyncio.CancelledError: It was, and a part of the user's swallowed that.
        """
        if self.was_cancelled:
            raise asyncio.CancelledError

    @property
    def may_have_arrived(self) -> bool:
        """Whether the server may have received the request at all."""
        return self.answered or self.sent_at is not None
