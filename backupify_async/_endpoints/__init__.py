"""The API's paths, and how its responses are read. Nothing here sends a request."""
