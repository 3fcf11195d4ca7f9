"""Binding inputs to jobs: what would wait for itself is refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from bec_core import Input
from bec_core.admin.binding import bound_inputs, rebind
from bec_core.admin.job_making import create_job
from bec_core.admin.session import Session
from bec_core.errors import ConflictError
from bec_core.plugins import Plugin, load_plugins
from bec_core.settings import load_settings
from bec_core.testing.checksum_job import CHECKSUM
from support.cli import clean_environment, use_postgres
from support.services import PostgresServer

ONE = attrs.evolve(CHECKSUM, name="one", inputs=(Input("read", family="circle"),), family="circle")
TWO = attrs.evolve(ONE, name="two")


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, postgres: PostgresServer, tmp_path: Path) -> Iterator[Session]:
    clean_environment(monkeypatch)
    database = f"t_{uuid.uuid4().hex}"
    postgres.new_database(database)
    use_postgres(monkeypatch, postgres, database)
    monkeypatch.setenv("BEC_DEST_URL", (tmp_path / "artifacts").as_uri())
    with Session(load_settings()) as opened:
        plugins = load_plugins(found=[])
        circle = Plugin("circle", "bec-circle", "1", (ONE, TWO))
        opened.__dict__["plugins"] = attrs.evolve(plugins, loaded=(circle,))
        yield opened


def test_jobs_that_would_read_each_other_in_a_circle_are_refused(session: Session) -> None:
    first = create_job(session, name="first", job_type="one").job
    second = create_job(session, name="second", job_type="two", inputs={"read": "first"}).job
    third = create_job(session, name="third", job_type="one", inputs={"read": "second"}).job
    for last in ("second", "third"):
        with pytest.raises(ConflictError, match="they would wait for each other"):
            rebind(session, first, {"read": last})
    with pytest.raises(ConflictError, match="can't read itself"):
        rebind(session, first, {"read": "first"})
    assert [one.job_name for one in bound_inputs(session, first)] == [None]
    rebound, _ = rebind(session, third, {"read": "first"})
    assert [one.job_name for one in bound_inputs(session, third)] == ["first"]
    assert (rebound.config_revision, second.config_revision) == (2, 1), "a new binding is a new revision"
