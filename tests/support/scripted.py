"""An API that answers from a script, over `FakeTransport`: no network, no clock of its own."""

import asyncio
from collections.abc import Mapping

from backupify_async import BackupifyError, ClientCredentials, RateLimit, Token
from backupify_async._transport.request import Request
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond

Step = int | tuple[int, Mapping[str, str]] | BackupifyError

PING = Request("GET", "/v1/ping")
TRIGGER = Request.post("/v1/backup_instances/{instance_id}/backups", instance_id=42)
DEMO = ClientCredentials("demo", "s3cret")
UNLIMITED = RateLimit(per_second=None, adaptive=False)


def after(seconds: str) -> Mapping[str, str]:
    """The header that asks to wait so long."""
    return {"Retry-After": seconds}


class Script:
    """Answers calls step by step, then 200 for ever; and token requests with token-1, token-2, ...

    Attributes:
        refused: Tokens that get a 401.
        tokens: What the token endpoint answers first, before it gives tokens.
        given: How many tokens it gave.
    """

    def __init__(self, *steps: Step, tokens: tuple[Step, ...] = (), life: object = 899) -> None:
        self.steps = list(steps)
        self.tokens = list(tokens)
        self.life = life
        self.refused: set[str] = set()
        self.given = 0

    def __call__(self, message: PreparedRequest) -> Response:
        """Answer one message."""
        if message.url.path.endswith("/oauth/token"):
            if self.tokens:
                return _step(message, self.tokens.pop(0))
            self.given += 1
            return respond(message, 200, {"access_token": f"token-{self.given}", "expires_in": self.life})
        if bearer(message) in self.refused:
            return respond(message, 401)
        return _step(message, self.steps.pop(0)) if self.steps else respond(message)


def _step(message: PreparedRequest, step: Step) -> Response:
    if isinstance(step, BackupifyError):
        raise step
    status, headers = step if isinstance(step, tuple) else (step, {})
    return respond(message, status, b"", headers)


def bearer(message: PreparedRequest) -> str:
    """The token that came with a message, "" where none did."""
    return message.headers.get("Authorization", "").removeprefix("Bearer ")


def api_times(transport: FakeTransport) -> list[float]:
    """When calls left, those for tokens not counted."""
    return [
        round(when, 6) for when, message in transport.sent if not message.url.path.endswith("/oauth/token")
    ]


def token_times(transport: FakeTransport) -> list[float]:
    """When requests for tokens left."""
    return [round(when, 6) for when, message in transport.sent if message.url.path.endswith("/oauth/token")]


def now() -> float:
    """The loop's time."""
    return round(asyncio.get_running_loop().time(), 6)


async def settled() -> None:
    """Let all that is ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


class Vault:
    """A caller's own credentials: gives what it was told to, one after the other, the last one for ever."""

    def __init__(self, *gives: object, takes: float = 0.0) -> None:
        self.gives = list(gives)
        self.takes = takes
        self.asked = 0

    async def token(self) -> Token:
        """The next of them, after a while."""
        self.asked += 1
        await asyncio.sleep(self.takes)
        given = self.gives.pop(0) if len(self.gives) > 1 else self.gives[0]
        if isinstance(given, BaseException):
            raise given
        return given  # type: ignore[return-value]  # nonsense, on purpose
