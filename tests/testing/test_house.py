"""The house rules of the package: what it exports, imports, and costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from backupify_async import testing

_PACKAGE = "backupify_async.testing"
_MODULES = sorted(Path(testing.__file__).parent.glob("*.py"))


def _imports(module: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(f"{'.' * node.level}{node.module or ''}")
    return found


@pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.stem)
def test_no_module_imports_the_client(module: Path) -> None:
    foreign = {
        name
        for name in _imports(module)
        if name.startswith((".", "backupify_async")) and f"{name}.".startswith(f"{_PACKAGE}.") is False
    }
    assert foreign == set()


@pytest.mark.parametrize("module", _MODULES, ids=lambda module: module.stem)
def test_each_module_imports_alone(module: Path) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", f"import {_PACKAGE}.{module.stem}"], check=True)


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
