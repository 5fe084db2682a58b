"""Waits until a backup is over."""
