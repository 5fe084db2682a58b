"""Benchmarks of rate limits: the real limiter and session with simulated servers, in virtual time."""
