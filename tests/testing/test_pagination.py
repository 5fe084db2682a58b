"""Pages and their Link headers, as in the api-pagination gem."""

import re

import pytest

from backupify_async.testing._pagination import PageSlice, link_header, paginate


def _rels(header: str | None) -> dict[str, int]:
    """The page number of each relation, in the order of the header."""
    assert header is not None
    return {rel: int(page) for page, rel in re.findall(r'[?&]page=(\d+)[^>]*>; rel="(\w+)"', header)}


class TestPaginate:
    def test_without_parameters_it_returns_the_first_page(self) -> None:
        assert paginate({}, 45, per_page=20, max_per_page=100) == PageSlice(1, 20, 45)

    def test_parameters_choose_page_and_size(self) -> None:
        here = paginate({"page": "3", "per_page": "5"}, 45, per_page=20, max_per_page=100)
        assert here is not None
        assert list(range(45))[here.items] == [10, 11, 12, 13, 14]

    def test_a_page_is_never_larger_than_the_cap(self) -> None:
        assert paginate({"per_page": "1000"}, 45, per_page=20, max_per_page=30) == PageSlice(1, 30, 45)

    def test_zero_is_read_as_one(self) -> None:
        assert paginate({"page": "0", "per_page": "0"}, 45, per_page=20, max_per_page=100) == PageSlice(
            1, 1, 45
        )

    @pytest.mark.parametrize("name", ["page", "per_page"])
    @pytest.mark.parametrize("value", ["", "two", "-1", "1.5", "9" * 30, "\u0663"])
    def test_a_parameter_that_is_not_a_number_is_refused(self, name: str, value: str) -> None:
        assert paginate({name: value}, 45, per_page=20, max_per_page=100) is None

    @pytest.mark.parametrize(("total", "last"), [(0, 1), (20, 1), (21, 2), (40, 2)])
    def test_the_last_page_is_not_empty(self, total: int, last: int) -> None:
        assert PageSlice(1, 20, total).last == last


class TestLinkHeader:
    def test_on_the_first_page_last_comes_before_next(self) -> None:
        assert link_header("http://host/list", {}, PageSlice(1, 20, 45)) == (
            '<http://host/list?page=3>; rel="last", <http://host/list?page=2>; rel="next"'
        )

    def test_a_middle_page_has_all_four_relations(self) -> None:
        rels = _rels(link_header("http://host/list", {}, PageSlice(3, 20, 90)))
        assert list(rels.items()) == [("first", 1), ("prev", 2), ("last", 5), ("next", 4)]

    def test_the_last_page_has_no_next(self) -> None:
        assert _rels(link_header("http://host/list", {}, PageSlice(3, 20, 45))) == {"first": 1, "prev": 2}

    def test_past_the_end_it_links_backwards(self) -> None:
        assert _rels(link_header("http://host/list", {}, PageSlice(9, 20, 45))) == {"first": 1, "prev": 8}

    @pytest.mark.parametrize("page", [1, 2])
    def test_a_list_that_fits_one_page_has_no_header(self, page: int) -> None:
        assert link_header("http://host/list", {}, PageSlice(page, 20, 20)) is None

    def test_other_parameters_are_repeated_sorted_by_name(self) -> None:
        header = link_header("http://host/list", {"per_page": "2", "a": "b c"}, PageSlice(1, 2, 4))
        assert header is not None
        assert "<http://host/list?a=b+c&page=2&per_page=2>" in header
