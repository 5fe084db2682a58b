"""The house rules of the simulated server: what it exports, and what it costs to load."""

import subprocess
import sys

import pytest

from backupify_async import testing

_PACKAGE = "backupify_async.testing"


def test_the_menu_is_sorted_and_all_of_it_is_there() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert {getattr(testing, name).__name__ for name in testing.__all__} == set(testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))


def test_what_is_not_on_the_menu_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        assert testing.Nothing


def test_the_plugin_alone_loads_no_web_server() -> None:
    script = f"import sys, {_PACKAGE}.pytest_plugin; sys.exit('aiohttp.web' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
