"""What a user can name to share by, and under which name."""

import builtins
from pathlib import Path

import pytest

from backupify_async import ConfigurationError
from backupify_async._shared import locations
from backupify_async._shared.file_store import FileStore
from backupify_async._shared.locations import make_store, store_key
from backupify_async._shared.redis_store import RedisStore

API = "https://api.example.com"


class TestALocation:
    @pytest.mark.parametrize("location", ["/run/backupify", "shared", "~/x", Path("/run/backupify"), "C:\\x"])
    def test_is_a_directory(self, location: str | Path) -> None:
        assert isinstance(make_store(location, "k"), FileStore)

    @pytest.mark.parametrize(
        "location", ["redis://cache", "rediss://a:b@cache:1/2", "unix:///run/redis.sock"]
    )
    def test_is_the_url_of_a_redis_server(self, location: str) -> None:
        assert isinstance(make_store(location, "k"), RedisStore)

    @pytest.mark.parametrize("location", ["http://cache.example", "memcached://cache.example", "file:///run"])
    def test_is_no_other_url(self, location: str) -> None:
        with pytest.raises(ConfigurationError, match="not the URL of a Redis server"):
            make_store(location, "k")

    def test_is_not_empty(self) -> None:
        with pytest.raises(ConfigurationError, match="is empty"):
            make_store("", "k")

    def test_on_redis_needs_an_extra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        really = builtins.__import__

        def fail(name: str, *arguments: object, **options: object) -> object:
            if name == "backupify_async._shared.redis_store":
                raise ModuleNotFoundError(name="redis")
            return really(name, *arguments, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(builtins, "__import__", fail)
        with pytest.raises(ConfigurationError, match=r"needs redis, .* pip install '\.\[redis\]'"):
            make_store("redis://cache", "k")


class TestTheNameOfWhatIsShared:
    def test_is_the_same_for_the_same_account(self) -> None:
        assert store_key(API, "ops", "account") == store_key(API, "ops", "account")

    def test_is_short_and_plain(self) -> None:
        key = store_key(API, "ops", "account")
        assert len(key) == 24
        assert key.isalnum()

    def test_is_another_for_each_account_and_api(self) -> None:
        keys = {store_key(origin, account, "account") for origin in (API, f"{API}:1") for account in "ab"}
        assert len(keys) == 4

    def test_is_that_of_the_machine_where_the_server_limits_addresses(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        machine_id = tmp_path / "machine-id"
        monkeypatch.setattr(locations, "_MACHINE_ID", machine_id)
        keys = [store_key(API, "ops", "address")]  # by the host's name
        for name in ("one", "two"):
            machine_id.write_text(name)
            keys += [store_key(API, "ops", "address"), store_key(API, "ops", "account")]
        assert len({*keys}) == 4
