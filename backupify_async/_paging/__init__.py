"""Lists over Link headers (RFC 8288): the paginator, its pages, and prefetch."""
