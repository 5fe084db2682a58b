"""Servers that send a secret back wherever they can, and a search for it."""

import asyncio
import copy
import json
import pickle
import urllib.parse
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

from backupify_async import BackupifyError
from tests.support.raw_servers import http, raw_server

SECRET = "hush/hush+SECRET=="
TOKEN = "b64+TOKEN/keep=="


def spellings(secret: str) -> Iterator[str]:
    """A secret unchanged, as a form and a URL encode it, and as JSON and repr can write it."""
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield urllib.parse.quote_plus(secret)
    yield secret.replace("/", r"\/")
    yield secret.lower()


FORBIDDEN = sorted({text for secret in (SECRET, TOKEN) for text in spellings(secret)})


def leaks(value: object) -> list[str]:
    """The spellings of a secret that a text contains."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    return [spelling for spelling in FORBIDDEN if spelling in text]


def shown_by(error: BaseException) -> Iterator[object]:
    """All texts and pickles of an error, of its causes and of the errors that it holds."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield from (str(one), repr(one), repr(one.args), repr(vars(one)), repr(copy.copy(one)))
        yield from getattr(one, "__notes__", ())
        if isinstance(one, BackupifyError):
            yield pickle.dumps(one)
        pending += [one.__cause__, one.__context__]
        pending += [value for value in vars(one).values() if isinstance(value, BaseException)]


def echo(status: int, *names: str, body: bool = True) -> Callable[[bytes], bytes]:
    """A response that contains the secret of its request: in its body, and in the headers of these names."""

    def respond(request: bytes) -> bytes:
        secret = TOKEN if TOKEN.encode() in request else SECRET
        headers = [f"{name}: {template.format(secret)}" for name, template in _TEMPLATES if name in names]
        text = json.dumps({"error": f"no: {secret}", "raw": request.decode()}).encode() if body else b""
        return http(status, text, *headers)

    return respond


_TEMPLATES = [
    ("Location", "https://elsewhere.example/?token={}"),
    ("Location", "/here?token={}"),
    ("X-Request-Id", "{}"),
    ("Content-Type", "text/{}"),
    ("Retry-After", "{}"),
    ("Total", "{}"),
    ("Link", '<https://elsewhere.example/{0}?token={0}>; rel="next"'),
]


def links(template: str) -> Callable[[bytes], bytes]:
    """A page with a Link header that contains the token."""
    return lambda request: http(200, b'[{"id":1}]', f"Link: {template.format(TOKEN)}")


RESPONSES: dict[str, Callable[[bytes], bytes]] = {
    "400": echo(400),
    "401": echo(401),
    "403, html": lambda request: http(403, b"<html>" + request, "Content-Type: text/html"),
    "404": echo(404),
    "409": echo(409),
    "422": echo(422),
    "429": echo(429, "Retry-After"),
    "429, too long": lambda request: http(429, request, "Retry-After: 500"),
    "500": echo(500),
    "503": lambda request: http(503, request, "Retry-After: 500"),
    "redirect": echo(302, "Location"),
    "header": echo(400, body=False),
    "200, no JSON": lambda request: http(200, request),
    "200, no id": echo(200),
    "200, a bad id": lambda request: http(200, json.dumps([{"id": None, "x": TOKEN}]).encode()),
    "200, in the id": lambda request: http(200, json.dumps({"id": {"x": TOKEN}}).encode()),
    "400, escaped": lambda request: http(400, json.dumps(TOKEN).replace("/", r"\/").encode()),
    "400, in a URL": lambda request: http(400, f"/?token={urllib.parse.quote(TOKEN, safe='')}".encode()),
    "not HTTP": lambda request: b"HELLO " + request,
    "a truncated body": lambda request: http(200, request * 2)[: -len(request)],
    "link elsewhere": echo(200, "Link", body=False),
    "link that is no URL": links("<https://[{0}>; rel=next"),
}
IN_LINKS_AND_HEADERS: dict[str, Callable[[bytes], bytes]] = {
    "request id": echo(400, "X-Request-Id"),
    "content type": lambda request: http(200, b"<html>", f"Content-Type: text/{TOKEN}"),
    "page loop": links("</v1/list?access_token={0}>; rel=next"),
    "unreadable page": links("</v1/list?access_token={0}>; rel=next, <nonsense"),
    "link's path": links("</v1/{0}>; rel=next"),
    "link in a scheme": links("{0}://elsewhere.example>; rel=next"),
}


@asynccontextmanager
async def echoing(respond: Callable[[bytes], bytes]) -> AsyncIterator[str]:
    """A server that issues a token, and responds to all other requests in one way and hangs up."""

    async def handle(request: bytes, writer: asyncio.StreamWriter) -> None:
        if request.startswith(b"POST /oauth/token"):
            writer.write(http(200, json.dumps({"access_token": TOKEN, "expires_in": 899}).encode()))
        else:
            writer.write(respond(request))
            writer.close()

    async with raw_server(handle) as url:
        yield url


def echoing_form(status: int, header: str) -> Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]:
    """A token endpoint that sends back the client secret."""

    async def handle(request: bytes, writer: asyncio.StreamWriter) -> None:
        form = urllib.parse.parse_qs(request.partition(b"\r\n\r\n")[2].decode())
        (secret,) = form["client_secret"]
        body = json.dumps({"error": secret, "form": request.decode()})
        location = f"Location: https://elsewhere.example/?{secret}"
        writer.write(http(status, body.encode(), location, f"{header}: {secret}"))

    return handle
