"""What calls cost with our client and with code of the user's: `python -m tests.benchmarks.speed`."""
