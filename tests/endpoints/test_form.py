"""Nested values as a form or a query that Rails reads."""

from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._endpoints.form import Fields, encode


def pairs(fields: Fields) -> list[tuple[str, str]]:
    return parse_qsl(encode(fields), keep_blank_values=True, strict_parsing=True)


def rack(fields: Fields) -> dict[str, Any]:
    """The parameters that Rack reads: nested names, and lists of texts at the innermost level."""
    found: dict[str, Any] = {}
    for name, value in pairs(fields):
        first, *rest = name.split("[")
        keys = [first, *(part.removesuffix("]") for part in rest)]
        target = found
        for key, following in zip(keys, [*keys[1:], None], strict=True):
            if following is None:
                target[key] = value
            elif following == "":
                target.setdefault(key, []).append(value)
                break
            else:
                target = target.setdefault(key, {})
    return found


def test_a_mapping_nests_its_names_in_brackets() -> None:
    assert pairs({"customer": {"name": "Ada", "address": {"city": "Bern"}}}) == [
        ("customer[name]", "Ada"),
        ("customer[address][city]", "Bern"),
    ]


def test_a_list_repeats_its_name_with_empty_brackets() -> None:
    assert pairs({"export_run": {"content_types": ["mail", "files"]}, "ids": (1, 2)}) == [
        ("export_run[content_types][]", "mail"),
        ("export_run[content_types][]", "files"),
        ("ids[]", "1"),
        ("ids[]", "2"),
    ]


def test_a_list_of_mappings_puts_each_name_after_the_empty_brackets() -> None:
    assert pairs({"v": [{"key": "a", "value": 1}, {"key": "b", "value": 2}]}) == [
        ("v[][key]", "a"),
        ("v[][value]", "1"),
        ("v[][key]", "b"),
        ("v[][value]", "2"),
    ]


def test_none_is_omitted_but_an_empty_text_is_not() -> None:
    assert pairs({"a": None, "b": "", "c": {"d": None, "e": ""}}) == [("b", ""), ("c[e]", "")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-1.5, "-1.5"),
        (date(2026, 11, 28), "2026-11-28"),
        (datetime(2026, 11, 28, 7, 30, tzinfo=UTC), "2026-11-28T07:30:00+00:00"),
        ("a b&c=d+é", "a b&c=d+é"),
    ],
)
def test_a_value_is_written_as_rails_reads_it(value: Any, text: str) -> None:
    assert pairs({"name": value}) == [("name", text)]


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"a": {"b": []}}, ValueError, r"a\[b\]: a form cannot hold an empty list"),
        ({"a": {}}, ValueError, "a: a form cannot hold an empty mapping"),
        ({"a": [[1]]}, ValueError, "a: a list in a form holds"),
        ({"a": [None]}, ValueError, "a: a list in a form holds"),
        ({"a": float("nan")}, ValueError, "a: a form cannot hold nan"),
        ({"a": b"bytes"}, TypeError, "a: a form cannot hold a bytes"),
        ({"a": object()}, TypeError, "a: a form cannot hold a object"),
        ({1: "a"}, TypeError, "form: a name must be a str, not int"),
        ({"a": {1: "b"}}, TypeError, "a: a name must be a str, not int"),
        ({"a": "\ud800"}, ValueError, "not a complete Unicode string"),
        ([("a", 1)], TypeError, "form must be a mapping, not list"),
    ],
)
def test_what_a_form_cannot_hold_is_refused(fields: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        encode(fields)


names = st.text(st.characters(codec="utf-8", exclude_characters="[]"), min_size=1, max_size=8)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
forms = st.dictionaries(
    names,
    st.recursive(
        texts | st.lists(texts, min_size=1, max_size=3),
        lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


@given(forms)
def test_rack_reads_back_what_was_encoded(fields: dict[str, Any]) -> None:
    assert rack(fields) == fields
