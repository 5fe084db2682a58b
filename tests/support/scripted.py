"""An API that responds from a script, over `FakeTransport`: without a network, in virtual time."""

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
    """A header that asks to wait for this long."""
    return {"Retry-After": seconds}


class Script:
    """Responds to calls step by step, then with 200; and to token requests with token-1, token-2, ...

    Attributes:
        refused: Tokens that get a 401.
        tokens: The first responses of the token endpoint, before it issues tokens.
        issued: How many tokens it issued.
    """

    def __init__(self, *steps: Step, tokens: tuple[Step, ...] = (), life: object = 899) -> None:
        self.steps = list(steps)
        self.tokens = list(tokens)
        self.life = life
        self.refused: set[str] = set()
        self.issued = 0

    def __call__(self, request: PreparedRequest) -> Response:
        """Respond to a request."""
        if request.url.path.endswith("/oauth/token"):
            if self.tokens:
                return _step(request, self.tokens.pop(0))
            self.issued += 1
            return respond(request, 200, {"access_token": f"token-{self.issued}", "expires_in": self.life})
        if bearer(request) in self.refused:
            return respond(request, 401)
        return _step(request, self.steps.pop(0)) if self.steps else respond(request)


def _step(request: PreparedRequest, step: Step) -> Response:
    if isinstance(step, BackupifyError):
        raise step
    status, headers = step if isinstance(step, tuple) else (step, {})
    return respond(request, status, b"", headers)


def bearer(request: PreparedRequest) -> str:
    """The token of a request; "" where it has none."""
    return request.headers.get("Authorization", "").removeprefix("Bearer ")


def api_times(transport: FakeTransport) -> list[float]:
    """When calls were sent, without requests for tokens."""
    return [
        round(when, 6) for when, request in transport.sent if not request.url.path.endswith("/oauth/token")
    ]


def token_times(transport: FakeTransport) -> list[float]:
    """When requests for tokens were sent."""
    return [round(when, 6) for when, request in transport.sent if request.url.path.endswith("/oauth/token")]


def now() -> float:
    """The time of the loop, in seconds."""
    return round(asyncio.get_running_loop().time(), 6)


async def settled() -> None:
    """Let all tasks that are ready run."""
    for _ in range(10):
        await asyncio.sleep(0)


class Vault:
    """Credentials of a user's own: gives these tokens in turn, then always the last; raises errors."""

    def __init__(self, *gives: object, takes: float = 0.0) -> None:
        self.gives = list(gives)
        self.takes = takes
        self.asked = 0

    async def token(self) -> Token:
        """The next one, after `takes` seconds."""
        self.asked += 1
        await asyncio.sleep(self.takes)
        given = self.gives.pop(0) if len(self.gives) > 1 else self.gives[0]
        if isinstance(given, BaseException):
            raise given
        return given  # type: ignore[return-value]  # also what is not a Token, on purpose
