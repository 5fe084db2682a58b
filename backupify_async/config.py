"""The settings: frozen, checked when they are made, and never more than was asked for."""

import os
import ssl
from collections.abc import Mapping
from typing import TypedDict, Unpack

import attrs
from yarl import URL

from backupify_async._addresses import DEFAULT_BASE_URL, check_proxy, parse_base_url
from backupify_async._checks import count, count_or_zero, is_a, not_negative, positive_or_none
from backupify_async.credentials import ClientCredentials, StaticToken, TokenSource, read_credentials
from backupify_async.errors import ConfigurationError

_BASE_URL = "BACKUPIFY_BASE_URL"


@attrs.frozen
class RateLimit:
    """How fast the client may send, over all its calls.

    Attributes:
        per_second: Calls a second at most, a ceiling that is never passed; None lets the server alone set
            the limit.
        burst: How many calls may leave at once after a time of rest, below that ceiling.
        adaptive: Whether to find the server's own limit, from its headers, its Retry-After and its refusals,
            and to stay just below it. Otherwise the client keeps to its ceiling, and pauses everybody after
            a 429.

    Raises:
        ValueError: One of them is 0, negative or no number.
    """

    per_second: float | None = attrs.field(default=None, validator=positive_or_none)
    burst: int = attrs.field(default=10, validator=count)
    adaptive: bool = True


@attrs.frozen
class RetryPolicy:
    """What a failed call may cost before its error is raised.

    Attributes:
        attempts: How often one call may be sent; refusals for now, as `Throttled` says, and the
            replay after a renewed token do not count.
        base: Seconds; the n-th back-off is drawn from 0 to base x 2^(n-1) ("full jitter").
        cap: Seconds that no back-off, and no pause after a 429 without Retry-After, exceeds.
        max_retry_after: Seconds; a Retry-After above it is raised at once instead of waited for.
        max_throttled: Seconds for which one call may go on being refused for now.
        budget: Tokens that all retries of the client share: a retry costs 5, one after a time-out
            10; success earns some back. A server that fails everything gets no storm of retries.
        max_outage: Seconds for which all calls wait while the server is down: while it answers nobody, or
            only with 502, 503 or 504, and did answer before. One call at a time asks whether it is back. What
            fails so costs neither attempts nor budget. Then calls fail unsent. 0 waits for no outage.

    Raises:
        ValueError: A number makes no sense; the message names it.
    """

    attempts: int = attrs.field(default=4, validator=count)
    base: float = attrs.field(default=0.5, validator=not_negative)
    cap: float = attrs.field(default=8.0, validator=not_negative)
    max_retry_after: float = attrs.field(default=120.0, validator=not_negative)
    max_throttled: float = attrs.field(default=900.0, validator=not_negative)
    budget: int = attrs.field(default=500, validator=count_or_zero)
    max_outage: float = attrs.field(default=300.0, validator=not_negative)


@attrs.frozen
class Timeouts:
    """How long a call may take, in seconds; None sets no limit.

    Attributes:
        connect: To resolve the name, connect and shake hands.
        read: Between two pieces of the answer.
        attempt: One sending, from the moment it may leave to the answer's last byte; and of credentials that
            are an object of yours, giving one token.
        total: One call, over all its attempts and all the waits between and before them; of a trigger also
            over the looks for one whose answer was lost.

    Raises:
        ValueError: A time-out is 0, negative or no number.
    """

    connect: float | None = attrs.field(default=10.0, validator=positive_or_none)
    read: float | None = attrs.field(default=30.0, validator=positive_or_none)
    attempt: float | None = attrs.field(default=60.0, validator=positive_or_none)
    total: float | None = attrs.field(default=None, validator=positive_or_none)


@attrs.frozen
class Reconciliation:
    """How a trigger whose answer was lost is looked for, before it is sent again or given up.

    Attributes:
        settling: Seconds after the loss in which the server may still act, for which nothing is sent again.
            A proxy holds a request for up to its own time-out before a server that hangs takes it, and 30 s
            is the usual one; a list that shows new backups late must catch up within it too.
        clock_tolerance: Seconds by which the clock that dates backups may be off from the server's `Date`,
            which a proxy may have added, or without one from ours. A backup that was created no more than
            that outside the time of sending may be the trigger's: above a baseline, or active, it is taken
            for it, and else the trigger is ambiguous.
        patience: Seconds after settling for which looks that fail, or contradict each other, are repeated.

    Raises:
        ValueError: A number is negative or none.
    """

    settling: float = attrs.field(default=30.0, validator=not_negative)
    clock_tolerance: float = attrs.field(default=300.0, validator=not_negative)
    patience: float = attrs.field(default=120.0, validator=not_negative)


def _proxy(_instance: object, _attribute: object, value: str) -> None:
    check_proxy(value)


def _tls(_instance: object, _attribute: object, value: ssl.SSLContext | None) -> None:
    # aiohttp takes False for "trust anybody", as others do with verify=False: a token would go to a stranger.
    if value is not None and not isinstance(value, ssl.SSLContext):
        raise ConfigurationError(
            "tls: must be an ssl.SSLContext, or None for the system's certificates; a context that trusts "
            "your own is ssl.create_default_context(cafile=...)"
        )
    if value is not None and value.protocol is ssl.PROTOCOL_TLS_SERVER:
        raise ConfigurationError("tls: is a server's context; ssl.create_default_context() makes a client's")


class SettingsOptions(TypedDict, total=False):
    """The settings beside the credentials, as keyword arguments; `Settings` says what each does."""

    base_url: str
    rate_limit: RateLimit
    retry: RetryPolicy
    timeouts: Timeouts
    reconciliation: Reconciliation
    max_concurrency: int
    max_body_bytes: int
    proxy: str | None
    trust_env: bool
    tls: ssl.SSLContext | None
    allow_insecure: bool


@attrs.frozen(kw_only=True)
class Settings:
    """All that a client is told when it is made.

    Attributes:
        credentials: `ClientCredentials`, `StaticToken`, or any object with `async def token() -> Token`.
        base_url: The API's origin, perhaps with a path prefix.
        rate_limit: How fast the client may send.
        retry: What a failed call may cost before its error is raised.
        timeouts: How long a call may take.
        reconciliation: How a trigger whose answer was lost is looked for.
        max_concurrency: How many requests may be in flight at once, over all fleets of the client.
        max_body_bytes: The largest answer that is read, in bytes after decompression.
        proxy: URL of an HTTP proxy for all requests; it may hold a user and a password.
        trust_env: Whether to take a proxy from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.
            A loopback host is never reached through one, and netrc is never read.
        tls: The TLS context, where the system's certificates are not what is wanted.
        allow_insecure: Whether http:// is allowed to hosts other than a loopback one.

    Raises:
        ConfigurationError: Credentials, base URL, proxy or TLS context cannot work; the message says which
            and why.
        ValueError: A number makes no sense; the message names it.
    """

    credentials: ClientCredentials | TokenSource = attrs.field(repr=lambda value: type(value).__name__)
    base_url: str = DEFAULT_BASE_URL
    rate_limit: RateLimit = attrs.field(factory=RateLimit, validator=is_a(RateLimit))
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, validator=is_a(RetryPolicy))
    timeouts: Timeouts = attrs.field(factory=Timeouts, validator=is_a(Timeouts))
    reconciliation: Reconciliation = attrs.field(factory=Reconciliation, validator=is_a(Reconciliation))
    max_concurrency: int = attrs.field(default=64, validator=count)
    max_body_bytes: int = attrs.field(default=64 * 2**20, validator=count)
    proxy: str | None = attrs.field(default=None, repr=False, validator=attrs.validators.optional(_proxy))
    trust_env: bool = False
    tls: ssl.SSLContext | None = attrs.field(default=None, validator=_tls)
    allow_insecure: bool = False

    @credentials.validator
    def _knows_tokens(self, _attribute: object, value: object) -> None:
        if not isinstance(value, ClientCredentials | TokenSource):
            raise ConfigurationError(
                "credentials: must be ClientCredentials, StaticToken, or an object with `async def token()`"
            )

    def __attrs_post_init__(self) -> None:
        parse_base_url(self.base_url, allow_insecure=self.allow_insecure)

    @property
    def url(self) -> URL:
        """The base URL, read."""
        return parse_base_url(self.base_url, allow_insecure=self.allow_insecure)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, **options: Unpack[SettingsOptions]
    ) -> "Settings":
        """Read the settings from the environment.

        `BACKUPIFY_TOKEN`; or `BACKUPIFY_CLIENT_ID` with `BACKUPIFY_CLIENT_SECRET` or
        `BACKUPIFY_CLIENT_SECRET_FILE` (read anew for each token); `BACKUPIFY_BASE_URL` where it is not
        the default; and a proxy from the usual variables.

        Args:
            environ: Another mapping than the process environment.
            **options: Settings that stand above the environment.

        Raises:
            ConfigurationError: Credentials are missing, doubled or empty, or the base URL cannot work;
                the message names the variable.
        """
        credentials, options = read_environment(environ, options)
        return cls(credentials=credentials, **options)


def read_environment(
    environ: Mapping[str, str] | None, options: SettingsOptions
) -> tuple[ClientCredentials | StaticToken, SettingsOptions]:
    """Credentials from the environment, and the options with what it adds to them.

    Raises:
        ConfigurationError: As `Settings.from_env` says.
    """
    # Not a default argument: help() and tooltips would show all that is in it.
    environ = os.environ if environ is None else environ
    found: SettingsOptions = {"trust_env": True}
    if "base_url" not in options and environ.get(_BASE_URL):
        insecure = options.get("allow_insecure", False)
        parse_base_url(environ[_BASE_URL], allow_insecure=insecure, name=_BASE_URL)
        found["base_url"] = environ[_BASE_URL]
    return read_credentials(environ), {**found, **options}
