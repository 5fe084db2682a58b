"""The Link header, RFC 8288: text to relations, pure.

aiohttp's own `response.links` takes `rel="next last"` for one relation, does not fold case, and splits at a
quoted `;` or `,`: a list then ends silently. This parser follows RFC 8288 appendix B.2. It skips what it
cannot read, and reports that it did.
"""

import re
from collections.abc import Iterable, Iterator

import attrs

PAGING = frozenset({"first", "prev", "previous", "next", "last"})
"""The relations from one page of a list to others."""

# The other registered link relations: RFC 8288 §4.2 (IANA, as of 2026-11).
_OTHERS = """
about acl alternate amphtml api-catalog appendix apple-touch-icon apple-touch-startup-image archives
author blocked-by bookmark c2pa-manifest canonical chapter cite-as collection compression-dictionary
contents convertedfrom copyright create-form current deprecation describedby describes disclosure
dns-prefetch duplicate edit edit-form edit-media enclosure external geofeed glossary help hosts hub
ice-server icon index intervalafter intervalbefore intervalcontains intervaldisjoint intervalduring
intervalequals intervalfinishedby intervalfinishes intervalin intervalmeets intervalmetby
intervaloverlappedby intervaloverlaps intervalstartedby intervalstarts item latest-version license
linkset lrdd manifest mask-icon me media-feed memento micropub modulepreload monitor monitor-group
next-archive nofollow noopener noreferrer opener openid2.local_id openid2.provider original p3pv1 payment
pingback preconnect predecessor-version prefetch preload prerender prev-archive preview privacy-policy
profile publication rdap-active rdap-bottom rdap-down rdap-top rdap-up related replies restconf ruleinput
search section self service service-desc service-doc service-meta sip-trunking-capability sponsored start
status stylesheet subsection successor-version sunset tag terms-of-service timegate timemap type ugc up
version-history via webmention working-copy working-copy-of
"""
KNOWN = PAGING.union(_OTHERS.split())
"""Relations that are understood. A Link header without any of them may have meant another page."""


# The form of nearly all links: a quoted rel and nothing else. A fast path with the same result.
_SIMPLE = re.compile(r"""[\s,]*<([^>]*)>\s*;\s*rel="([^"\\]*)"\s*(?:,|$)""")
_TARGET = re.compile(r"[\s,]*<([^>]*)>")
# A parameter: a name and perhaps a value, which is quoted (with backslash escapes) or a token. Some servers
# quote with apostrophes. To the RFC these belong to the token, but no relation contains them.
_PARAMETER = re.compile(
    r"""\s*;\s*([^\s=;,"<>]*)\s*"""
    r"""(?:=\s*(?:"((?:[^"\\]|\\.)*)"|'([^'"<>;,]*)'(?=\s*(?:[;,]|$))|([^\s;,"]*)))?"""
)
_END = re.compile(r"[\s;]*(?:,|$)")
_BLANK = re.compile(r"[\s,]*$")
_SEPARATORS = re.compile(r",[\s,]*")


@attrs.frozen
class Links:
    """The relations in the Link headers of one response.

    Attributes:
        targets: URL references as received (relative ones too), by relation in lower case.
        readable: False where a part of the header is not valid by RFC 8288.
    """

    targets: dict[str, str]
    readable: bool = True


def parse_links(headers: Iterable[str]) -> Links:
    """Parse the values of a response's Link headers.

    The first of several links with the same relation wins, as does the first `rel` of a link (RFC 8288 §3.3).
    A link with another context (`anchor`, §3.2) is not about this page and is skipped.
    """
    targets: dict[str, str] = {}
    readable = True
    for header in headers:
        for link in _links(header):
            if link is None:
                readable = False
                continue
            target, parameters = link
            if "anchor" in parameters:
                continue
            for relation in parameters.get("rel", "").lower().split():
                targets.setdefault(relation, target)
    if "previous" in targets:  # a synonym, by the registry of relations (RFC 8288 §4.2)
        targets.setdefault("prev", targets["previous"])
    return Links(targets, readable)


def _links(header: str) -> Iterator[tuple[str, dict[str, str]] | None]:
    """Each link of one header; None for each part that is not a link."""
    position = 0
    while not _BLANK.match(header, position):
        simple = _SIMPLE.match(header, position)
        if simple is not None:
            yield simple[1].strip(), {"rel": simple[2]}
            position = simple.end()
            continue
        found = _TARGET.match(header, position)
        if found is None:
            yield None
            if ">" not in header[position:]:
                return  # no link can follow, and a search at each "<" would be quadratic
            position = _next_link(header, position + 1)
            continue
        parameters: dict[str, str] = {}
        position = found.end()
        while (parameter := _PARAMETER.match(header, position)) is not None:
            name, quoted, by_apostrophes, token = parameter.groups()
            value = by_apostrophes or token or ""
            if quoted is not None:
                value = re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = parameter.end()
        yield found[1].strip(), parameters
        end = _END.match(header, position)
        if end is None:
            yield None
            position = _next_link(header, position)
        else:
            position = end.end()


def _next_link(header: str, position: int) -> int:
    """The position where the next link can begin, after a part that cannot be read."""
    separators = _SEPARATORS.search(header, position)
    return len(header) if separators is None else separators.end()
