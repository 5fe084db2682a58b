"""The root of the tree, and the errors of the client itself."""

from typing import Any

import attrs

from backupify_async._json_types import error_to_dict


class BackupifyError(Exception):
    """The root of all errors that this library raises on purpose."""

    def to_dict(self) -> dict[str, Any]:
        """The error as plain JSON types: `type` (its class name), `message`, and its fields by name."""
        return error_to_dict(self)


@attrs.define(slots=False, eq=False)
class ConfigurationError(BackupifyError):
    """Settings, credentials or the use of the client cannot work.

    Attributes:
        problem: Which setting cannot work, why, and what to do.
        override: The setting that allows it anyway; "" if there is none.
    """

    problem: str
    override: str = ""

    def __str__(self) -> str:
        return self.problem + (f", or set {self.override}" if self.override else "")


class MissingCredentials(ConfigurationError):
    """The environment holds no credentials."""


class ClientClosed(BackupifyError):
    """The client was closed, before or during this call."""


class ClientDraining(ClientClosed):
    """The client starts no new triggers: this one was not sent, or certainly had no effect."""


class AuthenticationError(BackupifyError):
    """No token could be obtained with these credentials, or the server refuses the token."""


class JournalError(BackupifyError):
    """The journal cannot be read or written. Nothing was sent that it does not record."""


def after_giving_up(reason: str | None) -> str:
    """The end of a message that says why the request was not retried."""
    return f"; gave up: {reason}" if reason else ""
