"""What a user can name to share by, and under which name."""

import builtins
import re
import socket
from pathlib import Path

import pytest

from backupify_async import ConfigurationError
from backupify_async._shared import locations
from backupify_async._shared.file_store import FileStore
from backupify_async._shared.locations import make_store, read_location, store_key
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

    @pytest.mark.parametrize(
        "location",
        ["cache:6379", "redis:cache", "'redis://:s3cret@cache'", " redis://:s3cret@cache", Path("redis://h")],
    )
    def test_is_no_host_or_misspelt_url_which_would_become_a_directory(self, location: str | Path) -> None:
        with pytest.raises(ConfigurationError, match="write redis://HOST:PORT for a Redis server") as caught:
            make_store(location, "k")
        assert "s3cret" not in str(caught.value)

    def test_is_a_directory_with_a_colon_in_its_name(self) -> None:
        assert isinstance(make_store("./cache:6379", "k"), FileStore)
        assert isinstance(make_store("/srv/a:b", "k"), FileStore)

    def test_is_not_empty(self) -> None:
        with pytest.raises(ConfigurationError, match="is empty"):
            make_store("", "k")

    def test_is_no_relative_path_where_the_working_directory_was_removed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        with pytest.raises(ConfigurationError, match="shared leads to no directory"):
            make_store("shared", "k")

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

    def test_can_be_of_an_account_that_is_no_unicode(self) -> None:  # from an environment of other bytes
        assert store_key(API, "\udcff", "account") != store_key(API, "\udcfe", "account")

    def test_is_short_and_plain(self) -> None:
        key = store_key(API, "ops", "account")
        assert len(key) == 24
        assert key.isalnum()

    def test_is_another_for_each_account_and_api(self) -> None:
        keys = {store_key(origin, account, "account") for origin in (API, f"{API}:1") for account in "ab"}
        assert len(keys) == 4

    def test_is_that_of_the_machine_where_the_server_limits_addresses(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = []
        for boot in ("one", "two"):
            monkeypatch.setattr(locations, "boot_id", lambda boot=boot: boot)
            keys += [store_key(API, "ops", "address"), store_key(API, "ops", "account")]
        assert len({*keys}) == 3

    def test_is_by_the_name_of_a_machine_without_a_boot_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> str:
            raise ConfigurationError("no boot id")

        monkeypatch.setattr(locations, "boot_id", fail)
        keys = []
        for name in ("one", "two", "one"):
            monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
            keys.append(store_key(API, "ops", "address"))
        assert (keys[0] == keys[2], keys[0] == keys[1]) == (True, False)


class TestWhatIsShown:
    @pytest.mark.parametrize(
        ("location", "shown"),
        [
            ("/run/backupify", "/run/backupify"),
            ("rediss://ops:s3cret@cache.example:6380/2?ssl_ca_certs=x", "rediss://cache.example:6380/2"),
            ("redis://:s3cret@[::1]", "redis://[::1]"),
            ("redis://cache?password=s3cret", "redis://cache"),
            ("unix://ops:s3cret@/run/redis.sock?db=1", "unix:///run/redis.sock"),
        ],
    )
    def test_is_no_password(self, location: str, shown: str) -> None:
        assert read_location(location).shown == shown
        assert "s3cret" not in repr(read_location(location))
        assert read_location(location).has_password == ("s3cret" in location)

    @pytest.mark.parametrize("password", ["s3/cret", "s3#cret", "s3?cret", "s3@cret/x", "s3/cr/et"])
    def test_is_no_part_of_a_password_that_ends_the_host(self, password: str) -> None:
        with pytest.raises(ConfigurationError, match="%XX") as caught:
            read_location(f"redis://ops:{password}@cache.example")
        assert not {"s3", "cr", "cret", "et"} & {*re.split(r"\W+", str(caught.value))}
