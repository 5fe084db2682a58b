"""What to run on a checkout: `nox -s tests`, and the rest of what CI runs."""

import os
import subprocess
import sys
from pathlib import Path

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")
SIDE_BY_SIDE = ("-n", "auto", "--dist", "worksteal")
CODE = ("backupify_async", "tests", "examples", "noxfile.py")
FEW_EXAMPLES = ("--hypothesis-profile", "few")
ABOUT_THE_SOURCE = ("--ignore=tests/test_house.py", "--ignore=tests/test_contributing.py")

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "lint", "types", "examples"]


def _works(version: str) -> bool:
    """Whether an interpreter is there and runs: a version manager's shim may be there and not run."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return True
    try:
        subprocess.run([f"python{version}", "-c", ""], check=True, capture_output=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


SUPPORTED = nox.project.python_versions(PYPROJECT)
FOUND = [version for version in SUPPORTED if _works(version)]


def _slow_modules() -> list[str]:
    """The test modules that hold slow tests: the longest first, since one that begins last ends last."""
    longest = ("test_readme", "test_benchmarks", "test_house", "test_never_twice", "test_api_pages")
    modules = [path for path in sorted(Path("tests").rglob("test_*.py")) if "mark.slow" in path.read_text()]
    return [str(path) for path in sorted(modules, key=lambda path: path.stem not in longest)]


def _install(session: nox.Session, *groups: str, extras: str = "cli,journal") -> None:
    # Where .pyc files are forbidden, each process that a test starts would compile the package anew.
    session.env["PYTHONDONTWRITEBYTECODE"] = None
    session.install("-e", f".[{extras}]", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session(python=FOUND or False)
def tests(session: nox.Session) -> None:
    """The tests, with branch coverage, on every supported interpreter that is found."""
    if not FOUND:
        session.error(f"none of the supported Python versions is found: {', '.join(SUPPORTED)}")
    # The command line is tested on both loops: uvloop's on the first interpreter, asyncio's on the others.
    first = session.python == FOUND[0]
    _install(session, "test", extras="cli,journal,fast" if first else "cli,journal")
    if session.posargs:
        session.run("pytest", *SIDE_BY_SIDE, *session.posargs)
        return
    if not first:
        # The first interpreter runs the slow tests, and measures; the second one draws many examples.
        examples = () if session.python == FOUND[1] else FEW_EXAMPLES
        session.run("pytest", *SIDE_BY_SIDE, *examples, *ABOUT_THE_SOURCE, "-m", "not slow")
        return
    examples = FEW_EXAMPLES if len(FOUND) > 1 else ()
    session.env["COVERAGE_FILE"] = str(Path(session.virtualenv.location) / ".coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *SIDE_BY_SIDE, *examples, "-m", "not slow")
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
    # Most of these start processes, which start slowly under coverage, and wait for them: two a core.
    workers = ("-n", str(2 * (os.cpu_count() or 1)), "--dist", "loadgroup")
    session.run("pytest", *workers, "-m", "slow", *_slow_modules())


@nox.session
def lint(session: nox.Session) -> None:
    """The linter and the formatter."""
    session.install(*nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "check", *CODE)
    session.run("ruff", "format", "--check", *CODE)


@nox.session
def types(session: nox.Session) -> None:
    """The types, strictly, of package, tests and examples."""
    _install(session, "types")
    session.run("mypy", *CODE)


@nox.session
def examples(session: nox.Session) -> None:
    """Each example, as its user would start it, against the simulated server."""
    _install(session, "test")
    session.run("pytest", "tests/test_examples.py", *session.posargs)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """What our calls cost, how near to a limit we run, how late ends are noticed. `-- --quick`."""
    _install(session, "test", "benchmarks")
    quick = ["--quick"] if "--quick" in session.posargs else []
    session.run("python", "-m", "tests.benchmarks.speed", *quick)
    session.run("python", "-m", "tests.benchmarks.waits", *quick)
    session.run("python", "-m", "tests.benchmarks.rate", *session.posargs)
    session.run("python", "-m", "tests.benchmarks.shared.sockets", *quick)


@nox.session
def docs(session: nox.Session) -> None:
    """The API pages, from the docstrings, into `docs`."""
    _install(session, "docs")
    session.run("python", "-m", "tests.support.api_pages", "docs")
