"""Waiting until a backup is over."""
