"""Where requests go, and through what: the URLs of an API and of a proxy, read and checked."""

import ipaddress

from yarl import URL

from backupify_async.errors import ConfigurationError

DEFAULT_BASE_URL = "https://api.backupify.com"

_LONGEST_LABEL = 63  # octets; RFC 1035 §2.3.4
_LONGEST_NAME = 253  # characters: the 255 octets of RFC 1035 §2.3.4, written with dots


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine (RFC 6761 §6.3, RFC 5735 §3, RFC 4291 §2.5.3)."""
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_base_url(text: object, *, allow_insecure: bool, name: str = "base_url") -> URL:
    """Read a base URL: an origin, and perhaps a path prefix.

    Raises:
        ConfigurationError: It has no http(s) scheme, or no host that can be looked up, carries a user or
            password, a query or a fragment, or would send the token in the clear; the message begins with
            `name`.
    """
    try:
        url = URL(text)  # type: ignore[arg-type] # anything else than a str is a TypeError
    except (ValueError, TypeError):
        raise ConfigurationError(f"{name}: is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"{name}: needs a scheme and a host, as in {DEFAULT_BASE_URL}")
    if url.user is not None or url.password is not None:
        raise ConfigurationError(f"{name}: must not hold a user or a password")
    if url.raw_query_string or url.raw_fragment:
        raise ConfigurationError(f"{name}: must not hold a query or a fragment")
    check_host(url, name)
    if url.scheme == "http" and not is_loopback(url.host) and not allow_insecure:
        raise ConfigurationError(
            f"{name}: http:// to {url.host} would send the token in the clear; use https://",
            override="allow_insecure=True",
        )
    return url


def check_host(url: URL, name: str) -> None:
    """Refuse a host that no look-up can take: asked for, it is a UnicodeError, or another host.

    Raises:
        ConfigurationError: Its name has an empty or too long label, or is too long, or it is half an IPv4
            address; the message begins with `name`.
    """
    host = url.raw_host or ""
    if ":" in host:
        return  # an IPv6 address, which yarl has read
    try:
        host.encode("idna")  # as a look-up does; and so the codec is there when it does
        fits = len(host.removesuffix(".")) <= _LONGEST_NAME
    except UnicodeError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{name}: its host has an empty part, a part of more than {_LONGEST_LABEL} characters, or more "
            f"than {_LONGEST_NAME} in all"
        )
    if host.replace(".", "").isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:  # inet_aton would take "127.1" or "2130706433" for some address
            raise ConfigurationError(
                f"{name}: its host is no IPv4 address of four numbers from 0 to 255"
            ) from None


def check_proxy(text: str, name: str = "proxy") -> None:
    """Refuse what is no URL of an HTTP proxy.

    Raises:
        ConfigurationError: It is none, or its user and password cannot be sent; the message begins with
            `name`, and shows nothing of the URL, which may hold a password.
    """
    try:
        url = URL(text)
    except (ValueError, TypeError):
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(
            f"{name}: needs http:// or https:// and a host, as in http://proxy.example:3128"
        )
    check_host(url, name)
    user = url.user or ""
    if ":" in user:  # RFC 7617 §2: the first colon ends the user
        raise ConfigurationError(f"{name}: its user must not hold a colon")
    if any(ord(character) > 0xFF for character in user + (url.password or "")):
        raise ConfigurationError(f"{name}: its user and password must be of Latin-1 (ISO 8859-1)")
