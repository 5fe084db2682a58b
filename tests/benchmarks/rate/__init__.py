"""The laboratory for rate limits: the real limiter and session, against model servers, in virtual time."""
