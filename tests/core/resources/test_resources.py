"""Finding resources, fetching them once a machine, and never taking another one for the right one."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from bec_core import JobType, Resource
from bec_core.errors import SettingsError, StorageError
from bec_core.resource_place import parse_place
from bec_core.resources import NamedResources, ResourceCache, ResourceFinder, folder_sha256
from bec_core.storage import S3Options, open_store
from support.author_job import AUTHOR, AuthorConfig
from support.bad_network import Fault, FaultyProxy
from support.https_server import HttpsServer, https_server

MODEL = Resource("model", "The words.", environment="BEC_MODEL", option="--model-path")
TRUTH = Resource("truth", "What is right.", folder=True)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# -- on this machine ----------------------------------------------------------------------------------------


def find(job_type: JobType = AUTHOR, in_config: dict[str, str] | None = None, **named: str) -> object:
    return ResourceFinder(None, NamedResources(named)).find(job_type, in_config)


def test_a_file_and_a_folder_are_used_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(b"model")
    truth = tmp_path / "truth"
    (truth / "deep").mkdir(parents=True)
    (truth / "b.txt").write_bytes(b"B")
    (truth / "deep/a.txt").write_bytes(b"A")
    found = ResourceFinder(None, NamedResources({"model": str(tmp_path / "m.pt"), "truth": str(truth)})).find(
        AUTHOR, None
    )
    assert (found["model"].path, found["model"].sha256) == (tmp_path / "m.pt", sha(b"model"))
    listed = f"{sha(b'B')}  b.txt\n{sha(b'A')}  deep/a.txt\n"
    assert (found["truth"].path, found["truth"].sha256) == (truth, sha(listed.encode()))


def test_a_folders_hash_knows_names_and_contents_but_no_hidden_files(tmp_path: Path) -> None:
    def made(**files: bytes) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, data in files.items():
            path = folder / name.replace("__", "/").replace("dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder_sha256(folder)

    first = made(a=b"1", b=b"2")
    assert made(b=b"2", a=b"1", dot_DS_Store=b"x", dot_git__config=b"y") == first
    assert (
        len({first, made(a=b"1", c=b"2"), made(a=b"2", b=b"1"), made(a=b"1"), made(x__a=b"1", b=b"2")}) == 5
    )


def test_the_command_line_wins_over_the_config_and_that_over_the_environment(tmp_path: Path) -> None:
    for name in ("named", "option", "config", "variable"):
        (tmp_path / name).write_text(name)
    job = JobType("j", AuthorConfig, "none:none", "1", "x", resources=(MODEL,))

    def which(*ways: str) -> str | None:
        finder = ResourceFinder(
            None,
            NamedResources(
                {"model": str(tmp_path / "named")} if "named" in ways else {},
                {"--model-path": str(tmp_path / "option")} if "option" in ways else {},
            ),
            {"BEC_MODEL": str(tmp_path / "variable") if "variable" in ways else ""},
        )
        found = finder.find(job, {"model": str(tmp_path / "config")} if "config" in ways else None)
        return found["model"].path.name if found else None

    assert which("named", "config", "variable") == "named"
    assert which("option", "config", "variable") == "option"
    assert which("config", "variable") == "config"
    assert which("variable") == "variable"
    assert which() is None
    with pytest.raises(SettingsError, match="name two places"):
        which("named", "option")


def test_what_is_missing_of_another_kind_or_of_another_hash_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_bytes(b"model")
    for place, said in {
        str(tmp_path / "none"): "there is no file",
        str(tmp_path): "is not a file",
        f"{tmp_path / 'm.pt'}#sha256={'0' * 64}": f"has the SHA-256 {sha(b'model')}, not 000",
        "s3://bucket/m.pt": "can't be fetched here",
    }.items():
        with pytest.raises(SettingsError, match=said):
            find(model=place)
    with pytest.raises(SettingsError, match="is not a folder"):
        find(truth=str(tmp_path / "m.pt"))
    assert find(model=f"{tmp_path / 'm.pt'}#sha256={sha(b'model')}")


def test_a_required_one_that_nobody_names_is_said_with_all_ways() -> None:
    needed = Resource("truth", "Ground truth.", required=True, environment="BEC_T", option="--truth")
    job = JobType("eval", AuthorConfig, "none:none", "1", "x", resources=(needed,))
    with pytest.raises(SettingsError, match="job type eval needs the resource truth: Ground truth") as caught:
        find(job)
    for way in ("--truth", "--resource truth=…", '{"resources": {"truth": "…"}} in the config', "BEC_T"):
        assert way in str(caught.value)


def test_what_no_job_type_declares_is_refused() -> None:
    NamedResources({"model": "x"}, {"--model-path": "y"}).check([AUTHOR])
    with pytest.raises(SettingsError, match=r"author declares no such resource \(declared: model, truth\)"):
        NamedResources({"modell": "x"}).check([AUTHOR])
    with pytest.raises(SettingsError, match="--other is for another job type, not for author"):
        NamedResources({}, {"--other": "x"}).check([AUTHOR])


def test_where_several_job_types_are_run_a_name_says_whose_it_is(tmp_path: Path) -> None:
    one, two = (attrs.evolve(AUTHOR, name=name) for name in ("one", "two"))
    with pytest.raises(
        SettingsError, match=r"several of the job types have one; say one\.model or two\.model"
    ):
        NamedResources({"model": "x"}).check([one, two])
    named = NamedResources({"two.model": "x"})
    named.check([one, two])
    model = next(resource for resource in AUTHOR.resources if resource.name == "model")
    assert (named.of(one, model), named.of(two, model)) == (None, "x")
    with pytest.raises(SettingsError, match="declares no such resource"):
        NamedResources({"three.model": "x"}).check([one, two])


# -- from S3 ------------------------------------------------------------------------------------------------


class Remote:
    """A bucket, a cache that reads it through a proxy, and what was asked of the proxy."""

    def __init__(self, bucket: str, proxy: FaultyProxy, folder: Path) -> None:
        self.url = f"s3://{bucket}"
        self.proxy = proxy
        self.folder = folder
        options = S3Options(region="us-east-1", endpoint_url=proxy.url)
        self.store = open_store(self.url, s3=options)
        self.cache = ResourceCache(folder, options)

    def get(self, place: str, resource: Resource = MODEL) -> Path:
        return self.cache.get(resource, parse_place(f"{self.url}/{place}")).path

    def asked(self) -> list[str]:
        seen = [
            f"{method} {path.partition('?')[0].rpartition('/')[2]}" for method, path, _ in self.proxy.seen
        ]
        self.proxy.seen.clear()
        return seen


@pytest.fixture
def remote(bucket: str, proxy: FaultyProxy, tmp_path: Path) -> Remote:
    return Remote(bucket, proxy, tmp_path / "cache")


def test_with_a_hash_it_is_fetched_once_and_never_asked_for_again(remote: Remote) -> None:
    remote.store.put("models/m.pt", b"model")
    remote.asked()
    place = f"models/m.pt#sha256={sha(b'model')}"
    path = remote.get(place)
    assert (path.name, path.read_bytes()) == ("m.pt", b"model")
    assert remote.asked() == ["GET m.pt"]
    remote.store.delete("models/m.pt")
    remote.asked()
    assert remote.get(place) == path
    assert remote.asked() == []


def test_without_a_hash_it_is_fetched_again_only_if_it_changed(remote: Remote) -> None:
    remote.store.put("m.pt", b"one")
    remote.asked()
    first = remote.get("m.pt")
    assert remote.asked() == ["HEAD m.pt", "GET m.pt"]
    assert remote.get("m.pt") == first
    assert remote.asked() == ["HEAD m.pt"]
    remote.store.put("m.pt", b"two")
    remote.asked()
    assert remote.get("m.pt").read_bytes() == b"two"
    assert remote.asked() == ["HEAD m.pt", "GET m.pt"]
    assert first.read_bytes() == b"one", "a worker may still read it"


def test_a_folder_comes_whole_without_hidden_objects(remote: Remote) -> None:
    for name, data in {"t/a.txt": b"A", "t/deep/b.txt": b"B", "t/.hidden": b"x", "tt/c.txt": b"C"}.items():
        remote.store.put(name, data)
    path = remote.get("t", TRUTH)
    assert sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()) == [
        "a.txt",
        "deep/b.txt",
    ]
    digest = folder_sha256(path)
    remote.asked()
    assert remote.get("t/", TRUTH) == path
    assert not [one for one in remote.asked() if one.endswith(".txt")]
    assert remote.get(f"t#sha256={digest}", TRUTH) == path
    assert remote.asked() == []
    remote.store.put("t/a.txt", b"changed")
    assert (remote.get("t", TRUTH) / "a.txt").read_bytes() == b"changed"


def test_another_hash_is_refused_and_nothing_is_kept(remote: Remote) -> None:
    remote.store.put("m.pt", b"model")
    with pytest.raises(SettingsError, match=f"has the SHA-256 {sha(b'model')}, not 0000"):
        remote.get(f"m.pt#sha256={'0' * 64}")
    assert [path.name for path in remote.folder.iterdir()] == ["locks"]


@pytest.mark.parametrize("resource", [MODEL, TRUTH], ids=["file", "folder"])
def test_what_is_not_there_is_said(remote: Remote, resource: Resource) -> None:
    for place in ("none", f"none#sha256={'0' * 64}"):
        with pytest.raises(SettingsError, match="there is no"):
            remote.get(place, resource)


def test_what_was_damaged_is_fetched_anew(remote: Remote) -> None:
    remote.store.put("m.pt", b"model")
    place = f"m.pt#sha256={sha(b'model')}"
    path = remote.get(place)
    path.write_bytes(b"mod")
    assert remote.get(place).read_bytes() == b"model"


def test_one_content_by_two_names_has_both(remote: Remote) -> None:
    remote.store.put("a.pt", b"same")
    remote.store.put("b.onnx", b"same")
    assert remote.get("a.pt").name == "a.pt"
    assert remote.get(f"b.onnx#sha256={sha(b'same')}").name == "b.onnx"
    assert remote.get("a.pt").read_bytes() == remote.get("b.onnx").read_bytes() == b"same"


def test_a_service_in_trouble_is_no_mistake_of_anybody(
    bucket: str, impatient: S3Options, tmp_path: Path, proxy: FaultyProxy
) -> None:
    proxy.fail(Fault("status", status=503), times=99)
    with pytest.raises(StorageError):
        ResourceCache(tmp_path, impatient).get(MODEL, parse_place(f"s3://{bucket}/m.pt"))


@pytest.mark.parametrize(("times", "whole"), [(2, True), (99, False)])
def test_a_body_that_breaks_off_is_asked_for_again(
    bucket: str,
    impatient: S3Options,
    tmp_path: Path,
    proxy: FaultyProxy,
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    whole: bool,
) -> None:
    monkeypatch.setattr("bec_core.resources.fetch._FIRST_PAUSE_S", 0.01)
    data = os.urandom(3_000_000)
    open_store(f"s3://{bucket}", s3=impatient).put("m.pt", data)
    proxy.fail(Fault("truncate"), method="GET", path="m.pt", times=times)
    cache = ResourceCache(tmp_path / "cache", impatient)
    place = parse_place(f"s3://{bucket}/m.pt#sha256={sha(data)}")
    if whole:
        assert cache.get(MODEL, place).path.read_bytes() == data
    else:
        with pytest.raises(StorageError):
            cache.get(MODEL, place)
        assert [path.name for path in (tmp_path / "cache").iterdir()] == ["locks"]


def test_a_place_that_can_not_be_written_is_said(remote: Remote) -> None:
    remote.store.put("m.pt", b"model")
    remote.folder.write_text("a file in the way")
    with pytest.raises(SettingsError, match=r"can't be used.*BEC_HOME says where resources are kept"):
        remote.get("m.pt")


# -- by https -----------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpsServer]:
    monkeypatch.setattr("bec_core.resources.fetch._FIRST_PAUSE_S", 0.01)
    with https_server(tmp_path) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate))
        running.files["/m.pt"] = b"model" * 1000
        yield running


def get(server: HttpsServer, tmp_path: Path, path: str = "/m.pt", resource: Resource = MODEL) -> Path:
    cache = ResourceCache(tmp_path / "cache", S3Options())
    return cache.get(resource, parse_place(f"{server.url}{path}#sha256={sha(b'model' * 1000)}")).path


def test_a_file_comes_once(server: HttpsServer, tmp_path: Path) -> None:
    path = get(server, tmp_path)
    assert path.read_bytes() == b"model" * 1000
    server.files.clear()
    assert get(server, tmp_path) == path
    assert server.asked == ["/m.pt"]


@pytest.mark.parametrize("trouble", [500, 503, 429, 0], ids=["500", "503", "429", "half"])
def test_what_may_pass_is_tried_again(server: HttpsServer, tmp_path: Path, trouble: int) -> None:
    server.troubles = [trouble, trouble]
    assert get(server, tmp_path).read_bytes() == b"model" * 1000
    assert len(server.asked) == 3


def test_trouble_that_stays_is_the_services(server: HttpsServer, tmp_path: Path) -> None:
    server.troubles = [503] * 9
    with pytest.raises(StorageError, match="can't be had"):
        get(server, tmp_path)


def test_a_refusal_is_said_at_once(server: HttpsServer, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the server says 404"):
        get(server, tmp_path, "/none")
    assert server.asked == ["/none"]


def test_another_file_is_refused(server: HttpsServer, tmp_path: Path) -> None:
    server.files["/m.pt"] = b"another"
    with pytest.raises(SettingsError, match="has the SHA-256"):
        get(server, tmp_path)


def test_it_may_be_led_elsewhere_but_not_out_of_https(server: HttpsServer, tmp_path: Path) -> None:
    server.redirects["/moved"] = "/m.pt"
    assert get(server, tmp_path, "/moved").name == "moved"
    server.redirects["/out"] = "http://127.0.0.1:9/m.pt"
    with pytest.raises(SettingsError, match="which is not https"):
        get(server, tmp_path / "other", "/out")


def test_a_server_that_nobody_vouches_for_is_refused(
    server: HttpsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(StorageError, match="CERTIFICATE_VERIFY_FAILED"):
        get(server, tmp_path)


def test_https_gives_no_folder(server: HttpsServer, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is a folder, which https can't give"):
        get(server, tmp_path, resource=TRUTH)


# -- many at once, and killed ones --------------------------------------------------------------------------

_GET = """
import sys
from pathlib import Path
from bec_core import Resource
from bec_core.resource_place import parse_place
from bec_core.resources import ResourceCache
from bec_core.storage import S3Options

print("ready", flush=True)
sys.stdin.readline()
cache = ResourceCache(Path(sys.argv[1]), S3Options())
print(cache.get(Resource("model", "x"), parse_place(sys.argv[2])).path.read_bytes()[:5].decode(), flush=True)
"""


def start(server: HttpsServer, tmp_path: Path) -> subprocess.Popen[str]:
    place = f"{server.url}/m.pt#sha256={sha(b'model' * 1000)}"
    command = [sys.executable, "-c", _GET, str(tmp_path / "cache"), place]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


@pytest.mark.slow
def test_ten_workers_that_start_at_once_fetch_once(server: HttpsServer, tmp_path: Path) -> None:
    server.slow_s = 0.5
    processes = [start(server, tmp_path) for _ in range(10)]
    for one in processes:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    assert [one.communicate(timeout=60)[0] for one in processes] == ["model\n"] * 10
    assert server.asked == ["/m.pt"]


@pytest.mark.slow
def test_what_a_killed_one_left_is_removed_and_fetched_anew(server: HttpsServer, tmp_path: Path) -> None:
    server.slow_s = 30.0
    process = start(server, tmp_path)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    ends = time.monotonic() + 20
    while not server.asked and time.monotonic() < ends:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    cache = tmp_path / "cache"
    assert [path.name[:4] for path in cache.iterdir() if path.name != "locks"] == ["new-"]
    server.slow_s = 0.0
    assert get(server, tmp_path).read_bytes() == b"model" * 1000
    assert sorted(path.name for path in cache.iterdir()) == sorted(["locks", sha(b"model" * 1000)])
