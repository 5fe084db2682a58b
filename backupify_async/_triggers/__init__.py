"""Triggers a backup safely: send it once, and reconcile if the response is lost."""
