"""The services that the integration tests share, started once for all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import boto3
import pytest

from bec_core.storage import S3Options
from support.bad_network import FaultyProxy
from support.services import PooledDatabase, PostgresServer, moto_server, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[PooledDatabase]:
    """A fresh database with the schema, behind a pool."""
    pool = PooledDatabase(postgres.new_database(f"t_{uuid.uuid4().hex}"))
    yield pool
    pool.close()


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, moto_url: str) -> str:
    """Credentials that moto takes; its URL."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    return moto_url


@pytest.fixture
def bucket(aws: str) -> str:
    """A fresh bucket's name."""
    name = f"bucket-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=aws, region_name="us-east-1").create_bucket(Bucket=name)
    return name


@pytest.fixture
def proxy(moto_url: str) -> Iterator[FaultyProxy]:
    """A proxy in front of moto that can be told to fail."""
    with FaultyProxy(moto_url) as faulty:
        yield faulty


@pytest.fixture
def impatient(proxy: FaultyProxy) -> S3Options:
    """S3 through the proxy, with pauses and time-outs that suit a test."""
    return S3Options(
        region="us-east-1",
        endpoint_url=proxy.url,
        connect_timeout_s=1.0,
        read_timeout_s=0.5,
        request_timeout_s=5.0,
        max_retries=3,
        retry_timeout_s=10.0,
        first_pause_s=0.02,
        max_pause_s=0.1,
    )
