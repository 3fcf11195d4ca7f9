"""Queueing failures again: what that would do, and doing just that."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from bec_core.admin.failures import failed_task
from bec_core.admin.jobs import find_job
from bec_core.admin.redriving import Choice, Redriven, choose, redrive
from bec_core.admin.session import Session
from bec_core.errors import NotFoundError
from bec_core.models import Job
from bec_serve.rights import Right
from bec_serve.routing import Action, Page, Values, render
from bec_serve.serving import Serving

if TYPE_CHECKING:
    from bec_core.admin.redriving import FailedVolume

_SHOWN = 200


def chosen_by(session: Session, name: str, said: Mapping[str, str]) -> tuple[Job, list[FailedVolume]]:
    """The job, and the volumes that ``task`` or ``fingerprint`` names: as ``bec queue redrive`` chooses.

    Raises:
        NotFoundError: neither is said, or there is no such job or task.
    """
    job = find_job(session, name)
    if task_id := said.get("task", ""):
        if not task_id.isdecimal():
            raise NotFoundError("a task's number is missing")
        task = failed_task(session, int(task_id))
        if task.job_id != job.id:
            raise NotFoundError(f"task {task.id} is not one of job {job.name}")
        of_its_status = choose(session, job, Choice((task.status,), fingerprint=task.error_fingerprint))
        return job, [one for one in of_its_status if one.ref == task.ref]
    if fingerprint := said.get("fingerprint", ""):
        return job, choose(session, job, Choice(fingerprint=fingerprint))
    raise NotFoundError("say which failures: a task or a fingerprint")


def digest(chosen: Sequence[FailedVolume]) -> str:
    """A sign of just these volumes."""
    named = ",".join(str(number) for number in sorted(one.volume_id for one in chosen))
    return hashlib.sha256(named.encode()).hexdigest()


async def read(serving: Serving, path: Values, query: Mapping[str, str]) -> Values:
    """What it would do."""
    said = {name: query[name] for name in ("task", "fingerprint") if query.get(name)}
    name = str(path["name"])
    job, chosen = await serving.reads.get(
        ("chosen", name, *said.items()), lambda: chosen_by(serving.session, name, said)
    )
    return _preview(job, said, chosen)


def _preview(
    job: Job, said: Mapping[str, str], chosen: Sequence[FailedVolume], *, changed: bool = False
) -> Values:
    option = f"--fingerprint {said['fingerprint']}" if "fingerprint" in said else ""
    return {
        "job": job,
        "said": said,
        "number": len(chosen),
        "chosen": chosen[:_SHOWN],
        "more": max(0, len(chosen) - _SHOWN),
        "digest": digest(chosen),
        "changed": changed,
        "command": f"bec queue redrive --job-name {job.name} {option}" if option else None,
    }


async def act(serving: Serving, request: Request, form: FormData) -> Response:
    """Queue again what was shown; if that is not the same any more, show anew what it would do."""
    said = {name: str(form[name]) for name in ("task", "fingerprint") if form.get(name)}
    name, seen = request.path_params["name"], form.get("digest")

    def do() -> tuple[Job, list[FailedVolume], Redriven | None]:
        with Session(serving.session.settings, connections=2, through="bec serve") as session:
            job, chosen = chosen_by(session, name, said)
            same = bool(chosen) and digest(chosen) == seen
            return job, chosen, redrive(session, job, chosen) if same else None

    job, chosen, done = await asyncio.to_thread(do)
    if done is None:
        values = {"is_live": False, **_preview(job, said, chosen, changed=True)}
        return render(request, "redrive.html", values, status=409)
    serving.reads.forget()
    serving.files.forget()
    return render(request, "redriven.html", {"is_live": False, "job": job, "done": done})


PAGE = Page("/jobs/{name}/redrive", "redrive.html", read)
ACTION = Action("/jobs/{name}/redrive", Right.ACT, act)
