"""One volume of a job: what was found, as the job's plugin draws it, and people's marks on its pages."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import evolve
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from bec_core import SettingsError, Work
from bec_core.admin.binding import readers_of
from bec_core.admin.marks import FAULTS, JUDGEMENTS, add_mark, list_marks, standing_result
from bec_core.admin.truth_set import correct_page
from bec_core.job import Metric
from bec_serve import readings
from bec_serve.drawings import headers_of
from bec_serve.pages.volumes import figures_of
from bec_serve.rights import Right
from bec_serve.routing import Action, Page, Values, serving_of, visitor_of
from bec_serve.serving import Serving

_MARKS = 500


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """Everything on the page."""
    job = await readings.job_named(serving, path["name"])
    key = (job.id, path["w_id"], path["i_id"])
    result = await serving.reads.get(
        ("result", *key), lambda: standing_result(serving.session, job, path["w_id"], path["i_id"])
    )
    marks = await serving.reads.get(
        ("marks", *key), lambda: list_marks(serving.session, job, volume=result, limit=_MARKS)
    )
    readers = await serving.reads.get(("readers", job.id), lambda: readers_of(serving.session, job))
    drawing = serving.drawings.of(job, result)
    work: Work = serving.session.catalogue.of(result.w_id)
    metrics: list[tuple[Metric, float]] = [
        (metric, result.metrics[metric.name])
        for metric in figures_of(serving, job)
        if metric.name in result.metrics
    ]
    return {
        "job": job,
        "result": result,
        "work": work,
        "marks": marks,
        "marked": {mark.page: mark for mark in marks},
        "readers": readers,
        "drawing": drawing,
        "trouble": None if drawing.trouble is None else str(drawing.trouble),
        "metrics": metrics,
        "judgements": JUDGEMENTS,
        "faults": FAULTS,
        "corrects": serving.session.plugins.job_type(job.type).truth is not None,
        "waits": drawing.report is None and drawing.trouble is None,
    }


async def mark(serving: Serving, request: Request, form: FormData) -> Response:
    """Keep a mark, and go back to the page that was marked."""
    path = request.path_params
    job = await readings.job_named(serving, path["name"])
    page, judgement, note, who, seen = (
        _text(form, name) for name in ("page", "judgement", "note", "who", "seen")
    )
    faults = [one for one in form.getlist("fault") if isinstance(one, str)]
    corrected = form.get("corrected")
    lines = await corrected.read() if isinstance(corrected, UploadFile) and corrected.size else None
    if not who.strip():
        raise SettingsError("say your name: a mark has one")
    if lines is not None and judgement != "wrong":
        raise SettingsError("corrected lines go with a page that is wrong")

    def keep() -> None:
        session, name, of = serving.session, who.strip(), seen or None
        result = standing_result(session, job, path["w_id"], path["i_id"])
        if lines is not None:
            correct_page(session, job, result, page, lines, note=note, who=name, seen=of)
            return
        drawn = serving.drawings.of(job, result).report
        if drawn is None or page not in drawn.pages:
            raise SettingsError(f"{result.ref} shows no page {page!r}: load its page again, then mark")
        add_mark(session, result, page, judgement, faults=faults, note=note, who=name, seen=of)

    await serving.reads.run(keep)
    serving.reads.forget()
    number = _text(form, "number")
    name, w_id, i_id = (quote(path[part], safe="") for part in ("name", "w_id", "i_id"))
    place = f"/jobs/{name}/volumes/{w_id}/{i_id}"
    answer = RedirectResponse(place + (f"#p{int(number)}" if number.isdecimal() else ""), 303)
    visitor = evolve(visitor_of(request), name=who.strip()[:100])
    serving.visitors.remember(answer, visitor, secure=request.url.scheme == "https")
    return answer


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


async def drawn(request: Request) -> Response:
    """A file of a volume's drawing."""
    found = serving_of(request).drawings.file(request.path_params["key"], request.path_params["file"])
    if found is None:
        raise HTTPException(404, "this drawing is not kept any more: load the volume's page again")
    return FileResponse(found, headers=headers_of(found))


PAGE = Page("/jobs/{name}/volumes/{w_id}/{i_id}", "volume.html", read)
ACTIONS = (Action("/jobs/{name}/volumes/{w_id}/{i_id}/marks", Right.MARK, mark),)
ROUTES = (Route("/drawings/{key:str}/{file:path}", drawn, methods=["GET"]),)
