"""The aiohttp sessions that requests go through, and the proxy that they use."""

from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
from yarl import URL

from backupify_async._addresses import check_proxy, is_loopback
from backupify_async._transport.aiohttp_connections import HEADER_BYTES, CheckedRequest, Connector
from backupify_async._transport.loops import running_loop
from backupify_async.errors import ConfigurationError

_HEADERS = {"Accept-Encoding": "gzip, deflate"}
_OF_A_USERS_SESSION = {
    "_base_url": "give it to the client, as base_url=",
    "_default_auth": "the client sends a token: make it without auth=",
    "headers": "give them to the client, as headers=",
    "_default_proxy": "give its proxy= to the client, as proxy=",
    "_middlewares": "a middleware could send a trigger twice: make it without middlewares=",
}


def make_session(
    connector: aiohttp.BaseConnector | None,
    *,
    reuse: bool = True,
    trace_configs: list[aiohttp.TraceConfig] | None = None,
) -> aiohttp.ClientSession:
    """A session that sends each request once and changes nothing in it.

    Args:
        connector: The user's connector, which stays open; None for one of ours.
        reuse: Whether our connector keeps connections for the next request.
        trace_configs: aiohttp's hooks, from the user's session.

    Raises:
        ConfigurationError: The connector is closed, or belongs to another loop.
    """
    try:
        session = aiohttp.ClientSession(
            connector=connector or Connector(reuse=reuse),
            connector_owner=connector is None,
            loop=running_loop(),  # by default, aiohttp takes the connector's, even where another one runs
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_HEADERS,
            auto_decompress=False,  # aiohttp takes half a gzip stream for a whole one
            request_class=CheckedRequest,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            trace_configs=trace_configs,
            trust_env=False,  # aiohttp would read netrc, and then refuse each request with a bearer token
        )
    except RuntimeError:
        raise ConfigurationError("connector: was made in another event loop, or is closed") from None
    # aiohttp resends a request by itself after a disconnect. There is no public switch for that.
    session._retry_connection = False  # noqa: SLF001
    return session


def check_user_connector(connector: object) -> None:
    """Refuse what is no connector.

    Raises:
        ConfigurationError: It is something else.
    """
    if not isinstance(connector, aiohttp.BaseConnector):
        raise ConfigurationError(f"connector: must be an aiohttp connector, not {type(connector).__name__}")


def check_user_session(session: aiohttp.ClientSession) -> None:
    """Refuse a session of the user's whose settings would be ignored, or would break a promise.

    Raises:
        ConfigurationError: It is closed, or has one of these settings; the message says what to do instead.
    """
    if not isinstance(session, aiohttp.ClientSession):
        raise ConfigurationError(f"session: must be an aiohttp.ClientSession, not {type(session).__name__}")
    if session.closed:
        raise ConfigurationError("session: is closed")
    for name, advice in _OF_A_USERS_SESSION.items():
        if getattr(session, name, None):
            kind = name.removeprefix("_").removeprefix("default_")
            raise ConfigurationError(f"session: has {kind}: {advice}")
    for name in ("request", "_request"):
        if getattr(type(session), name) is not getattr(aiohttp.ClientSession, name):
            raise ConfigurationError(
                f"session: {type(session).__name__} overrides {name}(), which the client does not call: "
                "write a Transport around it, or give its connector"
            )
    if getattr(session, "_request_class", aiohttp.ClientRequest) is not aiohttp.ClientRequest:
        raise ConfigurationError("session: has a request_class: the client has its own; use trace_configs")


def proxy_from_environment(url: URL) -> str | None:
    """The proxy for a URL from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

    Raises:
        ConfigurationError: The variable holds no usable proxy URL; the message names the variable.
    """
    proxies = getproxies_environment()
    if is_loopback(url.host or "") or proxy_bypass_environment(
        f"{url.host_subcomponent}:{url.port}", proxies
    ):
        return None
    for kind in (url.scheme, "all"):
        if proxies.get(kind):
            check_proxy(proxies[kind], name=f"{kind.upper()}_PROXY")
            return proxies[kind]
    return None
