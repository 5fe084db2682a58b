"""The software that throttles, and how it is started.

In a command `{folder}` is a temporary folder, `{config}` the source with its settings filled in, `{source}`
the unchanged source, `{port}` the port on 127.0.0.1, and `{settings}` the settings as JSON.
"""

import sys

import attrs

from tests.benchmarks.rate.real.packages import GEM, GO, NPM, PIP, Needs


@attrs.frozen
class Software:
    """Software that throttles.

    Attributes:
        needs: What has to be installed.
        source: Its configuration or program, in `sources`.
        command: The command that starts it.
        build: The command that builds it first.
    """

    needs: Needs
    source: str
    command: tuple[str, ...]
    build: tuple[str, ...] = ()


def _node(source: str, *packages: str) -> Software:
    return Software(Needs("node", packages, NPM), source, ("node", "{source}", "{port}", "{settings}"))


def _python(source: str, *packages: str) -> Software:
    command = (sys.executable, "{source}", "{port}", "{settings}")
    return Software(Needs(sys.executable, packages, PIP), source, command)


NGINX = Software(Needs("nginx"), "nginx.conf", ("nginx", "-e", "stderr", "-p", "{folder}", "-c", "{config}"))
HAPROXY = Software(Needs("haproxy"), "haproxy.cfg", ("haproxy", "-db", "-q", "-f", "{config}"))
EXPRESS = _node("express.js", "express", "express-rate-limit")
FASTIFY = _node("fastify.js", "fastify", "@fastify/rate-limit")
KOA = _node("koa.js", "koa", "koa-ratelimit")
FLEXIBLE = _node("flexible.js", "express", "rate-limiter-flexible")
RACK_ATTACK = Software(
    Needs("ruby", ("rack", "rack-attack", "puma"), GEM),
    "attack.rb",
    ("ruby", "{source}", "{port}", "{settings}"),
)
FLASK = _python("with_flask.py", "flask", "flask-limiter", "waitress")
SLOWAPI = _python("with_slowapi.py", "fastapi", "slowapi", "uvicorn")
DRF = _python("with_django.py", "django", "djangorestframework", "waitress")
GO_RATE = Software(
    Needs("go", ("golang.org/x/time/rate",), GO),
    "limiter.go",
    ("{folder}/limiter", "{port}", "{settings}"),
    ("go", "build", "-o", "{folder}/limiter", "{source}"),
)
