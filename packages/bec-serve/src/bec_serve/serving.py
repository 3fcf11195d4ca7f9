"""What every page has at hand."""

from __future__ import annotations

from attrs import field, frozen
from jinja2 import Environment

from bec_core.admin.session import Session
from bec_serve.cache import Cache
from bec_serve.drawings import Drawings
from bec_serve.hosts import Hosts
from bec_serve.rights import Access, Links
from bec_serve.templating import make_environment
from bec_serve.visitors import Visitors

READERS = 4
"""So many connections to the database at most."""

_STORE_READERS = 4


@frozen(kw_only=True)
class Serving:
    """The services, the caches and the rules of this process.

    Attributes:
        session: for reading; its database is asked through ``reads`` alone.
        access: the rights that there are.
        hosts: the names that are ours.
        visitors: knows who asks.
        hourly_price: what one worker costs an hour, if that was said.
        reads: what is read from the database.
        files: what is read from sources and stores; slow ones of these hold up no other page.
        drawings: volumes as their jobs' plugins draw them.
        links: those that let one in once.
        templates: the pages' templates.
    """

    session: Session
    access: Access
    hosts: Hosts
    visitors: Visitors
    hourly_price: float | None = None
    reads: Cache = field(factory=lambda: Cache(READERS), repr=False)
    files: Cache = field(factory=lambda: Cache(_STORE_READERS), repr=False)
    drawings: Drawings = field(repr=False)
    links: Links = field(factory=Links, repr=False)
    templates: Environment = field(factory=make_environment, repr=False)
