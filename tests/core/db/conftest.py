"""Databases of a test's own."""

import uuid

import psycopg
import pytest


@pytest.fixture
def new(postgres):
    """Make connections to databases of the test's own; ``new(sql)`` to a fresh one."""
    made = []

    def make(*first):
        connection = psycopg.connect(
            postgres.empty_database(f"m_{uuid.uuid4().hex}"), autocommit=True, application_name="test"
        )
        made.append(connection)
        for sql in first:
            connection.execute(sql.encode())
        return connection

    yield make
    for connection in made:
        name = connection.info.dbname
        connection.close()
        postgres.drop_database(name)
