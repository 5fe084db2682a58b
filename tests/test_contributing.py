"""The contributor's page is true, and the tests keep its rules."""

import ast
import re
from pathlib import Path

import pytest

import tests
import tests.support

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "backupify_async"
PAGE = tests.__doc__ or ""
NAMED = sorted({*re.findall(r"(?<![\w/.])(?:\w+/)*\w+\.py\b|(?<![\w/.])(?:\w+/)+(?=[\s`:.,])", PAGE)})
TEST_MODULES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("named", NAMED)
def test_each_file_that_the_page_names_exists(named: str) -> None:
    assert (TESTS.parent / named).exists() or (PACKAGE / named).exists()


def test_the_page_names_the_room_of_each_step_of_a_request() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()} - {"testing"}
    assert [room for room in sorted(rooms) if f"{room}/" not in PAGE] == []


def test_the_list_of_shared_modules_is_complete() -> None:
    listed = re.findall(r"^(\w+): ", tests.support.__doc__ or "", re.MULTILINE)
    assert listed == sorted(path.stem for path in (TESTS / "support").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("module", TEST_MODULES, ids=str)
def test_no_test_module_imports_from_another(module: Path) -> None:
    imported = [
        node.module
        for node in ast.walk(ast.parse((TESTS / module).read_text()))
        if isinstance(node, ast.ImportFrom) and node.module is not None
    ]
    assert [name for name in imported if re.search(r"^tests\..*\btest_", name)] == []
