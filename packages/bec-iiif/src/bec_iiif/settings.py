"""What the environment may say to the source, as ``BEC_IIIF_{NAME}``."""

from __future__ import annotations

from attrs import frozen

from bec_core import between, option


@frozen(kw_only=True)
class IiifSettings:
    """How libraries' servers are asked."""

    requests_per_second: float = option(
        1.0,
        "Requests a second to one host, of all processes on this machine together.",
        **between(0.001, 1000),
    )
    timeout_s: float = option(
        30.0,
        "Seconds that a server may be silent; a whole answer may take ten times as long.",
        **between(0.05, 600),
    )
    cache_mb: int = option(
        4096, "MiB of fetched pages kept under BEC_HOME; 0: none.", **between(0, 100_000_000)
    )
    fresh_hours: float = option(
        168.0, "Hours after which a kept page is asked for again.", **between(0, 100_000)
    )
    contact: str | None = option(
        None, "An address or URL that the User-Agent gives, so that a library can reach you."
    )
    allow_private: bool = option(
        False, "1: servers on this machine and in private networks may be asked too."
    )
