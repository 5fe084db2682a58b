"""One module per noun of the API. A method says what to request, never how to send it."""
