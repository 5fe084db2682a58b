"""What a throttle needs on this machine: a program on the PATH, and packages of its ecosystem.

Packages are installed only on request, and into one folder.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import distributions
from pathlib import Path

import attrs

_LONGEST = 300.0  # seconds that an installation can take


@attrs.frozen
class Ecosystem:
    """A language's packages.

    Attributes:
        name: In one word; also the name of their folder.
        environ: Environment variables with which a program finds the packages in a folder.
        lacks: Which of these packages are missing in a folder.
        install: The command that installs these packages into a folder.
    """

    name: str
    environ: Callable[[Path], Mapping[str, str]]
    lacks: Callable[[Path, tuple[str, ...]], list[str]]
    install: Callable[[Path, tuple[str, ...]], list[str]]


def _missing_npm(folder: Path, packages: tuple[str, ...]) -> list[str]:
    return [name for name in packages if not (folder / "node_modules" / name).is_dir()]


def _missing_pip(folder: Path, packages: tuple[str, ...]) -> list[str]:
    installed = {found.name.lower().replace("_", "-") for found in distributions(path=[str(folder)])}
    return [name for name in packages if name not in installed]


def _gem_path(folder: Path) -> Mapping[str, str]:
    return {"GEM_PATH": f"{folder}{os.pathsep}"}  # a separator at the end keeps the default folders


def _missing_gem(folder: Path, packages: tuple[str, ...]) -> list[str]:
    environ = {**os.environ, **_gem_path(folder)}
    return [name for name in packages if not _succeeds(["ruby", "-e", f"gem {name!r}"], environ)]


def _missing_go(folder: Path, packages: tuple[str, ...]) -> list[str]:
    where = folder if folder.is_dir() else None
    return [name for name in packages if not _succeeds(["go", "list", name], os.environ, where)]


def _succeeds(command: list[str], environ: Mapping[str, str], where: Path | None = None) -> bool:
    return not subprocess.run(command, capture_output=True, env=environ, cwd=where, check=False).returncode


def _go_get(folder: Path, packages: tuple[str, ...]) -> list[str]:
    (folder / "go.mod").write_text("module throttles\n")
    return ["go", "get", *packages]


NPM = Ecosystem(
    "npm",
    lambda folder: {"NODE_PATH": str(folder / "node_modules")},
    _missing_npm,
    lambda folder, packages: [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "--prefix",
        str(folder),
        *packages,
    ],
)
PIP = Ecosystem(
    "pip",
    lambda folder: {"PYTHONPATH": str(folder)},
    _missing_pip,
    lambda folder, packages: [sys.executable, "-m", "pip", "install", "--target", str(folder), *packages],
)
GEM = Ecosystem(
    "gem",
    _gem_path,
    _missing_gem,
    lambda folder, packages: ["gem", "install", "--no-document", "--install-dir", str(folder), *packages],
)
GO = Ecosystem("go", lambda _folder: {}, _missing_go, _go_get)


@attrs.frozen
class Needs:
    """What has to be installed.

    Attributes:
        program: A program on the PATH.
        packages: Names of packages.
        ecosystem: Their ecosystem.
    """

    program: str
    packages: tuple[str, ...] = ()
    ecosystem: Ecosystem | None = None

    def folder(self, packages_dir: Path) -> Path:
        """The folder of the packages, below that of all ecosystems."""
        return packages_dir / self.ecosystem.name if self.ecosystem is not None else packages_dir

    def environ(self, packages_dir: Path) -> dict[str, str]:
        """The environment in which a program finds its packages."""
        more = self.ecosystem.environ(self.folder(packages_dir)) if self.ecosystem is not None else {}
        return {**os.environ, **more}


def reason_to_skip(needs: Needs, packages_dir: Path) -> str | None:
    """Why this cannot run here; None if it can."""
    if shutil.which(needs.program) is None:
        return f"no {Path(needs.program).name} on the PATH"
    if needs.ecosystem is not None:
        missing = needs.ecosystem.lacks(needs.folder(packages_dir), needs.packages)
        if missing:
            return f"{needs.ecosystem.name} packages that are not installed: {', '.join(missing)}"
    return None


def install(needs: Needs, packages_dir: Path) -> str | None:
    """Install the packages that are missing. Returns the last line of the error, or None."""
    if needs.ecosystem is None or shutil.which(needs.program) is None:
        return None
    folder = needs.folder(packages_dir)
    folder.mkdir(parents=True, exist_ok=True)
    missing = needs.ecosystem.lacks(folder, needs.packages)
    if not missing:
        return None
    command = needs.ecosystem.install(folder, tuple(missing))
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=folder, timeout=_LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else None
