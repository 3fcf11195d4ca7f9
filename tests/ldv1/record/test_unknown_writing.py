"""Pages of writing that the model in the box doesn't know say so; blank pages and pages that it reads don't."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from bec_ldv1.network.checkpoint import load_model
from bec_ldv1.network.engine import Engine
from bec_ldv1.page.flags import Flag
from bec_ldv1.record.details import PageDetails
from bec_ldv1.record.facts import page_facts
from bec_ldv1.record.suspicion import Level, judge
from bec_ldv1.record.usual import Typical
from support.sample_pages import BOOK, PECHA, image_file, look, sample


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(load_model()) as engine:
        yield engine


def details(engine: Engine, plane: np.ndarray) -> PageDetails:
    found = look(engine, image_file(plane)).details
    assert found is not None
    return found


def latin_page(height: int = 1500, width: int = 1000) -> np.ndarray:
    """A page of a Western book on grey paper."""
    plane = np.full((height, width), 225, np.uint8)
    words = (
        "Of",
        "the",
        "many",
        "roads",
        "that",
        "lead",
        "over",
        "the",
        "pass",
        "is",
        "one",
        "beside",
        "a",
        "river",
    )
    for row, y in enumerate(range(150, height - 100, 44)):
        text = " ".join(words[(row + n) % len(words)] for n in range(9))
        cv2.putText(plane, text, (90, y), cv2.FONT_HERSHEY_COMPLEX, 0.85, 40, 2, cv2.LINE_AA)
    return plane


@pytest.mark.parametrize("quarters", [0, 1])
def test_a_page_of_latin_script_says_so(engine: Engine, quarters: int) -> None:
    plane = np.ascontiguousarray(np.rot90(latin_page(), quarters))
    record = look(engine, image_file(plane))
    assert record.details is not None
    assert Flag.UNKNOWN_WRITING in record.details.flags
    assert Flag.BLANK not in record.details.flags
    findings = judge(page_facts(record, whole_lines=True, outer=True), Typical())
    assert findings.level is Level.CHECK
    assert any("does not look like what the model knows" in reason for reason in findings.reasons)


@pytest.mark.parametrize("name", [PECHA, BOOK])
def test_pages_that_the_model_reads_do_not(engine: Engine, name: str) -> None:
    found = details(engine, sample(name)[0])
    assert found.lines
    assert Flag.UNKNOWN_WRITING not in found.flags
    assert found.unread_share is not None
    assert found.unread_share < 0.3


def test_a_blank_page_does_not(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    plane = np.clip(rng.normal(215, 4, (500, 2000)), 0, 255).astype(np.uint8)
    record = look(engine, image_file(plane))
    assert record.details is not None
    assert record.details.flags == {Flag.BLANK}
    assert judge(page_facts(record, whole_lines=True), Typical()).level is Level.BLANK
