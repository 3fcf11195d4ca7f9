"""A job as a plugin's author writes it: pages are mapped, metrics given, an artifact streamed.

A page is ``CHARS/ERRORS``.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from bec_core import (
    JobType,
    Metric,
    Page,
    PageData,
    PageError,
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

    def run(self, ctx: TaskContext) -> TaskResult:
        """Count every page."""
        chars = errors = 0
        with ctx.open_artifact(".jsonl") as file:
            for page, found in ctx.map_pages(count, returns=Count, threads=self._config.threads):
                row: dict[str, Any] = {"page": page.filename}
                if found is not None:
                    chars, errors = chars + found.chars, errors + found.errors
                    row["chars"] = found.chars
                file.write(json.dumps(row).encode() + b"\n")
        if self._config.give:
            ctx.metrics(pages=len(ctx.volume.pages), chars=chars, error=errors / max(1, chars))
        ctx.log.info("{} characters", chars)
        return TaskResult()

    def close(self) -> None:
        """Nothing is held."""


AUTHOR = JobType(
    name="author",
    config=AuthorConfig,
    worker="support.author_job:AuthorWorker",
    version="1.0",
    summary="What an author writes.",
    metrics=(
        Metric("error", "Share of wrong characters", weight="chars", better="lower", percent=True),
        Metric("chars", "Characters"),
        Metric("pages", "Pages", better="higher"),
    ),
)
