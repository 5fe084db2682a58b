"""What our calls cost beside those that a user would write: `python -m tests.benchmarks.speed`."""
