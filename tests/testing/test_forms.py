"""Form parameters with brackets, as Rails reads them."""

from typing import Any

import pytest

from backupify_async.testing._forms import nested


class TestNested:
    @pytest.mark.parametrize(
        ("form", "parameters"),
        [
            ([], {}),
            ([("a", "1")], {"a": "1"}),
            ([("a[b]", "1"), ("a[c]", "2")], {"a": {"b": "1", "c": "2"}}),
            ([("a[b][c]", "1")], {"a": {"b": {"c": "1"}}}),
            ([("a[]", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
            ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": ["1", "2"]}}),
        ],
    )
    def test_brackets_become_mappings_and_lists(self, form: Any, parameters: Any) -> None:
        assert nested(form) == parameters

    def test_the_last_of_equal_names_counts(self) -> None:
        assert nested([("a[b]", "1"), ("a[b]", "2")]) == {"a": {"b": "2"}}

    @pytest.mark.parametrize("name", ["a[", "a]", "[a]", "a[b", "a[b]c", "a[[b]]", ""])
    def test_a_name_with_other_brackets_is_kept_as_it_is(self, name: str) -> None:
        assert nested([(name, "1")]) == {name: "1"}

    @pytest.mark.parametrize(
        "form",
        [
            [("a", "1"), ("a[b]", "2")],
            [("a", "1"), ("a[]", "2")],
            [("a[b]", "1"), ("a[]", "2")],
            [("a[]", "1"), ("a[b]", "2")],
        ],
    )
    def test_a_name_with_two_types_is_refused(self, form: Any) -> None:
        assert nested(form) is None

    def test_depth_is_limited(self) -> None:
        assert nested([("a" + "[b]" * 31, "1")]) is not None
        assert nested([("a" + "[b]" * 100_000, "1")]) is None
