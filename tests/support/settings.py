"""Settings with a token, for tests of the other options."""

from typing import Any

from backupify_async import Settings, StaticToken

TOKEN = StaticToken("s3cret")


def settings(**options: Any) -> Settings:
    """Settings with these options, and a token where they have no credentials."""
    return Settings(**{"credentials": TOKEN, **options})
