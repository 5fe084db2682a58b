"""Settings are checked when they are created, and each error names its option."""

import math
import ssl
from collections.abc import Callable

import attrs
import pytest

from backupify_async import (
    ClientCredentials,
    ConfigurationError,
    RateLimit,
    Reconciliation,
    RetryPolicy,
    Timeouts,
)
from backupify_async._checks import check_count
from tests.support.settings import TOKEN, settings

NOT_COUNTS = [0, -1, 1.5, math.nan, True, "3", None]
NOT_NUMBERS = [-1, math.nan, math.inf, -math.inf, True, "3"]


class TestNumbers:
    @pytest.mark.parametrize(
        ("kind", "name", "value"),
        [
            *((RateLimit, "burst", value) for value in NOT_COUNTS),
            *((RateLimit, "per_second", value) for value in [0, *NOT_NUMBERS]),
            *((RetryPolicy, "attempts", value) for value in NOT_COUNTS),
            *((RetryPolicy, "budget", value) for value in [-1, 1.5, math.nan, True, "3", None]),
            *(
                (RetryPolicy, name, value)
                for name in ("base", "cap", "max_retry_after", "max_throttled")
                for value in [None, *NOT_NUMBERS]
            ),
            *(
                (Timeouts, name, value)
                for name in ("connect", "read", "attempt", "total")
                for value in [0, *NOT_NUMBERS]
            ),
            *(
                (Reconciliation, name, value)
                for name in ("settling", "clock_tolerance", "patience")
                for value in [None, *NOT_NUMBERS]
            ),
            *(
                (settings, name, value)
                for name in ("max_concurrency", "max_body_bytes")
                for value in NOT_COUNTS
            ),
        ],
    )
    def test_an_invalid_number_is_named(self, kind: Callable[..., object], name: str, value: object) -> None:
        with pytest.raises(ValueError, match=rf"^{name} must be .*, not ") as caught:
            kind(**{name: value})
        assert str(caught.value).endswith(repr(value))

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            (RateLimit, {"per_second": None, "burst": 1}),
            (RateLimit, {"per_second": 0.001, "burst": 10**6}),
            (
                RetryPolicy,
                {"attempts": 1, "base": 0, "cap": 0, "max_retry_after": 0, "max_throttled": 0, "budget": 0},
            ),
            (Timeouts, {"connect": None, "read": None, "attempt": None, "total": None}),
            (Timeouts, {"connect": 0.1, "read": 1, "attempt": 1e9, "total": 0.5}),
            (Reconciliation, {"settling": 0, "clock_tolerance": 0, "patience": 0}),
            (settings, {"max_concurrency": 1, "max_body_bytes": 1}),
        ],
    )
    def test_a_number_at_a_limit_is_accepted(
        self, kind: Callable[..., object], options: dict[str, object]
    ) -> None:
        assert {name: getattr(kind(**options), name) for name in options} == options

    def test_a_minimum_can_be_set(self) -> None:
        check_count("limit", 0, minimum=0)
        with pytest.raises(ValueError, match=r"^limit must be an integer of at least 2, not 1$"):
            check_count("limit", 1, minimum=2)

    def test_the_defaults_are_the_documented_ones(self) -> None:
        assert RateLimit() == RateLimit(None, 10, adaptive=True)
        assert RetryPolicy() == RetryPolicy(4, 0.5, 8.0, 120.0, 900.0, 500)
        assert Timeouts() == Timeouts(10, 30, 60, None)
        assert settings().reconciliation == Reconciliation() == Reconciliation(30, 300, 120)
        assert (settings().max_concurrency, settings().max_body_bytes) == (64, 64 * 2**20)

    @pytest.mark.parametrize("value", [RateLimit(adaptive=False), RetryPolicy(), Timeouts(), settings()])
    def test_settings_are_frozen(self, value: attrs.AttrsInstance) -> None:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, attrs.fields(type(value))[0].name, 1)


@pytest.mark.parametrize("rate", [10**400, -(10**400)])
def test_a_rate_above_all_floats_is_named(rate: int) -> None:
    with pytest.raises(ValueError, match="per_second"):
        RateLimit(per_second=rate)


class TestCredentials:
    def test_any_object_with_a_token_method_is_accepted(self) -> None:
        class Vault:
            async def token(self) -> object: ...

        assert repr(settings(credentials=Vault())).startswith("Settings(credentials=Vault, ")

    @pytest.mark.parametrize("credentials", [None, "s3cret", ("demo", "s3cret"), {"token": "s3cret"}])
    def test_any_other_object_is_refused_and_not_shown(self, credentials: object) -> None:
        with pytest.raises(ConfigurationError, match=r"^credentials: must be ") as caught:
            settings(credentials=credentials)
        assert "s3cret" not in str(caught.value)

    @pytest.mark.parametrize("credentials", [TOKEN, ClientCredentials("demo", "s3cret")])
    def test_no_secret_is_shown(self, credentials: object) -> None:
        assert "s3cret" not in repr(
            settings(credentials=credentials, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        )


@pytest.mark.parametrize("blank", ["  ", "\t", "\n"])
def test_a_secret_of_white_space_is_refused(blank: str) -> None:
    with pytest.raises(ConfigurationError, match="client secret"):
        ClientCredentials("a", blank)
