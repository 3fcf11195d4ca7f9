"""What figures are read through can write nothing, and every listing goes through it."""

from __future__ import annotations

import inspect
import pkgutil

import psycopg
import pytest

from bec_core.admin import failures, overview, statistics, volumes, workers
from bec_core.db import Database, reads
from bec_core.errors import DatabaseUnavailable


def test_what_reads_figures_can_write_nothing(database: Database) -> None:
    with (
        pytest.raises((psycopg.errors.ReadOnlySqlTransaction, DatabaseUnavailable), match="read-only"),
        database.reading() as connection,
    ):
        connection.execute("DELETE FROM jobs")


@pytest.mark.parametrize("module", [failures, overview, statistics, volumes, workers])
def test_figures_have_one_path(module: object) -> None:
    source = inspect.getsource(module)  # type: ignore[arg-type]
    assert "database.reading()" in source
    assert "database.connection()" not in source


def test_what_reads_figures_writes_nothing() -> None:
    for found in pkgutil.iter_modules(reads.__path__):
        text = inspect.getsource(__import__(f"bec_core.db.reads.{found.name}", fromlist=["_"])).upper()
        for word in ("INSERT INTO", "UPDATE ", "DELETE FROM"):
            assert word not in text
