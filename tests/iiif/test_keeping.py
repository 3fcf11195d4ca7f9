"""What is kept on disk: the answers, within their bound, and each host's pace."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from bec_iiif.cache import Cache
from bec_iiif.errors import Unavailable
from bec_iiif.pace import Pace


class Clock:
    """A time that passes when somebody sleeps."""

    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        assert seconds > 0
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


# -- answers ----------------------------------------------------------------------------------------------


def test_an_answer_is_kept_with_what_tells_whether_it_changed(tmp_path, clock):
    cache = Cache(tmp_path, 1000, clock=clock)
    assert cache.get("a") is None
    cache.put("a", b"\n\nbytes", url="https://l.example/a", etag='"1"')
    clock.now += 5
    kept = Cache(tmp_path, 1000, clock=clock).get("a")
    assert (kept.data, kept.url, kept.etag, kept.last_modified, round(kept.age_s)) == (
        b"\n\nbytes", "https://l.example/a", '"1"', None, 5,
    )  # fmt: skip
    (path,) = [one for one in tmp_path.rglob("*") if one.is_file()]
    os.utime(path, (0, path.stat().st_mtime))
    cache.get("a")
    assert path.stat().st_atime == clock.now, (
        "when it was used is written down, also where the system does not"
    )
    cache.still_good("a")
    assert round(cache.get("a").age_s) == 0


def test_what_was_not_used_for_longest_is_given_up_first(tmp_path, clock):
    cache = Cache(tmp_path, 5000, clock=clock)
    for n in range(40):
        clock.now += 1
        cache.put(f"k{n}", b"x" * 300, url="https://l.example/")
        clock.now += 1
        assert cache.get("k0") is not None, "it is used all the time"
        assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) <= 5000
    assert cache.get("k39") is not None
    assert cache.get("k1") is None


def test_what_is_larger_than_the_bound_is_not_kept_and_nothing_lost_for_it(tmp_path):
    cache = Cache(tmp_path, 1000)
    cache.put("a", b"x" * 100, url="https://l.example/")
    cache.put("b", b"x" * 2000, url="https://l.example/")
    assert cache.get("a") is not None
    assert cache.get("b") is None
    none = Cache(tmp_path / "none", 0)
    none.put("a", b"x", url="https://l.example/")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"sha256": "00"}\nabc', b"[]\nabc", b"\xff\xfe"])
def test_what_is_damaged_counts_as_not_there(tmp_path, damage):
    cache = Cache(tmp_path, 1000)
    cache.put("a", b"abc", url="https://l.example/")
    (path,) = [p for p in tmp_path.rglob("*") if p.is_file()]
    path.write_bytes(damage)
    assert cache.get("a") is None
    cache.put("a", b"abc", url="https://l.example/")
    assert cache.get("a").data == b"abc"


def test_a_folder_that_can_not_be_written_stops_no_work(tmp_path):
    (tmp_path / "answers").write_text("in the way")
    cache = Cache(tmp_path, 1000)
    cache.put("a", b"abc", url="https://l.example/")
    assert cache.get("a") is None


WRITER = """
import sys
from pathlib import Path
from bec_iiif.cache import Cache
cache = Cache(Path(sys.argv[1]), 1 << 30)
for n in range(100000):
    cache.put("a", bytes([n % 256]) * (1 << 22), url="https://l.example/")
    print(n, flush=True)
"""


def test_a_killed_process_leaves_a_whole_answer_or_none(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE)
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kept = Cache(tmp_path, 1 << 30).get("a")
    assert len(kept.data) == 1 << 22
    assert len(set(kept.data)) == 1


def test_what_a_killed_process_left_half_written_is_removed_in_time(tmp_path, clock):
    cache = Cache(tmp_path, 1000, clock=clock)
    cache.put("a", b"abc", url="https://l.example/")
    left = tmp_path / "answers" / "new-1"
    left.write_bytes(b"half")
    os.utime(left, (clock.now, clock.now))
    Cache(tmp_path, 1000, clock=clock).put("b", b"abc", url="https://l.example/")
    assert left.exists()
    clock.now += 4000
    Cache(tmp_path, 1000, clock=clock).put("c", b"abc", url="https://l.example/")
    assert not left.exists()


# -- pace -------------------------------------------------------------------------------------------------


def pace_of(folder, clock, per_second=2.0, most_wait_s=60.0):
    return Pace(folder, per_second=per_second, most_wait_s=most_wait_s, clock=clock, sleep=clock.sleep)


def test_a_host_s_requests_are_apart_whichever_process_makes_them(tmp_path, clock):
    began = clock.now
    for _ in range(3):
        pace_of(tmp_path, clock).wait("l.example:8000")
        pace_of(tmp_path, clock).wait("l.example:8000")
    assert clock.now - began == pytest.approx(2.5)


def test_hosts_do_not_wait_for_each_other(tmp_path, clock):
    began = clock.now
    for n in range(5):
        pace_of(tmp_path, clock).wait(f"{n}.example")
    assert clock.now == began


def test_threads_share_one_pace(tmp_path):
    pace = Pace(tmp_path, per_second=50.0, most_wait_s=1.0)
    began, at = threading.Event(), []

    def ask():
        began.wait()
        pace.wait("l.example")
        at.append(pace._clock())

    threads = [threading.Thread(target=ask) for _ in range(10)]
    for thread in threads:
        thread.start()
    began.set()
    for thread in threads:
        thread.join()
    assert max(at) - min(at) >= 9 / 50 - 0.02


def test_a_host_that_wants_to_be_left_alone_is_by_all(tmp_path, clock):
    pace_of(tmp_path, clock).leave_alone("l.example", 30.0)
    began = clock.now
    pace_of(tmp_path, clock).wait("l.example")
    assert clock.now - began == pytest.approx(30.0)
    pace_of(tmp_path, clock).leave_alone("l.example", 300.0)
    with pytest.raises(Unavailable, match="left alone for another 300 s"):
        pace_of(tmp_path, clock).wait("l.example")


def test_who_waits_for_its_turn_heeds_what_another_was_told_meanwhile(tmp_path, clock):
    pace = pace_of(tmp_path, clock)

    def sleep(seconds):
        Clock.sleep(clock, seconds)
        pace._sleep = clock.sleep
        pace.leave_alone("l.example", 30.0)

    pace.wait("l.example")
    pace._sleep = sleep
    began = clock.now
    pace.wait("l.example")
    assert clock.now - began >= 30.0


@pytest.mark.parametrize(
    "written", [b"", b"[1", b"{}", b"[1, 2, 3]", b'["a", 1]', b"[1e300, 1e300]", b"[NaN, 1]"]
)
def test_a_damaged_file_or_a_clock_set_back_blocks_no_host(tmp_path, clock, written):
    (tmp_path / "l.example").write_bytes(written)
    began = clock.now
    pace_of(tmp_path, clock).wait("l.example")
    assert clock.now - began < 1.0
