"""`SharedState`: a value that is checked where it is made, and shows no password."""

import copy
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from backupify_async import ConfigurationError, SharedState
from backupify_async._shared.shared_state import read_shared

PASSWORD = "s3cret"
WITH_PASSWORD = f"rediss://ops:{PASSWORD}@cache.example:6380/2"


class TestASharedState:
    def test_is_a_frozen_value(self) -> None:
        shared = SharedState("/run/backupify", account="ops")
        assert shared == SharedState("/run/backupify", account="ops")
        assert hash(shared) == hash(SharedState("/run/backupify", account="ops"))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            shared.account = "other"  # type: ignore[misc]

    def test_shows_its_location_scope_and_account(self) -> None:
        assert repr(SharedState(Path("/run/x"))) == "SharedState('/run/x', scope='account')"
        assert (
            repr(SharedState("redis://cache", scope="address", account="ops"))
            == "SharedState('redis://cache', scope='address', account='ops')"
        )

    @pytest.mark.parametrize(
        ("arguments", "options", "problem"),
        [
            (("",), {}, "is empty"),
            ((None,), {}, "neither"),
            (("redis://",), {}, "not the URL of a Redis server"),
            (("http://cache.example",), {}, "not the URL of a Redis server"),
            (("/run/x",), {"scope": "machine"}, 'scope: must be "account" or "address"'),
            (("/run/x",), {"account": " "}, "account: must be a name"),
            (("/run/x",), {"account": 42}, "account: must be a name"),
        ],
    )
    def test_is_checked_where_it_is_made(
        self, arguments: tuple[Any, ...], options: dict[str, Any], problem: str
    ) -> None:
        with pytest.raises(ConfigurationError, match=problem):
            SharedState(*arguments, **options)

    def test_names_the_extra_that_a_redis_server_needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)
        for name in [name for name in sys.modules if name.startswith(("redis.", "backupify_async._shared"))]:
            monkeypatch.delitem(sys.modules, name)
        with pytest.raises(ConfigurationError, match=r"needs redis.*pip install '\.\[redis\]'"):
            SharedState("redis://cache.example")

    def test_by_a_directory_is_refused_on_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "win32")
        with pytest.raises(ConfigurationError, match="Windows"):
            SharedState("shared")

    def test_can_be_pickled_without_a_password(self) -> None:
        for shared in (SharedState("/run/x", account="ops"), SharedState("redis://cache.example")):
            assert pickle.loads(pickle.dumps(shared)) == shared
            assert copy.copy(shared) == shared


class TestAPassword:
    def test_is_not_shown(self) -> None:
        assert PASSWORD not in repr(SharedState(WITH_PASSWORD))
        assert PASSWORD not in repr(SharedState(f"redis://cache.example?password={PASSWORD}"))

    @pytest.mark.parametrize("tail", ["/x@cache", "#@cache", "?@cache", "@:x", "@[::1/"])
    def test_is_not_in_an_error(self, tail: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            SharedState(f"redis://ops:{PASSWORD}{tail}")
        assert PASSWORD not in repr(caught.value)

    @pytest.mark.parametrize("function", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_is_not_pickled_or_copied(self, function: Any) -> None:
        with pytest.raises(TypeError, match="holds a password") as caught:
            function(SharedState(WITH_PASSWORD))
        assert PASSWORD not in str(caught.value)


class TestTheEnvironment:
    @pytest.mark.parametrize(
        ("environ", "shared"),
        [
            ({}, None),
            ({"BACKUPIFY_SHARED": ""}, None),
            ({"BACKUPIFY_SHARED_ACCOUNT": "ops"}, None),
            ({"BACKUPIFY_SHARED": "/run/x"}, SharedState("/run/x")),
            ({"BACKUPIFY_SHARED": "/run/x", "BACKUPIFY_SHARED_ACCOUNT": ""}, SharedState("/run/x")),
            (
                {"BACKUPIFY_SHARED": WITH_PASSWORD, "BACKUPIFY_SHARED_ACCOUNT": "ops"},
                SharedState(WITH_PASSWORD, account="ops"),
            ),
        ],
        ids=lambda value: None if isinstance(value, SharedState) else str([*(value or {})]),
    )
    def test_names_the_location_and_the_account(
        self, environ: Mapping[str, str], shared: SharedState | None
    ) -> None:
        assert read_shared(environ) == shared

    def test_that_cannot_be_used_is_named_without_the_password(self) -> None:
        with pytest.raises(ConfigurationError, match="BACKUPIFY_SHARED: ") as caught:
            read_shared({"BACKUPIFY_SHARED": f"https://ops:{PASSWORD}@cache.example"})
        assert PASSWORD not in str(caught.value)
