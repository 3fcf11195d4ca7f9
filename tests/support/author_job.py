"""A job as a plugin's author writes it: pages are mapped, metrics given, a resource read, an artifact streamed.

A page is ``CHARS/ERRORS``; the model is a file whose first line is a word that goes into every row.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import frozen

from bec_core import (
    JobType,
    Metric,
    Page,
    PageData,
    PageError,
    Resource,
    TaskContext,
    TaskResult,
    WorkerSetup,
    between,
    option,
    timed,
)


@frozen(kw_only=True)
class AuthorConfig:
    """The job's config."""

    threads: int = option(2, "Pages at a time.", results=False, **between(1, 8))
    give: bool = option(True, "Whether metrics are given.")


@frozen(kw_only=True)
class AuthorSettings:
    """What the environment may say."""

    greeting: str = option("hello", "A word for every row.")
    times: int = option(1, "How often it is said.", **between(1, 3))
    folder: Path | None = option(None, "Where more is.")


@frozen
class Count:
    """A page's figures."""

    page: str
    chars: int
    errors: int


def count(page: Page, data: PageData) -> Count:
    """The page's figures, as its bytes say."""
    with timed("read"):
        try:
            chars, errors = (int(part) for part in data.data.split(b"/"))
        except ValueError as error:
            raise PageError(f"no figures: {error}", stage="read") from error
    return Count(page.filename, chars, errors)


class AuthorWorker:
    """The job's worker."""

    def __init__(self, setup: WorkerSetup) -> None:
        self._config: AuthorConfig = setup.config
        self._settings: AuthorSettings = setup.settings
        model, self._truth = setup.resource("model"), setup.resource("truth")
        self._word = model.path.read_text().split("\n")[0] if model else "box"

    def run(self, ctx: TaskContext) -> TaskResult:
        """Count every page."""
        chars = errors = 0
        with ctx.open_artifact(".jsonl") as file:
            for page, found in ctx.map_pages(count, returns=Count, threads=self._config.threads):
                row: dict[str, Any] = {"page": page.filename, "word": self._word}
                row["greeting"] = self._settings.greeting * self._settings.times
                if found is not None:
                    chars, errors = chars + found.chars, errors + found.errors
                    row["chars"] = found.chars
                file.write(json.dumps(row).encode() + b"\n")
        if self._truth is not None:
            names = sorted(path.name for path in self._truth.path.iterdir())
            ctx.write_artifact(".truth.json", json.dumps(names).encode())
        if self._config.give:
            ctx.metrics(pages=len(ctx.volume.pages), chars=chars, error=errors / max(1, chars))
        ctx.log.info("{} characters", chars)
        return TaskResult()

    def close(self) -> None:
        """Nothing is held."""


AUTHOR = JobType(
    name="author",
    config=AuthorConfig,
    settings=AuthorSettings,
    worker="support.author_job:AuthorWorker",
    version="1.0",
    summary="What an author writes.",
    metrics=(
        Metric("error", "Share of wrong characters", weight="chars", better="lower", percent=True),
        Metric("chars", "Characters"),
        Metric("pages", "Pages", better="higher"),
    ),
    resources=(
        Resource("model", "The words.", environment="BEC_AUTHOR_MODEL", option="--model-path"),
        Resource("truth", "What is right.", folder=True),
    ),
)
