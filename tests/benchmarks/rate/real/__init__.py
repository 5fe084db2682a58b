"""Throttles that are widely used, on loopback: `python -m tests.benchmarks.rate.real`."""
