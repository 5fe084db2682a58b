"""Throttles that people really run, on loopback: `python -m tests.benchmarks.rate.real`."""
