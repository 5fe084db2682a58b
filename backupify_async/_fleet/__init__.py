"""Many instances at once."""
