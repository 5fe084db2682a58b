"""What the API has: its paths, and how its answers are read. Nothing here sends anything."""
