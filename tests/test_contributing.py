"""The contributor's page is true, and the tests keep its rules."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import tests
import tests.support

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGE = ROOT / "backupify_async"
PAGE = tests.__doc__ or ""
PATHS = sorted({*re.findall(r"(?<![\w/.])(?:\w+/)*\w+\.py\b|(?<![\w/.])(?:\w+/)+(?=[\s`:.,])", PAGE)})
QUOTED = re.findall(r"`([^`]+)`", PAGE)
SESSIONS = [
    name for text in QUOTED for name in re.findall(r"nox -s ([\w\s]+)", text) for name in name.split()
]
CODE = [text for text in QUOTED if re.fullmatch(r"[\w.]+(\(\w*\))?", text)]
NAMES = sorted({name for text in CODE for name in re.findall(r"[A-Za-z_]\w*", text)})
NAMES_IN_FILES = re.findall(r"`(\w+)` in\s+([\w/]+\.py)", PAGE)
TEST_MODULES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))


def find(path: str) -> Path:
    """A path of the page: from the root, or from the package."""
    return ROOT / path if (ROOT / path).exists() else PACKAGE / path


@cache
def names_of(path: Path) -> set[str]:
    """What a file defines at any depth: functions, classes, variables and attributes."""
    tree = ast.parse(path.read_text())
    defined = {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    variables = {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
    }
    return defined | variables | attributes


def known_names() -> set[str]:
    """The names of the package and of what its tests share, of their modules, and of the tools."""
    files = [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]
    tools = {"dev", *re.findall(r"\w+", "pytest.mark.looptime")}
    return {PACKAGE.name, *tools}.union(*({path.stem} | names_of(path) for path in files))


@pytest.mark.parametrize("path", PATHS)
def test_each_path_on_the_page_exists(path: str) -> None:
    assert find(path).exists()


@pytest.mark.parametrize(("name", "path"), NAMES_IN_FILES)
def test_each_name_on_the_page_is_in_the_file_beside_it(name: str, path: str) -> None:
    assert name in names_of(find(path))


def test_each_name_in_backticks_on_the_page_is_defined() -> None:
    known = known_names()
    assert [name for name in NAMES if name not in known] == []


def test_each_nox_session_on_the_page_exists() -> None:
    sessions = names_of(ROOT / "noxfile.py")
    assert [name for name in SESSIONS if name not in sessions] == []


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
