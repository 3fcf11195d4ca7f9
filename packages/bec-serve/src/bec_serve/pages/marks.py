"""A job's marks: what people say of its pages, to be read, exported and handed on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from bec_core import SettingsError
from bec_core.admin.marks import JUDGEMENTS, Mark, all_marks, csv_rows, json_rows, list_marks
from bec_serve import readings
from bec_serve.routing import Page, Values, serving_of
from bec_serve.serving import Serving

_SHOWN = 200
_KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """The latest marks of each page, the latest first."""
    job = await readings.job_named(serving, path["name"])
    wanted = tuple(one for one in query.get("judgement", "").split(",") if one)
    if bad := [one for one in wanted if one not in JUDGEMENTS]:
        raise SettingsError(f"there is no judgement {bad[0]!r}; there are {', '.join(JUDGEMENTS)}")
    before = query.get("before", "")
    if before and not before.isdecimal():
        raise SettingsError(f"there is no mark {before!r}")
    marks = await serving.reads.get(
        ("all marks", job.id, wanted, before),
        lambda: list_marks(
            serving.session, job, judgements=wanted, before=int(before) if before else None, limit=_SHOWN
        ),
    )
    return {
        "job": job,
        "marks": marks,
        "wanted": wanted,
        "judgements": JUDGEMENTS,
        "counts": Counter(mark.judgement for mark in marks),
        "more": marks[-1].id if len(marks) == _SHOWN else None,
        "works": {mark.w_id: serving.session.catalogue.of(mark.w_id) for mark in marks},
    }


async def export(request: Request) -> Response:
    """All marks as a file."""
    serving, kind = serving_of(request), request.path_params["kind"]
    job = await readings.job_named(serving, request.path_params["name"])
    if kind not in _KINDS:
        raise SettingsError(f"marks are exported as {' or '.join(_KINDS)}")

    def lines() -> Iterator[str]:
        marks: Iterator[Mark] = all_marks(serving.session, job)
        rows = csv_rows if kind == "csv" else json_rows
        return (line + "\n" for line in rows(serving.session, marks))

    name = f"marks-{job.name}.{kind}"
    return StreamingResponse(
        lines(), media_type=_KINDS[kind], headers={"content-disposition": f'attachment; filename="{name}"'}
    )


PAGE = Page("/jobs/{name}/marks", "marks.html", read)
ROUTES = (Route("/jobs/{name}/marks.{kind}", export, methods=["GET"]),)
