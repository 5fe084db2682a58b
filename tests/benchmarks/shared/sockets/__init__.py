"""What real processes reach that share one learned limit: `python -m tests.benchmarks.shared.sockets -h`."""
