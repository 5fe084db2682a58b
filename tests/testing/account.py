"""Requests about the vendor's account: customers and definitions."""

import re

from tests.support.caller import Caller

NAMED = {"customer[name]": "Acme"}


async def ids_of(call: Caller, path: str) -> list[int]:
    """The ids of the whole list, page by page."""
    ids: list[int] = []
    while path:
        received = await call.get(path)
        ids += [each["id"] for each in received.json]
        following = re.search(r'<([^>]*)>; rel="next"', received.headers.get("Link", ""))
        path = following[1].removeprefix(call.base_url) if following else ""
    return ids
