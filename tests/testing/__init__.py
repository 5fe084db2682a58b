"""The simulated server's tests: real sockets and a plain client, never ours."""
