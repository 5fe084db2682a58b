"""The errors: one tree, drawn here.

    BackupifyError
    ├── ConfigurationError          settings or credentials that cannot work
    │   └── MissingCredentials      the environment holds no credentials
    ├── ClientClosed                the client was closed, before the call or while it was under way
    │   └── ClientDraining          the client begins no triggers any more: this one was not sent
    ├── AuthenticationError         no token is to be had, or the server refuses it
    ├── TransportError              no whole answer arrived
    │   ├── ConnectionFailed        no connection was made: nothing was sent
    │   └── RequestTimeout          a time-out of `Timeouts` ran out
    ├── APIError                    the server answered, and the answer is a refusal
    │   ├── BadRequest              400
    │   ├── Unauthorized            401, also an AuthenticationError
    │   ├── PermissionDenied        403
    │   ├── NotFound                404
    │   ├── Conflict                409
    │   ├── UnprocessableEntity     422
    │   ├── RateLimited             429
    │   └── ServerError             5xx
    ├── DecodeError                 the answer is not what the API speaks
    ├── PaginationError             the pages of a list cannot be followed to their end
    │   └── UnsafeLink              a Link leads to another origin
    ├── AmbiguousTrigger            a backup may or may not have been started
    ├── DuplicateInstance           an instance came twice in one sweep of triggers
    ├── JournalError                the journal of a sweep cannot be used, or no longer be written
    ├── WaitTimeout                 a backup was not over when its wait ran out of time
    ├── WaitFailed                  a sweep triggered a backup, and waits for its end no longer
    └── FanOutAborted               a fan-out stopped before its keys ended

Every error survives `pickle` and `copy`, and none holds a token or a secret.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import attrs

from backupify_async._escaping import printable
from backupify_async._plain import plain_error
from backupify_async.models import Backup, SentTrigger, TriggerResult


class BackupifyError(Exception):
    """The root of all that this library raises on purpose."""

    def to_dict(self) -> dict[str, Any]:
        """It as plain JSON types: `type`, the name of its class, `message`, and its fields by name."""
        return plain_error(self)


@attrs.define(slots=False, eq=False)
class ConfigurationError(BackupifyError):
    """Settings, credentials or the use of the client cannot work.

    Attributes:
        problem: Which setting cannot work, why, and what to do.
        override: The setting that permits it nevertheless; "" where none does.
    """

    problem: str
    override: str = ""

    def __str__(self) -> str:
        return self.problem + (f", or set {self.override}" if self.override else "")


class MissingCredentials(ConfigurationError):
    """The environment holds no credentials."""


class ClientClosed(BackupifyError):
    """The client was closed, before this call or while it was under way."""


class ClientDraining(ClientClosed):
    """The client begins no triggers any more: this one was not sent, or surely did nothing."""


class AuthenticationError(BackupifyError):
    """No token is to be had with these credentials, or the server refuses the token."""


@attrs.define(slots=False, eq=False)
class TransportError(BackupifyError):
    """No whole answer arrived.

    Attributes:
        problem: What went wrong, in words.
        sent: False where the request surely never reached the server.
        gave_up: Why it was not tried again, or None where trying again was never in question.
        status: The HTTP status, where the head of the answer came; None where it did not.
        ours: Whether this machine lacks what it takes: a file descriptor, a port or memory.
    """

    problem: str
    sent: bool = True
    gave_up: str | None = None
    status: int | None = None
    ours: bool = False

    def __str__(self) -> str:
        return self.problem + _because(self.gave_up)


class ConnectionFailed(TransportError):
    """No connection to the server was made, so nothing was sent."""


@attrs.define(slots=False, eq=False)
class RequestTimeout(TransportError):
    """A time-out of `Timeouts` ran out.

    Attributes:
        limit: The field of `Timeouts` that ran out; None where it was none of them.
        seconds: The value of that field.
    """

    limit: Literal["connect", "read", "attempt", "total"] | None = None
    seconds: float | None = None


@attrs.define(slots=False, eq=False)
class APIError(BackupifyError):
    """The server answered, and the answer is a refusal.

    Attributes:
        status: The HTTP status.
        method: The method of the request.
        path: The path of the request, without its query.
        request_id: The server's name for this request (`X-Request-Id`), to quote in a support case.
        excerpt: The beginning of the body as text, 200 bytes at most.
        retry_after: Seconds that the server asked to wait, or None.
        gave_up: Why it was not tried again, or None where trying again was never in question.
    """

    status: int
    method: str
    path: str
    request_id: str | None = None
    excerpt: str = ""
    retry_after: float | None = None
    gave_up: str | None = None

    def __str__(self) -> str:
        text = f"{self.method} {self.path} answered {self.status}"
        text += f": {self.excerpt}" if self.excerpt else ""
        text += "" if self.retry_after is None else f" (Retry-After: {self.retry_after:g} s)"
        return text + (f" (request {self.request_id})" if self.request_id else "") + _because(self.gave_up)


class BadRequest(APIError):
    """400: the server does not understand the request."""


class Unauthorized(APIError, AuthenticationError):
    """401: the server refuses every token for a while, or this call where others pass with the same token."""


class PermissionDenied(APIError):
    """403: the token may not do this, on this instance."""


class NotFound(APIError):
    """404: there is no such thing."""


class Conflict(APIError):
    """409: the request is at odds with what the server has."""


class UnprocessableEntity(APIError):
    """422: the server understands the request and does not accept it."""


class RateLimited(APIError):
    """429: the server refuses calls for now, for longer than the retry policy waits."""


class ServerError(APIError):
    """5xx: the server, or a proxy before it, failed."""


@attrs.define(slots=False, eq=False)
class DecodeError(BackupifyError):
    """The answer is not what the API speaks.

    Attributes:
        problem: What is wrong with it, in words.
        path: The path of the request, without its query.
        content_type: The answer's Content-Type, "" where it has none.
        excerpt: The first 200 bytes of the body, as text.
        status: The HTTP status.
        gave_up: Why it was not tried again, or None where trying again was never in question.
    """

    problem: str
    path: str
    content_type: str = ""
    excerpt: str = ""
    status: int | None = None
    gave_up: str | None = None

    def __str__(self) -> str:
        kind = self.content_type or "missing"
        told = f"{self.path}: {self.problem} (Content-Type {kind}): '{self.excerpt}'"
        return told + _because(self.gave_up)


class PaginationError(BackupifyError):
    """The pages of a list cannot be followed to their end; the message names the link."""


class UnsafeLink(PaginationError):
    """A Link leads to another origin: it was not followed, and the token did not travel."""


@attrs.define(slots=False, eq=False)
class AmbiguousTrigger(BackupifyError):
    """A backup may or may not have been started: the request was sent, and no clear response came.

    Reconciling did not show it, and sending it again could start a second backup: check the instance first.

    Attributes:
        trigger: What was sent, and what is known about it.
        cause: Why there is no clear response.
        reason: Why reconciling did not show it; "" where there was no time to reconcile.
        seen: The backups that can be this trigger's, or were active, at the last check.
        interrupted_by: What ended the reconciliation early: a time-out, or a closed client; else None.
    """

    trigger: SentTrigger
    cause: BackupifyError
    reason: str = ""
    seen: tuple[Backup, ...] = ()
    interrupted_by: BackupifyError | None = None

    @property
    def instance_id(self) -> int | str:
        """The instance."""
        return self.trigger.instance_id

    @property
    def sent_at(self) -> datetime:
        """When the request was sent, UTC, by this machine's clock."""
        return self.trigger.sent_at

    def __str__(self) -> str:
        return f"instance {printable(self.instance_id)}: {self.detail}"

    @property
    def detail(self) -> str:
        """The message without the instance."""
        sent_at = f"{self.sent_at:%Y-%m-%dT%H:%M:%SZ}"
        text = f"the backup triggered at {sent_at} may or may not have started: {self.cause}"
        text += f"; not found out: {self.reason}" if self.reason else ""
        seen = ", ".join(f"backup {printable(backup.id)}" for backup in self.seen)
        return text + (f" (seen: {seen})" if seen else "")


@attrs.define(slots=False, eq=False)
class DuplicateInstance(BackupifyError):
    """An instance came twice in one sweep of triggers; the second was not sent.

    Attributes:
        instance_id: The instance.
    """

    instance_id: int | str

    def __str__(self) -> str:
        named = printable(self.instance_id)
        return f"instance {named} came before in this sweep: no second backup was triggered"


class JournalError(BackupifyError):
    """The journal cannot be used, or no longer be written; what was not written down was not sent."""


@attrs.define(slots=False, eq=False)
class WaitTimeout(BackupifyError):
    """A backup was not over when its wait ran out of time. It goes on: wait again, or look at it later.

    Attributes:
        instance_id: The instance.
        backup_id: The backup.
        timeout: Seconds that it was waited for.
        backup: The backup as it was last seen; None where it never was.
        cause: Why the last look at it failed; None where it did not.
    """

    instance_id: int | str
    backup_id: int | str
    timeout: float
    backup: Backup | None = None
    cause: BackupifyError | None = None

    def __str__(self) -> str:
        return f"instance {printable(self.instance_id)}: backup {printable(self.backup_id)} {self.how_far}"

    @property
    def how_far(self) -> str:
        """How far the backup was, in words."""
        seen = (
            "never seen" if self.backup is None else f"last seen {printable(self.backup.status or 'untold')}"
        )
        failed = "" if self.cause is None else f"; the last look failed: {self.cause}"
        return f"was not over after {self.timeout:g} s ({seen}){failed}"


@attrs.define(slots=False, eq=False)
class WaitFailed(BackupifyError):
    """A sweep triggered a backup, and waits for its end no longer: do not trigger it again.

    Attributes:
        instance_id: The instance.
        result: What became of the trigger, which is done.
        cause: What ended the wait; None where the sweep was left.
    """

    instance_id: int | str
    result: TriggerResult
    cause: BackupifyError | None = None

    def __str__(self) -> str:
        return f"instance {printable(self.instance_id)}: {self.detail}"

    @property
    def detail(self) -> str:
        """The message without the instance."""
        why = f": {self.cause}" if self.cause else ""
        end = self.cause.how_far if isinstance(self.cause, WaitTimeout) else f"is waited for no longer{why}"
        named = "its backup" if self.result.backup is None else f"backup {printable(self.result.backup.id)}"
        kind = self.result.kind.value.replace("_", " ")
        return f"{named} ({kind}) {end}"


@attrs.define(slots=False, eq=False)
class FanOutAborted(BackupifyError):
    """A fan-out stopped before its keys ended; every key that was begun has its outcome.

    Attributes:
        reason: Why it stopped.
        succeeded: How many keys succeeded.
        failed: How many failed.
        values: What was done until then, by key; empty where the outcomes were streamed.
        errors: What failed until then, by key; empty where the outcomes were streamed.
    """

    reason: str
    succeeded: int
    failed: int
    values: Mapping[Any, object] = attrs.field(factory=dict, repr=False)
    errors: Mapping[Any, BaseException] = attrs.field(factory=dict, repr=False)

    def __str__(self) -> str:
        return f"stopped early: {self.reason} ({self.succeeded} succeeded, {self.failed} failed until then)"


def _because(gave_up: str | None) -> str:
    return f"; gave up: {gave_up}" if gave_up else ""


for _error in [one for one in vars().values() if isinstance(one, type) and issubclass(one, Exception)]:
    _error.__module__ = "backupify_async"  # where users import it from
