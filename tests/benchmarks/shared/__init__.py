"""What many processes reach that share one learned limit: `python -m tests.benchmarks.shared --help`."""
