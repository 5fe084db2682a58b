"""What to run on a checkout: `nox -s tests`, and the rest of what CI runs."""

import os
import subprocess
import sys
from pathlib import Path

import nox

PYPROJECT = nox.project.load_toml("pyproject.toml")
SIDE_BY_SIDE = ("-n", "auto", "--dist", "worksteal")
CODE = ("backupify_async", "tests", "examples", "noxfile.py")

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
        # Some tests take long and depend little on the interpreter: the first one runs them, and measures.
        session.run("pytest", *SIDE_BY_SIDE, "-m", "not slow")
        return
    session.env["COVERAGE_FILE"] = str(Path(session.virtualenv.location) / ".coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *SIDE_BY_SIDE, "-m", "not slow")
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")
    # Most of these start processes, which start slowly under coverage, and wait for them: two a core.
    workers = str(2 * (os.cpu_count() or 1))
    session.run("pytest", "-n", workers, "--dist", "worksteal", "-m", "slow")


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


@nox.session
def docs(session: nox.Session) -> None:
    """The API pages, from the docstrings, into `docs`."""
    _install(session, "docs")
    session.run("python", "-m", "tests.support.api_pages", "docs")
