"""That the benchmarks run; how fast is theirs to say."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def test_the_cost_of_a_call_is_measured_beside_the_bare_loop() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.call_cost", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"over a bare one: \d\.\d\d \(", done.stdout)


def test_the_distance_from_an_untold_limit_is_measured_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "rate.svg"
    command = [sys.executable, "-m", "tests.benchmarks.rate", "--quick", "--plot", str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\| token bucket 83/s burst 17 +\| +\d+\.\d ", done.stdout)
    assert ET.parse(picture).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_lateness_of_waits_is_measured_beside_other_ways() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.waits", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split(" | ") for line in done.stdout.splitlines() if line.startswith("| log")]
    assert len(rows) == 6
    late = {(row[0], row[1]): float(row[2].partition(" / ")[0]) for row in rows}
    assert all(late[name, "omniscient"] < late[name, "**ours**"] < 10 for name, _ in late)
