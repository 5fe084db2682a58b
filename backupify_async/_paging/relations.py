"""The relations of RFC 8288 that are known: those of a list's pages, and those that say nothing of them."""

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
