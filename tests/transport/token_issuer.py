"""A server that issues tokens and rejects some of them, and many calls to it."""

import asyncio
from collections.abc import Callable

from backupify_async import BackupifyError
from backupify_async._transport.request import Request
from backupify_async._transport.session import Session
from backupify_async._transport.transport import PreparedRequest, Response
from tests.support.fake_transport import FakeTransport, respond
from tests.support.scripted import bearer, now


class Halfway(FakeTransport):
    """Responds in the middle of the round trip, as a server does."""

    async def __call__(self, request: PreparedRequest) -> Response:
        """Respond to a request."""
        self.sent.append((asyncio.get_running_loop().time(), request))
        await asyncio.sleep(self.round_trip / 2)
        response = self.responder(request)
        await asyncio.sleep(self.round_trip / 2)
        return response


class Issuer:
    """A server that issues tokens.

    Args:
        accepts: Whether a call is accepted: by this server, the request, the number of the token, and the
            seconds since the token was issued.
    """

    def __init__(self, accepts: "Callable[[Issuer, PreparedRequest, int, float], bool]") -> None:
        self.accepts = accepts
        self.issued: list[float] = []

    def __call__(self, request: PreparedRequest) -> Response:
        """Respond to one request."""
        if request.url.path.endswith("/oauth/token"):
            self.issued.append(now())
            return respond(request, 200, {"access_token": f"token-{len(self.issued)}", "expires_in": 899})
        number = int(bearer(request).removeprefix("token-"))
        accepted = self.accepts(self, request, number, now() - self.issued[number - 1])
        return respond(request, 200 if accepted else 401)


def accepts_newest(server: Issuer, _request: PreparedRequest, number: int, _age: float) -> bool:
    return number == len(server.issued)


def accepts_none(*_: object) -> bool:
    return False


def get_instance(number: int) -> Request:
    return Request.get("/v1/backup_instances/{instance_id}", instance_id=number)


async def errors_of_calls(session: Session, calls: int, workers: int = 16) -> list[BackupifyError]:
    """Send this many calls, `workers` at a time. Returns their errors."""
    errors = []
    ids = iter(range(calls))

    async def work() -> None:
        for number in ids:
            try:
                await session.send(get_instance(number))
            except BackupifyError as error:
                errors.append(error)

    await asyncio.gather(*(work() for _ in range(workers)))
    return errors
