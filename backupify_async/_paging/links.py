"""The Link header, RFC 8288: text to relations, pure.

aiohttp's own `response.links` takes `rel="next last"` for one relation, does not fold case, and splits at a
quoted `;` or `,`; a list then ends in silence. Hence this parser, which follows RFC 8288 appendix B.2, goes
on behind what it cannot read, and says that there was such a thing.
"""

import re
from collections.abc import Iterable, Iterator

import attrs

PAGING = frozenset({"first", "prev", "previous", "next", "last"})
"""What leads from one page of a list to others."""

# The registry of link relations, RFC 8288 §4.2 (IANA, as of 2026-11), but for those of PAGING.
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
"""What a Link header may hold without a doubt whether it meant to name a page."""


# How nearly all links look, in one go: nothing but a quoted rel. The others would read the same from it.
_PLAIN = re.compile(r"""[\s,]*<([^>]*)>\s*;\s*rel="([^"\\]*)"\s*(?:,|$)""")
_TARGET = re.compile(r"[\s,]*<([^>]*)>")
# A parameter: a name, and perhaps a value, quoted (with backslash escapes) or a token. Some servers quote by
# apostrophes, which to the RFC are a part of the token: no relation has such, and what they mean is plain.
_PARAMETER = re.compile(
    r"""\s*;\s*([^\s=;,"<>]*)\s*"""
    r"""(?:=\s*(?:"((?:[^"\\]|\\.)*)"|'([^'"<>;,]*)'(?=\s*(?:[;,]|$))|([^\s;,"]*)))?"""
)
_END = re.compile(r"[\s;]*(?:,|$)")
_BLANK = re.compile(r"[\s,]*$")
_SEPARATORS = re.compile(r",[\s,]*")


@attrs.frozen
class Links:
    """The relations of one answer.

    Attributes:
        targets: URL references by relation, in lower case, as they came: perhaps relative.
        readable: False where a part of the header was not RFC 8288.
    """

    targets: dict[str, str]
    readable: bool = True


def parse_links(headers: Iterable[str]) -> Links:
    """Read the values of an answer's Link headers.

    The first of several links with one relation wins, as does the first `rel` of one link (RFC 8288 §3.3);
    a link with another context (`anchor`, §3.2) does not speak of this page and is passed over.
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
    """Each link of one header; None stands for a stretch that is none."""
    position = 0
    while not _BLANK.match(header, position):
        plain = _PLAIN.match(header, position)
        if plain is not None:
            yield plain[1].strip(), {"rel": plain[2]}
            position = plain.end()
            continue
        found = _TARGET.match(header, position)
        if found is None:
            yield None
            if ">" not in header[position:]:
                return  # no link can follow, and looking for one at each "<" would take long
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
    """Where the next link may begin, behind something that cannot be read."""
    separators = _SEPARATORS.search(header, position)
    return len(header) if separators is None else separators.end()
