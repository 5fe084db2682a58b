"""The settings of a client: frozen, and validated on construction."""

import os
import ssl
from collections.abc import Mapping
from typing import TypedDict, Unpack

import attrs
from yarl import URL

from backupify_async._addresses import DEFAULT_BASE_URL, check_proxy, parse_base_url
from backupify_async._checks import (
    boolean,
    is_a,
    not_negative,
    not_negative_integer,
    positive_integer,
    positive_or_none,
)
from backupify_async._headers import check_headers, check_user_agent
from backupify_async.credentials import ClientCredentials, StaticToken, TokenSource, read_credentials
from backupify_async.errors import ConfigurationError

__all__ = ["RateLimit", "Reconciliation", "RetryPolicy", "Settings", "SettingsOptions", "Timeouts"]

_BASE_URL = "BACKUPIFY_BASE_URL"


@attrs.frozen
class RateLimit:
    """The send rate of the client, over all its calls.

    Attributes:
        per_second: The maximum in calls per second, which is never exceeded; None for no limit but the
            server's. Clients that share send at the lowest of theirs, all together.
        burst: The number of calls that can be sent at once after an idle time, within that maximum.
        adaptive: Whether to find the server's limit from its headers, its Retry-After and its refusals, and
            to stay just below it. Otherwise the client keeps to its maximum, and pauses all calls after a
            429.

    Raises:
        ValueError: A value is 0, negative or not a number.
        ConfigurationError: `adaptive` is neither True nor False.
    """

    per_second: float | None = attrs.field(default=None, validator=positive_or_none)
    burst: int = attrs.field(default=10, validator=positive_integer)
    adaptive: bool = attrs.field(default=True, validator=boolean)


@attrs.frozen
class RetryPolicy:
    """The limits on retries of a failed call before its error is raised.

    Attributes:
        attempts: The maximum number of attempts of a call. Refusals by the rate limit (see `Throttled`), and
            the repetition after a token refresh, do not count.
        base: In seconds: the n-th back-off is drawn from 0 to base x 2^(n-1) ("full jitter").
        cap: In seconds: the maximum of a back-off, and of a pause after a 429 without Retry-After.
        max_retry_after: In seconds: a longer Retry-After is raised at once, and not waited for.
        max_throttled: In seconds: how long one call can keep being refused by the rate limit.
        budget: Tokens that all retries of the client share. A retry costs 5, one after a time-out 10; a
            success returns some. It prevents a storm of retries to a server that fails every call.
        max_outage: In seconds: how long all calls wait while the server is down, which means that it answered
            before, and now answers no call, or only with 502, 503 or 504. One call at a time probes it. Its
            failures cost neither attempts nor budget. After that time calls fail without being sent. With 0,
            no call waits for an outage.

    Raises:
        ValueError: A number is invalid; the message names it.
    """

    attempts: int = attrs.field(default=4, validator=positive_integer)
    base: float = attrs.field(default=0.5, validator=not_negative)
    cap: float = attrs.field(default=8.0, validator=not_negative)
    max_retry_after: float = attrs.field(default=120.0, validator=not_negative)
    max_throttled: float = attrs.field(default=900.0, validator=not_negative)
    budget: int = attrs.field(default=500, validator=not_negative_integer)
    max_outage: float = attrs.field(default=300.0, validator=not_negative)


@attrs.frozen
class Timeouts:
    """The time-outs of a call, in seconds; None for no limit.

    Attributes:
        connect: Name resolution, connection and TLS handshake.
        read: Between two chunks of the response.
        attempt: One attempt, from the moment when it can be sent to the last byte of the response. Also one
            call of `token()` of your own credentials object.
        total: One call, over all attempts and all waits before and between them. For a trigger,
            reconciliation is included.

    Raises:
        ValueError: A time-out is 0, negative or not a number.
    """

    connect: float | None = attrs.field(default=10.0, validator=positive_or_none)
    read: float | None = attrs.field(default=30.0, validator=positive_or_none)
    attempt: float | None = attrs.field(default=60.0, validator=positive_or_none)
    total: float | None = attrs.field(default=None, validator=positive_or_none)


@attrs.frozen
class Reconciliation:
    """How to reconcile a trigger whose response was lost, before it is retried or given up.

    Attributes:
        settling: In seconds after the loss: how long the server can still act on the request. It is not sent
            again before that. A proxy holds a request for up to its own time-out (usually 30 s) before a
            server that hangs gets it. A list that shows new backups late must also catch up within this time.
        clock_tolerance: In seconds: the maximum difference between the clock that dates backups and the
            server's `Date`, which a proxy may have added; without a `Date`, this machine's clock. A backup
            that was created at most that long outside of the time of sending may be the trigger's. Above a
            baseline, or active, it is taken for it; otherwise the trigger is ambiguous.
        patience: In seconds after settling: how long checks that fail or contradict each other are repeated.

    Raises:
        ValueError: A number is negative or not a number.
    """

    settling: float = attrs.field(default=30.0, validator=not_negative)
    clock_tolerance: float = attrs.field(default=300.0, validator=not_negative)
    patience: float = attrs.field(default=120.0, validator=not_negative)


def _proxy(_instance: object, _attribute: object, value: str) -> None:
    check_proxy(value)


def _tls(_instance: object, _attribute: object, value: ssl.SSLContext | None) -> None:
    # aiohttp takes False for "no verification", as others take verify=False: a token could go to a stranger.
    if value is not None and not isinstance(value, ssl.SSLContext):
        raise ConfigurationError(
            "tls: must be an ssl.SSLContext, or None for the system's certificates; a context that trusts "
            "your own is ssl.create_default_context(cafile=...)"
        )
    if value is not None and value.protocol is ssl.PROTOCOL_TLS_SERVER:
        raise ConfigurationError("tls: is a server's context; ssl.create_default_context() makes a client's")


def _user_agent(_instance: object, _attribute: object, value: str | None) -> None:
    check_user_agent(value)


class SettingsOptions(TypedDict, total=False):
    """The settings except the credentials, as keyword arguments; see `Settings`."""

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
    headers: Mapping[str, str]
    user_agent: str | None


@attrs.frozen(kw_only=True)
class Settings:
    """The settings of a client.

    Attributes:
        credentials: `ClientCredentials`, `StaticToken`, or any object with `async def token() -> Token`.
        base_url: The origin of the API, with an optional path prefix.
        rate_limit: The send rate.
        retry: The limits on retries of a failed call.
        timeouts: The time-outs of a call.
        reconciliation: How to reconcile a trigger whose response was lost.
        max_concurrency: The maximum number of requests in flight, over all fleets of the client.
        max_body_bytes: The maximum size of a response body, in bytes after decompression.
        proxy: The URL of an HTTP proxy for all requests, with an optional user and password.
        trust_env: Whether to take a proxy from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY. Requests to a
            loopback host never use one, and netrc is never read.
        tls: The TLS context; None for the system's certificates.
        allow_insecure: Whether http:// is allowed for other hosts than a loopback one.
        headers: Headers for every request, token requests included. They go to the API's own origin only.
            Their values count as secrets: no repr, log or error shows them.
        user_agent: A suffix for the User-Agent, as in `myapp/1.2`.

    Raises:
        ConfigurationError: The credentials, base URL, proxy, TLS context or headers cannot work, or a value
            has another type; the message says which and why.
        ValueError: A number is invalid; the message names it.
    """

    credentials: ClientCredentials | TokenSource = attrs.field(repr=lambda value: type(value).__name__)
    base_url: str = DEFAULT_BASE_URL
    rate_limit: RateLimit = attrs.field(factory=RateLimit, validator=is_a(RateLimit))
    retry: RetryPolicy = attrs.field(factory=RetryPolicy, validator=is_a(RetryPolicy))
    timeouts: Timeouts = attrs.field(factory=Timeouts, validator=is_a(Timeouts))
    reconciliation: Reconciliation = attrs.field(factory=Reconciliation, validator=is_a(Reconciliation))
    max_concurrency: int = attrs.field(default=64, validator=positive_integer)
    max_body_bytes: int = attrs.field(default=64 * 2**20, validator=positive_integer)
    proxy: str | None = attrs.field(default=None, repr=False, validator=attrs.validators.optional(_proxy))
    trust_env: bool = attrs.field(default=False, validator=boolean)
    tls: ssl.SSLContext | None = attrs.field(default=None, validator=_tls)
    allow_insecure: bool = attrs.field(default=False, validator=boolean)
    headers: Mapping[str, str] = attrs.field(
        factory=dict, converter=check_headers, repr=lambda headers: f"{sorted(headers)}", hash=False
    )
    user_agent: str | None = attrs.field(default=None, validator=_user_agent)

    @credentials.validator
    def _gives_tokens(self, _attribute: object, value: object) -> None:
        if not isinstance(value, ClientCredentials | TokenSource):
            raise ConfigurationError(
                "credentials: must be ClientCredentials, StaticToken, or an object with `async def token()`"
            )

    def __attrs_post_init__(self) -> None:
        parse_base_url(self.base_url, allow_insecure=self.allow_insecure)

    @property
    def url(self) -> URL:
        """The parsed base URL."""
        return parse_base_url(self.base_url, allow_insecure=self.allow_insecure)

    @classmethod
    def from_env(
        cls, environ: Mapping[str, str] | None = None, **options: Unpack[SettingsOptions]
    ) -> "Settings":
        """Read the settings from the environment.

        `BACKUPIFY_TOKEN`; or `BACKUPIFY_CLIENT_ID` with `BACKUPIFY_CLIENT_SECRET` or
        `BACKUPIFY_CLIENT_SECRET_FILE` (read again for each token); `BACKUPIFY_BASE_URL`, which is optional;
        and a proxy from the usual variables.

        Args:
            environ: A mapping to read instead of the process environment.
            **options: Settings that take precedence over the environment.

        Raises:
            ConfigurationError: Credentials are missing, ambiguous or empty, or the base URL cannot work; the
                message names the variable.
        """
        credentials, options = read_environment(environ, options)
        return cls(credentials=credentials, **options)


def read_environment(
    environ: Mapping[str, str] | None, options: SettingsOptions
) -> tuple[ClientCredentials | StaticToken, SettingsOptions]:
    """The credentials in the environment, and the options with the settings from it.

    Raises:
        ConfigurationError: See `Settings.from_env`.
    """
    # Not a default argument: help() and tooltips would show its contents.
    environ = os.environ if environ is None else environ
    found: SettingsOptions = {"trust_env": True}
    if "base_url" not in options and environ.get(_BASE_URL):
        insecure = options.get("allow_insecure", False)
        parse_base_url(environ[_BASE_URL], allow_insecure=insecure, name=_BASE_URL)
        found["base_url"] = environ[_BASE_URL]
    return read_credentials(environ), {**found, **options}
