"""One module per noun of the API; a method says what to ask, never how to send it."""
