"""The house rules that a machine can check."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import backupify_async

PACKAGE = Path(backupify_async.__file__).parent
# From the bottom up: a room imports from those before it, and from itself.
ROOMS = [
    ["version", "ids", "_json_types", "models", "_call_context", "_tasks", "_escaping"],
    ["_errors"],
    ["errors"],
    ["credentials", "statistics"],
    ["events", "_checks", "_addresses", "_headers"],
    ["config", "polling"],
    ["_transport"],
    ["_shared"],
    ["_codec"],
    ["_paging"],
    ["_endpoints"],
    ["_triggers", "_waits"],
    ["_resources"],
    ["_journal"],
    ["_fleet"],
    ["client"],
    ["_cli"],
]
# One process imports all modules of a room, and forgets the package before each.
IMPORT_EACH_ALONE = """
import importlib, sys
for module in sys.argv[1:]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "backupify_async"]:
        del sys.modules[name]
    importlib.import_module(module)
"""
IMPORT_CLIENT = "from backupify_async import BackupifyClient"
FLOOR = {name: floor for floor, names in enumerate(ROOMS) for name in names}
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@cache
def source(module: str) -> str:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(source(module))


def imports(module: str) -> Iterator[str]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module if node.module != "backupify_async" else f"backupify_async.{node.names[0].name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({room(module) for module in MODULES}))
def test_a_module_imports_alone_with_warnings_as_errors(name: str) -> None:
    modules = [module for module in MODULES if room(module) == name and not module.endswith("__main__")]
    command = [sys.executable, "-W", "error", "-c", IMPORT_EACH_ALONE, *modules]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in FLOOR])
def test_imports_run_downwards_only(module: str) -> None:
    upward = [
        name
        for name in imports(module)
        if name.startswith("backupify_async.") and FLOOR.get(room(name), 0) > FLOOR[room(module)]
    ]
    assert upward == []


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) == "testing"])
def test_the_simulated_server_shares_no_code_with_the_client(module: str) -> None:
    assert [
        name for name in imports(module) if name.startswith("backupify_async") and room(name) != "testing"
    ] == []


@pytest.mark.parametrize(
    "module", [module for module in MODULES if room(module) not in ("_cli", "testing", "")]
)
def test_only_the_command_line_imports_the_simulated_server_and_prints(module: str) -> None:
    calls = [node.func for node in ast.walk(tree(module)) if isinstance(node, ast.Call)]
    assert [name for name in imports(module) if room(name) == "testing"] == []
    assert [call for call in calls if isinstance(call, ast.Name) and call.id == "print"] == []


def test_only_the_aiohttp_transport_and_the_client_import_aiohttp() -> None:
    users = {module for module in MODULES if room(module) != "testing" and "aiohttp" in imports(module)}
    transport = {
        f"backupify_async._transport.aiohttp_{name}"
        for name in ("body", "connections", "errors", "sessions", "transport")
    }
    assert users == {*transport, "backupify_async.client"}


def test_only_the_database_module_the_file_format_and_the_error_messages_import_sqlite() -> None:
    users = {module for module in MODULES if {"sqlite3", "aiosqlite"} & {*imports(module)}}
    rooms = {name.removeprefix("backupify_async._journal.") for name in users}
    assert rooms == {
        "database",
        "file_format",
        "error_messages",
        "extra",
    }  # the last only checks that it is installed


def test_only_the_command_line_chooses_an_event_loop() -> None:
    choosers = [
        module
        for module in MODULES
        if any(word in source(module) for word in ("uvloop", "set_event_loop", "loop_factory"))
    ]
    assert choosers == ["backupify_async._cli.event_loop"]


PUBLIC = [
    module
    for module in MODULES
    if not any(part.startswith("_") for part in module.split(".")) and "pytest_plugin" not in module
]


def test_the_public_modules_are_these() -> None:
    names = ["client", "config", "credentials", "errors", "events", "ids", "models", "polling", "statistics"]
    expected = ["backupify_async", *(f"backupify_async.{name}" for name in names)]
    assert [*expected, "backupify_async.testing", "backupify_async.version"] == PUBLIC


@pytest.mark.parametrize("module", PUBLIC)
def test_a_public_module_exports_only_names_of_its_own(module: str) -> None:
    """Type checkers and completion offer the names in `__all__`."""
    loaded = importlib.import_module(module)
    exported = {name: getattr(loaded, name) for name in getattr(loaded, "__all__", ["__version__"])}
    homes = {getattr(value, "__module__", module) for value in exported.values()}
    own = homes - {"types", "typing", "builtins", "collections.abc"}  # of aliases and constants
    if module in ("backupify_async", "backupify_async.testing"):
        assert all(home.split(".")[0] == "backupify_async" for home in own)
    else:
        assert own <= {module, "backupify_async"}


def test_every_public_name_but_the_helpers_is_exported_by_the_package() -> None:
    helpers = {"SettingsOptions", "identifier", "instance_key", "whole_number"}
    baselines = {"UNKNOWN_BASELINE", "UnknownBaseline", "Baseline"}
    modules = [module for module in PUBLIC if module not in ("backupify_async", "backupify_async.testing")]
    public = {name for module in modules for name in getattr(importlib.import_module(module), "__all__", [])}
    assert public - {*backupify_async.__all__} <= helpers | baselines


def test_the_names_that_the_package_exports_are_sorted_and_complete() -> None:
    exported = backupify_async.__all__
    for name in exported:
        getattr(backupify_async, name)  # some are imported at first use
    public = {
        name
        for name, value in vars(backupify_async).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert set(exported) - {"__version__"} == public
    assert exported == sorted(exported)


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_has_a_docstring(module: str) -> None:
    bare = [] if ast.get_docstring(tree(module)) else [module]
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            members = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
            bare += [
                f"{node.name}.{item.name}"
                for item in members
                if not item.name.startswith("_")
                and not ast.get_docstring(item)
                and "overload" not in map(ast.unparse, item.decorator_list)
            ]
            bare += [] if ast.get_docstring(node) else [node.name]
    bare += [
        item.name
        for item in tree(module).body
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)
        and not item.name.startswith("_")
        and not ast.get_docstring(item)
    ]
    assert bare == []


def test_importing_the_package_needs_no_extra() -> None:
    extras = ("cyclopts", "rich", "aiosqlite", "filelock", "uvloop", "redis", "cryptography")
    unwanted = (*extras, "pytest", "aiohttp.web", "sqlite3")
    code = f"import sys; {IMPORT_CLIENT}; print([name for name in {unwanted} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == "[]"  # coverage would import sqlite3 to write its data


def test_importing_the_package_imports_nothing_that_a_first_call_does_not_need() -> None:
    rooms = ("_fleet", "_journal", "_shared", "_triggers.triggering", "_waits.waiting")
    unwanted = ("tenacity", *(f"backupify_async.{room}" for room in rooms))
    code = f"import sys; {IMPORT_CLIENT}; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["backupify_async", "backupify_async._cli", "backupify_async.testing"])
def test_modules_that_are_loaded_often_import_nothing_heavy(module: str) -> None:
    unwanted = ("aiohttp", "asyncio", "attrs", "cattrs", "orjson", "yarl")
    code = f"import sys, {module}; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["BackupifyError", "RateLimited", "BackupifyClient"])
def test_errors_and_client_have_the_module_that_users_import(name: str) -> None:
    code = f"import backupify_async; print(backupify_async.{name}.__module__)"  # with nothing else loaded
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "backupify_async\n"


def test_the_package_has_only_the_names_in_all() -> None:
    with pytest.raises(AttributeError, match="no attribute 'fan_in'"):
        getattr(backupify_async, "fan_in")  # noqa: B009 - mypy knows it too
    assert set(backupify_async.__all__) <= {*dir(backupify_async)}


def test_importlib_finds_the_plugin_under_its_entry_point() -> None:
    plugin = importlib.import_module("backupify_async.testing.pytest_plugin")
    assert hasattr(plugin, "backupify")
