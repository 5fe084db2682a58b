"""Link headers (RFC 8288), valid and invalid."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backupify_async._paging.links import Links, parse_links

TARGET = "https://api.example/v1/things?page=2"


def read(*headers: str) -> Links:
    return parse_links(headers)


class TestValidHeaders:
    @pytest.mark.parametrize(
        "header",
        [
            f'<{TARGET}>; rel="next"',
            f"<{TARGET}>; rel=next",
            f"<{TARGET}>;rel=next",
            f"<{TARGET}>; REL=NEXT",
            f'<{TARGET}>; Rel="Next"',
            f'<{TARGET}> ; rel = "next"',
            f'< {TARGET} >; rel="next"',
            f'<{TARGET}>; title="a; b, c"; rel="next"',
            f'<{TARGET}>; title="<https://evil.example/>; rel=prev"; rel="next"',
            f'<{TARGET}>; title="a > b"; rel="next"',
            f'<{TARGET}>; title="say \\"; rel=\\"last"; rel="next"',
            f"<{TARGET}>; title*=UTF-8''%e2%82%ac%20rates; rel=next",
            f'<{TARGET}>; crossorigin; rel="next"',
            f'<{TARGET}>; rel="ne\\xt"',
            f"<{TARGET}>; rel='next'",
            f"<{TARGET}>; rel = 'NEXT' ; title='a'",
            f'<{TARGET}>;; rel="next";',
            f'<{TARGET}>; rel="next",',
            f'<{TARGET}>; rel="next", , ,',
            f', ,<{TARGET}>; rel="next"',
            f'\t<{TARGET}>;\trel="next"\t',
        ],
    )
    def test_a_next_link_is_found(self, header: str) -> None:
        assert read(header) == Links({"next": TARGET}, readable=True)

    def test_a_link_can_have_several_relations(self) -> None:
        assert read(f'<{TARGET}>; rel="next  last"').targets == {"next": TARGET, "last": TARGET}

    def test_apostrophes_can_quote_several_relations(self) -> None:
        header = f"<{TARGET}>; rel='next last', <1>; rel='first'"
        assert read(header) == Links({"next": TARGET, "last": TARGET, "first": "1"})

    def test_an_apostrophe_inside_a_value_is_a_character(self) -> None:
        assert read("<1>; title='tis; rel=next, <2>; title=don't; rel=prev").targets == {
            "next": "1",
            "prev": "2",
        }

    def test_previous_is_a_synonym_of_prev(self) -> None:
        assert read("<1>; rel=previous").targets["prev"] == "1"
        assert read("<1>; rel=previous, <2>; rel=prev").targets["prev"] == "2"

    def test_the_header_of_the_api_is_read_completely(self) -> None:
        header = '<https://a/?page=3>; rel="last", <https://a/?page=2>; rel="next"'
        assert read(header).targets == {"last": "https://a/?page=3", "next": "https://a/?page=2"}

    def test_several_headers_are_one_list(self) -> None:
        assert read("<2>; rel=next", "<9>; rel=last").targets == {"next": "2", "last": "9"}

    @pytest.mark.parametrize(
        "headers", [("<1>; rel=next, <2>; rel=next",), ("<1>; rel=next", "<2>; rel=next")]
    )
    def test_the_first_of_several_links_wins(self, headers: tuple[str, ...]) -> None:
        assert read(*headers).targets == {"next": "1"}

    def test_the_first_rel_of_a_link_wins(self) -> None:
        assert read("<1>; rel=next; rel=prev").targets == {"next": "1"}

    def test_a_link_with_another_context_is_skipped(self) -> None:
        assert read('<1>; rel=next; anchor="#part", <2>; rel=next') == Links({"next": "2"})

    @pytest.mark.parametrize("target", ["?page=2", "/v1/things?page=2", "", "//host/x", "a,b;c"])
    def test_a_relative_reference_is_not_resolved(self, target: str) -> None:
        assert read(f'<{target}>; rel="next"').targets == {"next": target}

    @pytest.mark.parametrize("headers", [(), ("",), (" , ,",), ("<1>",), ("<1>; rel",), ('<1>; rel=""',)])
    def test_a_header_can_have_no_relation(self, headers: tuple[str, ...]) -> None:
        assert read(*headers) == Links({})


class TestInvalidHeaders:
    @pytest.mark.parametrize(
        "header",
        [
            "garbage, <2>; rel=next",
            '"quoted", <2>; rel=next',
            "rel=prev; <1>, <2>; rel=next",
            "<1>; rel=prev oops, <2>; rel=next",
            "<1> rel=prev, <2>; rel=next",
            '<1>; title="never closed, <2>; rel=next',
            '<1>; rel=pre"v, <2>; rel=next',
            "=, ;, <2>; rel=next",
        ],
    )
    def test_parsing_continues_after_an_invalid_part_and_reports_it(self, header: str) -> None:
        links = read(header)
        assert links.targets["next"] == "2"
        assert not links.readable

    @pytest.mark.parametrize(
        "header", ["<never closed; rel=next", "<", ">", "oops", '<1>; rel="next', "<1>x"]
    )
    def test_an_incomplete_link_is_not_a_next_link(self, header: str) -> None:
        assert read(header) == Links({}, readable=False)

    def test_links_before_an_invalid_part_are_kept(self) -> None:
        assert read("<2>; rel=next, oops") == Links({"next": "2"}, readable=False)


targets = st.text(st.characters(codec="ascii", exclude_characters="<>", exclude_categories=["C", "Z"]))
words = st.text(string.ascii_lowercase + string.digits + "-.", min_size=1)
quotable = st.text(st.characters(min_codepoint=32, max_codepoint=126))


@st.composite
def written_links(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A header of links in many styles, and the targets in it."""
    expected: dict[str, str] = {}
    parts = []
    for target, relations, title in draw(
        st.lists(st.tuples(targets, st.lists(words, min_size=1, max_size=3), quotable), max_size=5)
    ):
        escaped = title.replace("\\", "\\\\").replace('"', '\\"')
        name = draw(st.sampled_from(["rel", "REL", "Rel"]))
        parts.append(f'<{target}>; title="{escaped}"; {name}="{" ".join(relations)}"')
        for relation in relations:
            expected.setdefault(relation, target)
    if "previous" in expected:
        expected.setdefault("prev", expected["previous"])
    return draw(st.sampled_from([",", ", ", " , ,"])).join(parts), expected


@given(written_links())
def test_a_serialized_link_is_parsed_back(written: tuple[str, dict[str, str]]) -> None:
    header, expected = written
    assert read(header) == Links(expected, readable=True)


awkward = st.text(st.sampled_from('<>;,="\\ \t\nreXLT'))


@given(awkward, awkward, awkward, awkward)
def test_the_fast_path_gives_the_same_result(a: str, target: str, rel: str, z: str) -> None:
    fast, slow = (f'{a}<{target}>{more}; rel="{rel}"{z}' for more in ("", "; title"))
    assert read(fast) == read(slow)


@given(st.lists(st.text(st.sampled_from('<>;,="\\ \tarelnxtREL*') | st.characters())))
def test_no_text_makes_the_parser_raise(headers: list[str]) -> None:
    links = parse_links(headers)
    assert all(relation == relation.lower() for relation in links.targets)
