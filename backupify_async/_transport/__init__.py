"""One request's way out and its answer's way back."""
