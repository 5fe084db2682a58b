"""The throttles: for each its name, its software, its settings and what it allows."""

from collections.abc import Mapping
from pathlib import Path

import attrs

from tests.benchmarks.rate.real import limits
from tests.benchmarks.rate.real.limits import Limit
from tests.benchmarks.rate.real.packages import Needs
from tests.benchmarks.rate.real.software import (
    DRF,
    EXPRESS,
    FASTIFY,
    FLASK,
    FLEXIBLE,
    GO_RATE,
    HAPROXY,
    KOA,
    NGINX,
    RACK_ATTACK,
    SLOWAPI,
    Software,
)

_TARGET, _WITHOUT_BURST, _SILENT_WINDOWS = 90.0, 70.0, 85.0  # percent of the limit
_IN_FLIGHT, _SERVICE = 10, 50  # calls, milliseconds


@attrs.frozen
class Throttle:
    """A throttle in front of a backend.

    Attributes:
        name: In a few words.
        software: What it is, and how it is started.
        settings: The settings of its configuration or program.
        limit: What it allows.
        target: The least share of that, in percent.
        service: Milliseconds that a response of the backend takes.
    """

    name: str
    software: Software
    settings: Mapping[str, object]
    limit: Limit
    target: float = _TARGET
    service: int = 20

    @property
    def needs(self) -> Needs:
        """What has to be installed."""
        return self.software.needs

    def config(self, port: int, backend: int) -> str:
        """Its source, filled in."""
        text = (Path(__file__).parent / "sources" / self.software.source).read_text()
        for name, value in {**self.settings, "port": port, "backend": backend}.items():
            text = text.replace(f"@{name}@", str(value))
        return text


def _nginx(
    name: str, limit: Limit, zones: str, limiting: str, *, refused: str = "", target: float = _TARGET
) -> Throttle:
    settings = {"zones": zones, "limits": limiting, "refused": refused}
    return Throttle(f"nginx {name}", NGINX, settings, limit, target)


def _limit_conn(name: str, limiting: str) -> Throttle:
    zones = "limit_conn_zone $binary_remote_addr zone=a:1m;"
    settings = {"zones": zones, "limits": f"limit_conn a {_IN_FLIGHT}; {limiting}", "refused": ""}
    limit = limits.in_flight(_IN_FLIGHT, _SERVICE / 1000)
    return Throttle(f"nginx limit_conn {_IN_FLIGHT}{name}", NGINX, settings, limit, service=_SERVICE)


def _zone(name: str, rate: int) -> str:
    return f"limit_req_zone $binary_remote_addr zone={name}:1m rate={rate}r/s;"


_50 = _zone("a", 50)
_BURST = "limit_req zone=a burst=20 nodelay;"
_50_BURST_20 = limits.bucket(50, 21)


def _refused(status: int, retry_after: int) -> str:
    return (
        f"error_page {status} = @refused;\n"
        f"location @refused {{ add_header Retry-After {retry_after} always; return {status}; }}"
    )


_NGINX = (
    _nginx("50/s burst 20 nodelay, default 503", _50_BURST_20, _50, _BURST),
    _nginx("50/s burst 20 nodelay", _50_BURST_20, _50, f"{_BURST} limit_req_status 429;"),
    _nginx("50/s burst 20 delayed", _50_BURST_20, _50, "limit_req zone=a burst=20; limit_req_status 429;"),
    _nginx(
        "20/s, no burst",
        limits.bucket(20, 1),
        _zone("a", 20),
        "limit_req zone=a; limit_req_status 429;",
        target=_WITHOUT_BURST,
    ),
    _nginx(
        "40/s burst 200 and 80/s burst 10",
        limits.both(limits.bucket(40, 201), limits.bucket(80, 11)),
        f"{_zone('a', 40)} {_zone('b', 80)}",
        "limit_req zone=a burst=200 nodelay; limit_req zone=b burst=10 nodelay; limit_req_status 429;",
    ),
    _nginx(
        "50/s burst 20, Retry-After always 5",
        _50_BURST_20,
        _50,
        f"{_BURST} limit_req_status 429;",
        refused=_refused(429, 5),
    ),
    _nginx(
        "50/s burst 20, 403 with Retry-After 1",
        _50_BURST_20,
        _50,
        f"{_BURST} limit_req_status 403;",
        refused=_refused(403, 1),
    ),
    _nginx("50/s burst 20, 420", _50_BURST_20, _50, f"{_BURST} limit_req_status 420;"),
    _limit_conn("", "limit_conn_status 429;"),
    _limit_conn(", default 503", ""),
)


def _haproxy(name: str, refusing: str) -> Throttle:
    limit = limits.rolling(500, 10)
    return Throttle(f"HAProxy 500 per 10 s, {name}", HAPROXY, {"refusing": refusing}, limit, _SILENT_WINDOWS)


_HAPROXY = (_haproxy("deny", "deny deny_status 429"), _haproxy("tarpit 1 s", "tarpit deny_status 429"))

_300_PER_5 = limits.windows(300, 5)


def _windows(name: str, software: Software, target: float = _TARGET, **settings: object) -> Throttle:
    return Throttle(f"{name}, 300 per 5 s", software, settings, _300_PER_5, target)


_NODE = (
    _windows("express-rate-limit draft 6", EXPRESS, standardHeaders="draft-6", legacyHeaders=False),
    _windows("express-rate-limit draft 7", EXPRESS, standardHeaders="draft-7", legacyHeaders=False),
    _windows("express-rate-limit draft 8", EXPRESS, standardHeaders="draft-8", legacyHeaders=False),
    _windows("express-rate-limit legacy", EXPRESS, standardHeaders=False, legacyHeaders=True),
    _windows(
        "express-rate-limit silent", EXPRESS, _SILENT_WINDOWS, standardHeaders=False, legacyHeaders=False
    ),
    _windows("fastify", FASTIFY, headers=True),
    _windows("fastify silent", FASTIFY, _SILENT_WINDOWS, headers=False),
    _windows("koa-ratelimit", KOA, headers=True),
    _windows("koa-ratelimit Retry-After", KOA, headers=False),
    _windows("rate-limiter-flexible", FLEXIBLE, headers=True),
    _windows("rate-limiter-flexible silent", FLEXIBLE, _SILENT_WINDOWS, headers=False),
)


def _attack(name: str, responder: str, target: float = _TARGET) -> Throttle:
    limit = limits.windows(300, 5, aligned=True)
    settings = {"responder": responder}
    return Throttle(f"Rack::Attack {name}, 300 per 5 s", RACK_ATTACK, settings, limit, target)


_RACK = (
    _attack("Retry-After", "retry-after"),
    _attack("silent", "silent", _SILENT_WINDOWS),
    _attack("quota on refusals only", "readme"),
)


def _drf(name: str, rate: str, limit: Limit) -> Throttle:
    return Throttle(f"Django REST framework {name}", DRF, {"rate": rate}, limit)


_PYTHON = (
    _windows("Flask-Limiter", FLASK, headers=True),
    _windows("Flask-Limiter silent", FLASK, _SILENT_WINDOWS, headers=False),
    _windows("slowapi", SLOWAPI, headers=True),
    _windows("slowapi silent", SLOWAPI, _SILENT_WINDOWS, headers=False),
    _drf("50/s", "50/s", limits.windows(50, 1)),
    _drf("1,500/min", "1500/min", limits.windows(1_500, 60)),
)

_GO = (Throttle("Go x/time/rate 50/s burst 10", GO_RATE, {"rate": 50, "burst": 10}, limits.bucket(50, 10)),)

THROTTLES = (*_NGINX, *_HAPROXY, *_NODE, *_RACK, *_PYTHON, *_GO)
NAMED = {throttle.name: throttle for throttle in THROTTLES}
