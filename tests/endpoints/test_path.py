"""Paths that a caller wrote: ids are filled in, another origin is refused, and triggers are recognized."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._endpoints.path import fill_path, is_trigger


def test_names_in_braces_are_filled_with_quoted_ids() -> None:
    path = fill_path("/v1/backup_instances/{instance}/variables/{key}", {"instance": 42, "key": "a/b ?é"})
    assert path == "/v1/backup_instances/42/variables/a%2Fb%20%3F%C3%A9"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1/ping",
        "//evil.example/v1",
        "https://evil.example/v1",
        "http:/v1",
        "/v1/../oauth",
        "/v1/./ping",
        "/v1/%2e%2E/ping",
        "/v1/..%2fping",
        "/v1\\..\\ping",
        "/v1%5c..%5cping",
        "/v1/ping?a=b",
        "/v1/ping#a",
        "/v1/ping\r\nHost: evil",
        "/v1/ping%0d%0a",
        "/v1/a b",
        "/v1/\x00",
        "/v1/\u2028",
        "/v1/ü",
        "/v1/{",
        "/v1/}",
        "/v1/{}",
        "/v1/{0}",
        "/v1/{a.b}",
        "/v1/{a[0]}",
        "/v1/{a!r}",
        "/v1/{a:>9}",
    ],
)
def test_anything_but_a_plain_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|brace"):
        fill_path(path, {"a": 1})


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ({}, TypeError, "the path needs an id: customer_id"),
        ({"customer_id": 1, "id": 2}, TypeError, "has no such id: id"),
        ({"customer_id": None}, TypeError, "customer_id must be an int or a str"),
        ({"customer_id": True}, TypeError, "customer_id must be an int or a str"),
        ({"customer_id": ".."}, ValueError, "customer_id must not be"),
        ({"customer_id": ""}, ValueError, "customer_id must not be"),
    ],
)
def test_an_id_that_does_not_fit_is_refused(
    ids: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        fill_path("/v1/customers/{customer_id}", ids)


def test_a_path_that_is_not_text_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="the path must be a str, not int"):
        fill_path(42, {})  # type: ignore[arg-type]


@given(st.text(min_size=1))
def test_an_id_never_leaves_its_segment(text: str) -> None:
    try:
        path = fill_path("/v1/customers/{customer_id}/end", {"customer_id": text})
    except ValueError:
        return
    assert path.count("/") == 4
    assert path.isascii()


@pytest.mark.parametrize(
    "path",
    [
        "/v1/backup_instances/42/backups",
        "/v1/backup_instances/42/backups/",
        "/v1/backup_instances/42/backups.json",
        "/v1/backup_instances/42/%62ackups",
        "/v1//backup_instances/42//backups",
        "/V1/Backup_Instances/42/Backups",
        "/v1/backup_instances/a%2Fb/backups",
        "/v1/backup_instances/42/%2562ackups",
        "/v1/backup_instances/42/backups;x=1",
        "/v1/backup_instances/42/backups%3fa",
    ],
)
def test_a_post_to_the_backups_of_an_instance_is_a_trigger_in_any_spelling(path: str) -> None:
    assert is_trigger("POST", path)
    assert not is_trigger("GET", path)


@pytest.mark.parametrize(
    "path", ["/v1/backup_instances/42/backups/7", "/v1/backup_instances/42/exports", "/v1/backup_instances"]
)
def test_no_other_post_is_a_trigger(path: str) -> None:
    assert not is_trigger("POST", path)
