"""Reads and checks the URLs of an API and of a proxy."""

import ipaddress

from yarl import URL

from backupify_async.errors import ConfigurationError

DEFAULT_BASE_URL = "https://api.backupify.com"

_LONGEST_LABEL = 63  # octets; RFC 1035 §2.3.4
_LONGEST_NAME = 253  # characters: the 255 octets of RFC 1035 §2.3.4, written with dots


def is_loopback(host: str) -> bool:
    """Whether a host is this machine (RFC 6761 §6.3, RFC 5735 §3, RFC 4291 §2.5.3)."""
    name = host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_base_url(text: object, *, allow_insecure: bool, name: str = "base_url") -> URL:
    """Read a base URL: an origin, optionally with a path prefix.

    Raises:
        ConfigurationError: It has no http(s) scheme, or no host that can be resolved, contains a user, a
            password, a query or a fragment, or would send the token in the clear. The message begins with
            `name`.
    """
    try:
        url = URL(text)  # type: ignore[arg-type] # anything else than a str is a TypeError
    except (ValueError, TypeError):
        raise ConfigurationError(f"{name}: is not a URL") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigurationError(f"{name}: needs a scheme and a host, as in {DEFAULT_BASE_URL}")
    if url.user is not None or url.password is not None:
        raise ConfigurationError(f"{name}: must not contain a user or a password")
    if url.raw_query_string or url.raw_fragment:
        raise ConfigurationError(f"{name}: must not contain a query or a fragment")
    check_host(url, name)
    if url.scheme == "http" and not is_loopback(url.host) and not allow_insecure:
        raise ConfigurationError(
            f"{name}: http:// to {url.host} would send the token in the clear; use https://",
            override="allow_insecure=True",
        )
    return url


def check_host(url: URL, name: str) -> None:
    """Refuse a host that cannot be resolved: resolving it would raise UnicodeError, or find another host.

    Raises:
        ConfigurationError: Its name has an empty or overlong label, or is too long, or it is an incomplete
            IPv4 address. The message begins with `name`.
    """
    host = url.raw_host or ""
    if ":" in host:
        return  # an IPv6 address, which yarl has read
    try:
        host.encode("idna")  # as resolving does; this also imports the codec in advance
        fits = len(host.removesuffix(".")) <= _LONGEST_NAME
    except UnicodeError:
        fits = False
    if not fits:
        raise ConfigurationError(
            f"{name}: its host has an empty label, a label of more than {_LONGEST_LABEL} characters, or more "
            f"than {_LONGEST_NAME} characters in all"
        )
    if host.replace(".", "").isdigit():
        try:
            ipaddress.IPv4Address(host)
        except ValueError:  # inet_aton would take "127.1" or "2130706433" for some address
            raise ConfigurationError(
                f"{name}: its host is not an IPv4 address of four numbers from 0 to 255"
            ) from None


def check_proxy(text: str, name: str = "proxy") -> None:
    """Refuse a text that is not the URL of an HTTP proxy.

    Raises:
        ConfigurationError: It is not one, or its user and password cannot be sent. The message begins with
            `name`, and shows nothing of the URL, which can contain a password.
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
        raise ConfigurationError(f"{name}: its user must not contain a colon")
    if any(ord(character) > 0xFF for character in user + (url.password or "")):
        raise ConfigurationError(f"{name}: its user and password must be Latin-1 (ISO 8859-1)")
