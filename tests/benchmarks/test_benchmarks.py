"""The benchmarks run and print their tables; the figures are not checked."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytestmark = pytest.mark.slow


def test_the_cost_of_calls_is_compared_with_other_clients_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "speed.svg"
    command = [sys.executable, "-m", "tests.benchmarks.speed", "--smallest", "--plot", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\| CPU of a get-active call, over bare aiohttp +\| \d+\.\d\d \(", done.stdout)
    assert ET.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_distance_from_an_unknown_limit_is_measured_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "rate.svg"
    command = [sys.executable, "-m", "tests.benchmarks.rate", "--quick", "--plot", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\| token bucket 83/s burst 17 +\| +\d+\.\d ", done.stdout)
    assert ET.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_triggers_are_exact_although_the_server_fails_in_many_ways() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.triggers", "--seeds", "13", "--count", "40"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    row = r"\| +\d+ \| [ \w,]+ \| +0 \| +0 \| +0 \| +0 \| +0 \| +\d+ \| +\d+ \| +\d+ \| +0 \|"
    assert len(re.findall(row, done.stdout)) == 13, done.stdout


def test_killed_sweeps_are_checked_against_the_servers_log() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.journal",
        "--kills",
        "2",
        "--count",
        "150",
        "--pairs",
        "1",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "150: 0 started twice, 0 never started, 0 wrong in the journal, 0 failed; " in done.stdout
    assert re.search(r"with a journal over one without: median \d+\.\d\d \(", done.stdout)


def test_the_lateness_of_waits_is_compared_with_other_strategies() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.waits", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| log")]
    assert len(rows) == 6
    late = {(row[0], row[1]): float(row[2].partition(" / ")[0]) for row in rows}
    assert all(late[name, "omniscient"] < late[name, "**ours**"] < 10 for name, _ in late)
