"""The kit on a job that maps pages, gives metrics, has resources and settings; and on each way to get those wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, field, frozen

from bec_core import JobType, Metric, Page, PageData, Resource, TaskContext, TaskResult, option
from bec_core.testing.conformance import check_job_type
from bec_core.testing.given import given_problems
from support.author_job import AUTHOR, AuthorSettings, AuthorWorker

PAGES = {"0001.jpg": b"10/1", "0002.jpg": b"20/0"}


def check(job_type: JobType = AUTHOR, **more: Any) -> str:
    try:
        check_job_type(
            job_type,
            pages=PAGES,
            plugin="support.author_job",
            bad_page=b"no figures",
            stop_within_s=2.0,
            run_within_s=10.0,
            **more,
        )
    except AssertionError as error:
        return str(error)
    return ""


def test_it_conforms_with_and_without_what_it_may_be_given(tmp_path: Path) -> None:
    assert check() == ""
    (tmp_path / "model").write_text("word")
    (tmp_path / "truth").mkdir()
    resources = {"model": tmp_path / "model", "truth": tmp_path / "truth"}
    assert check(resources=resources, environment={"BEC_AUTHOR_TIMES": "2"}) == ""


def test_what_it_is_given_wrongly_is_named(tmp_path: Path) -> None:
    assert "there is no file" in check(resources={"model": tmp_path / "none"})
    assert "BEC_AUTHOR_TIMES='9'" in check(environment={"BEC_AUTHOR_TIMES": "9"})
    assert "declares no such resource" in check(resources={"modell": tmp_path})


def test_a_required_resource_must_be_given() -> None:
    needed = evolve(AUTHOR.resources[0], required=True)
    said = check(evolve(AUTHOR, resources=(needed, AUTHOR.resources[1])))
    assert "its worker can't be built: SettingsError: job type author needs the resource model" in said


# -- what map_pages' function returns -----------------------------------------------------------------------


@frozen
class Loose:
    """A value that can't be kept."""

    what: Any = field(default=None)


def loose(page: Page, data: PageData) -> Loose:
    return Loose({page.index: data.data.decode()})


def wrong(page: Page, data: PageData) -> dict[str, str]:
    return {}


class LooseWorker(AuthorWorker):
    def run(self, ctx: TaskContext) -> TaskResult:
        for _ in ctx.map_pages(loose, returns=Loose):
            pass
        return TaskResult()


class WrongWorker(AuthorWorker):
    def run(self, ctx: TaskContext) -> TaskResult:
        for _ in ctx.map_pages(wrong, returns=Loose):  # type: ignore[arg-type]  # the mistake that is to be found
            pass
        return TaskResult()


class ForgettingWorker(AuthorWorker):
    def run(self, ctx: TaskContext) -> TaskResult:
        ctx.map_pages(loose, returns=Loose)
        return TaskResult()


class GivingWorker(AuthorWorker):
    def run(self, ctx: TaskContext) -> TaskResult:
        for _ in ctx.map_pages(loose, returns=Loose):
            pass
        ctx.metrics(error=0.5)
        return TaskResult()


class SecretlyWritingWorker(AuthorWorker):
    """What its pages give it keeps in a list of its own: a resumed run lacks those that were finished before."""

    def run(self, ctx: TaskContext) -> TaskResult:
        seen: list[str] = []

        def look(page: Page, data: PageData) -> bytes:
            seen.append(page.filename)
            return b""

        for _ in ctx.map_pages(look, returns=bytes):
            pass
        ctx.write_artifact(".json", json.dumps(sorted(seen)).encode())
        ctx.metrics(error=0.0, chars=1)
        return TaskResult()


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        (SecretlyWritingWorker, "where an earlier one was stopped (map_pages' function may have no effect"),
        (
            LooseWorker,
            "what map_pages' function returns comes back as another one: Loose.what has other keys",
        ),
        (WrongWorker, "it returned a dict"),
        (ForgettingWorker, "page_done must be called once for every page"),
        (GivingWorker, "error is weighed by chars, which was not given"),
    ],
)
def test_a_fault_of_the_worker_is_named(worker: type, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.author_job.AuthorWorker", worker)
    assert said in check()


# -- what is declared ---------------------------------------------------------------------------------------


@frozen
class Undocumented:
    """Settings whose field means nothing."""

    word: str = "x"


@frozen
class Taken:
    """Settings whose variable is BEC's own."""

    host: str = option("x", "A host.")


MODEL = AUTHOR.resources[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": (Metric("CER", "x"),)}, "'CER': a name is a word"),
        ({"metrics": (Metric("cer", " "),)}, "does not say what it means"),
        ({"metrics": (Metric("a", "x"), Metric("a", "x"))}, "2 of its metrics have the name 'a'"),
        ({"metrics": (Metric("cer", "x", weight="chars"),)}, "weighed by 'chars', which is no metric"),
        (
            {"metrics": (Metric("a", "x", weight="b"), Metric("b", "x", weight="c"), Metric("c", "x"))},
            "'a' is weighed by 'b', which must be a plain sum",
        ),
        ({"metrics": (Metric("a", "x", better="more"),)}, "better is 'lower', 'higher' or None"),
        ({"resources": (Resource("my model", "x"),)}, "'my model': a name is a word"),
        ({"resources": (Resource("m", ""),)}, "does not say what it is"),
        (
            {"resources": (MODEL, evolve(MODEL, name="m"))},
            "2 of its resources have the option '--model-path'",
        ),
        ({"resources": (MODEL, MODEL)}, "2 of its resources have the name 'model'"),
        ({"resources": (Resource("m", "x", option="model"),)}, "'model' is no option"),
        ({"resources": (Resource("m", "x", environment="my-model"),)}, "'my-model' is no variable's name"),
        ({"resources": (Resource("m", "x", environment="BEC_HOME"),)}, "BEC_HOME is a setting of BEC's own"),
        ({"settings": dict}, "is no attrs class"),
        ({"settings": Undocumented}, "'word' does not say what it means"),
        ({"settings": Taken, "name": "sql"}, "BEC_SQL_HOST is a setting of BEC's own"),
        (
            {"settings": AuthorSettings, "resources": (Resource("m", "x", environment="BEC_AUTHOR_TIMES"),)},
            "'times' is read from BEC_AUTHOR_TIMES, which names a resource",
        ),
    ],
)
def test_a_fault_of_the_declaration_is_named(changes: dict[str, Any], said: str) -> None:
    assert given_problems(AUTHOR) == []
    assert said in "; ".join(given_problems(evolve(AUTHOR, **changes)))


def test_a_comparison_that_is_not_there_is_named() -> None:
    assert "its compare: nowhere:compare can't be imported" in check(
        evolve(AUTHOR, compare="nowhere:compare")
    )
