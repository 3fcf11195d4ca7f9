"""Templates: everything in them is escaped, and no control character of a stranger's text reaches a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bec_core import shown
from bec_core.job import Metric
from bec_core.text import shortened
from bec_core.words import ago, count

_TIBETAN = re.compile("[\u0f00-\u0fff]")
_LIVE = "live_"
"""Blocks whose names begin so are read again while somebody looks."""


def make_environment() -> Environment:
    """The environment of all templates."""
    environment = Environment(
        loader=PackageLoader("bec_serve"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        ago=lambda value: None if value is None else ago(value),
        count=count,
        figure=figure,
        share=share,
        local=local_time,
        segment=segment,
        money=money,
        middle=shortened,
        metric=metric_value,
        work=work_of,
        titled=titled,
        first_line=first_line,
    )
    environment.globals["static"] = {
        one.name: f"/static/{one.name}?{sha256(one.read_bytes()).hexdigest()[:10]}"
        for one in files("bec_serve").joinpath("static").iterdir()
    }
    environment.globals["ui"] = environment.get_template("ui.html").module
    return environment


def _finalize(value: object) -> object:
    """Every value on its way into a page: control and bidi characters as escapes, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, str) and not isinstance(value, Markup):
        return shown(value)
    return value


def live_parts(environment: Environment, template: str, values: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a page that change by themselves, rendered, by the ids of their elements."""
    found = environment.get_template(template)
    context = found.new_context(dict(values))
    return {name: "".join(block(context)) for name, block in found.blocks.items() if name.startswith(_LIVE)}


def figure(value: float | None, digits: int = 0) -> str:
    """``12,345`` or ``1.25``; a dash for None."""
    return "–" if value is None else f"{value:,.{digits}f}"


def money(value: float | None) -> str:
    """A sum, in whatever the price was given in."""
    return figure(value, 2)


def share(part: float, whole: float) -> str:
    """``37 %``; 100 % and 0 % only where that is so."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "< 1 %"
    if 99 < percent < 100:
        return "> 99 %"
    return f"{percent:.0f} %"


def local_time(value: datetime | None) -> str | None:
    """A time in the zone of this machine, as the command line shows it."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if value else None


def metric_value(value: float | None, metric: Metric) -> str:
    """A metric's value of one volume, as the command line says it; a dash for None."""
    return metric.shown(value) or "–"


def work_of(w_id: str) -> str:
    """A volume's W_ID as people know it: without the source that stands before it in the database."""
    return w_id.rpartition(":")[2]


def titled(title: str) -> Markup:
    """A work's title; readers and fonts are told where it is Tibetan."""
    language = Markup(' lang="bo"') if _TIBETAN.search(title) else ""
    return Markup("<bdi{}>{}</bdi>").format(language, shown(title))


def first_line(text: str, most: int) -> str:
    """The first line of a message, or its beginning."""
    first = text.split("\n", 1)[0]
    return first if len(first) <= most else f"{first[: most - 1]}…"


def segment(value: object) -> str:
    """A value as one segment of a URL's path."""
    return quote(str(value), safe="")
