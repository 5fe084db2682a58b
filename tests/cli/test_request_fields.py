"""Brackets in the names of fields."""

from urllib.parse import parse_qsl

import pytest

from backupify_async._cli.request_fields import Nested, nest, split_field, split_query
from backupify_async._endpoints.form import encode


class TestNest:
    @pytest.mark.parametrize(
        ("query", "nested"),
        [
            ("", {}),
            ("a=1&b=", {"a": "1", "b": ""}),
            ("c[name]=Ada&c[born]=1815", {"c": {"name": "Ada", "born": "1815"}}),
            ("a[b][c]=x", {"a": {"b": {"c": "x"}}}),
            ("a[]=x&a[]=y", {"a": ["x", "y"]}),
            ("a[b][]=x&a[b][]=y", {"a": {"b": ["x", "y"]}}),
            ("a[][x]=1&a[][y]=2&a[][x]=3", {"a": [{"x": "1", "y": "2"}, {"x": "3"}]}),
            ("a[][x][p]=1&a[][x][q]=2&a[][x][p]=3", {"a": [{"x": {"p": "1", "q": "2"}}, {"x": {"p": "3"}}]}),
            ("a[][x][]=1&a[][x][]=2", {"a": [{"x": ["1", "2"]}]}),
        ],
    )
    def test_brackets_nest_and_encode_to_the_same_form_again(
        self, query: str, nested: dict[str, Nested]
    ) -> None:
        fields = parse_qsl(query, keep_blank_values=True)
        assert nest(fields) == nested
        assert parse_qsl(encode(nest(fields)), keep_blank_values=True) == fields

    @pytest.mark.parametrize(
        ("query", "problem"),
        [
            ("a=1&a=2", "a is given twice"),
            ("a=1&a[b]=2", "another form"),
            ("a[b]=1&a[]=2", "another form"),
            ("a[]=1&a[b]=2", "another form"),
            ("a[b]=1&a=2", "a is given twice"),
            ("a[][]=1", "no list in a list"),
            ("[a]=1", "not a field's name"),
            ("a[b=1", "not a field's name"),
            ("a[b]c=1", "not a field's name"),
            ("=1", "not a field's name"),
        ],
    )
    def test_fields_that_cannot_be_nested_are_refused(self, query: str, problem: str) -> None:
        with pytest.raises(ValueError, match=problem):
            nest([split_field(text) for text in query.split("&")])


def test_a_field_is_split_at_its_first_equals_sign() -> None:
    assert split_field("a=b=c") == ("a", "b=c")


def test_a_field_without_an_equals_sign_is_refused() -> None:
    with pytest.raises(ValueError, match="name=value"):
        split_field("a")


def test_a_query_is_decoded() -> None:
    assert split_query("/x?a=%26&b[]=") == ("/x", [("a", "&"), ("b[]", "")])
