"""Tests of the simulated server: over real sockets, and with a plain client instead of ours."""
