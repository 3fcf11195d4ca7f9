"""The services that the tests share, each started when first asked for."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from bec_core.db import Database
from bec_core.storage import S3Options
from support.bad_network import FaultyProxy
from support.cli import Bec, clean_environment, install_checksum_plugin, use_postgres
from support.services import PostgresServer, moto_server, postgres_server

SLOW_ROOMS = (
    "tests/cli/test_chains.py",
    "tests/cli/test_doctor.py",
    "tests/cli/test_every_state.py",
    "tests/cli/test_last_words.py",
    "tests/cli/test_observe.py",
    "tests/cli/test_plugins_check.py",
    "tests/cli/test_plugins_new.py",
    "tests/crash/",
    "tests/e2e/",
    "tests/serve/",
    "tests/training/",
    "tests/cli/test_adopt.py",
    "tests/cli/test_feeder_service.py",
    "tests/cli/test_scale.py",
    "tests/core/admin/test_asking.py",
    "tests/core/admin/test_feeding.py",
    "tests/core/admin/test_walking.py",
    "tests/core/db/test_deadlines.py",
    "tests/core/db/test_embedded_postgres.py",
    "tests/core/db/test_locks.py",
    "tests/core/db/test_silent_worker.py",
    "tests/core/db/test_standby.py",
    "tests/core/db/test_upgrading.py",
    "tests/core/observers/",
    "tests/core/queues/",
    "tests/core/test_security.py",
    "tests/core/db/test_old_code.py",
    "tests/core/testing/test_plugin_conformance.py",
    "tests/core/testing/test_plugin_guide.py",
    "tests/core/testing/test_testing_kit.py",
    "tests/core/worker/test_inputs.py",
    "tests/core/worker/test_leases.py",
    "tests/core/worker/test_task_life_properties.py",
    "tests/core/worker/test_whose_fault.py",
    "tests/core/worker/test_worker_endings.py",
    "tests/docs/test_aws_page.py",
    "tests/docs/test_ldv1_artifacts_page.py",
    "tests/ldv1/artifacts/test_torch_free.py",
    "tests/ldv1/network/test_checkpoint.py",
    "tests/ldv1/network/test_traced.py",
    "tests/ldv1/page/test_odd_scans.py",
    "tests/ldv1/record/test_volume_file.py",
)
"""Real processes, real waits or long searches throughout: no part of the fast tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(room in item.path.as_posix() for room in SLOW_ROOMS):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def impatient_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's figures don't lag: a worker in this process need not look at an empty queue twice a minute apart."""
    monkeypatch.setattr("bec_core.worker.options.EMPTY_TWICE_S", 0.3)


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Small tensors are slower on many threads than on one when the machine is busy."""
    import torch  # most tests need none

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    """A fresh database with the schema, behind a pool."""
    with postgres.fresh_database() as name:
        pool = Database(postgres.dsn(name), max_size=8)
        pool.open()
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


@pytest.fixture
def bec(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    postgres: PostgresServer,
) -> Iterator[Bec]:
    """The command line over a fresh database; archive and artifacts are folders of ``tmp_path``."""
    clean_environment(monkeypatch)
    monkeypatch.setenv("BEC_SOURCE_URL", (tmp_path / "archive").as_uri())
    monkeypatch.setenv("BEC_DEST_URL", (tmp_path / "artifacts").as_uri())
    install_checksum_plugin(tmp_path / "plugins")
    monkeypatch.syspath_prepend(str(tmp_path / "plugins"))
    monkeypatch.chdir(tmp_path)
    with postgres.fresh_database() as database:
        use_postgres(monkeypatch, postgres, database)
        yield Bec(capsys)
