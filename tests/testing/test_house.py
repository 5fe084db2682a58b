"""House rules of the simulated server: what it exports, and what it imports."""

import subprocess
import sys

import pytest

from backupify_async import testing

_PACKAGE = "backupify_async.testing"


def test_all_is_sorted_and_complete() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    assert {getattr(testing, name).__name__ for name in testing.__all__} == set(testing.__all__)
    assert set(testing.__all__) <= set(dir(testing))


def test_a_name_that_is_not_in_all_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        assert testing.Nothing


def test_the_plugin_alone_imports_no_web_server() -> None:
    script = f"import sys, {_PACKAGE}.pytest_plugin; sys.exit('aiohttp.web' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == 0
