"""That the benchmarks run; how fast is theirs to say."""

import re
import subprocess
import sys


def test_the_cost_of_a_call_is_measured_beside_the_bare_loop() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.call_cost", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"over bare aiohttp's: median \d\.\d\d \(", done.stdout)
