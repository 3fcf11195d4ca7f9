"""An evening with ``bec serve``: a job of a thousand volumes runs, some fail, and two people look at it in a browser.

The operator, on a phone at night, sees at the first glance whether to get up. The librarian finds the ten volumes that
need eyes, marks pages of them, and hands the list on.
"""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from support.axe import serious
from support.chromium import Driver, complaints, visit, wait_until
from support.cli import Bec, install_plugin, write_archive_volume

VOLUMES = 1000
ODD = {number: 2 + number // 100 for number in range(50, 1000, 100)}
"""The ten volumes with odd pages, and how many they have."""
BROKEN = frozenset(range(7, 1000, 90))
MARK = "mark-" + "m" * 20


def pages_of(number: int) -> list[bytes]:
    if number in BROKEN:
        return [b"!terminal"]
    odd = ODD.get(number, 0)
    return [*[b"?odd"] * odd, *[b"plain"] * (12 - odd)]


@pytest.fixture
def evening(bec: Bec, tmp_path: Path) -> Iterator[str]:
    """The address of ``bec serve`` over a job of a thousand volumes at which a worker works."""
    install_plugin(tmp_path / "plugins", "drawn", "support.drawn_job:DRAWN")
    for number in range(VOLUMES):
        write_archive_volume(tmp_path / "archive", f"W{number % 40}", f"I{number:04}", pages_of(number))
    (tmp_path / "volumes.txt").write_text("".join(f"W{n % 40},I{n:04}\n" for n in range(VOLUMES)))
    (tmp_path / "titles.csv").write_text('work,title\nW10,"<b>The Way</b> to the Lamp"\n')
    bec.ok("jobs", "create", "--name", "drawn", "--config-text", '{"max_attempts": 1, "page_ms": 0.5}')
    bec.ok("queue", "enqueue", "--job-name", "drawn", "--file", "volumes.txt")
    tests = Path(__file__).parents[1]
    environment = {
        **os.environ, "BEC_SERVE_MARK_TOKEN": MARK, "PYTHONUNBUFFERED": "1", "BEC_CATALOGUE": "titles.csv",
        "PYTHONPATH": f"{tmp_path / 'plugins'}:{tests}",
    }  # fmt: skip
    program = [sys.executable, "-m", "bec_cli"]
    told = tmp_path / "serve.log"
    with (
        told.open("w") as errors,
        subprocess.Popen(
            [*program, "worker", "--job-name", "drawn"], env=environment, stderr=subprocess.DEVNULL
        ) as worker,
        subprocess.Popen(
            [*program, "serve", "--port", "0", "--allow-marks"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        found = re.fullmatch(r"bec serve: (http://127\.0\.0\.1:\d+)/\n", server.stdout.readline())
        assert found
        yield found[1]
        for process in (worker, server):
            process.terminate()
            process.wait(60)
    assert "ERROR" not in told.read_text()  # somebody looks on while it ends


def until(browser: Driver, what: str, shown: bool = True) -> None:
    wait_until(
        browser, lambda one: (what in one.find_element(By.TAG_NAME, "main").text) is shown, within_s=300
    )


def test_an_operator_on_a_phone_and_a_librarian_at_a_desk(
    browser: Driver, evening: str, bec: Bec, tmp_path: Path
) -> None:
    browser.set_window_size(390, 844)
    visit(browser, f"{evening}/")
    until(browser, "at work")  # while it runs
    verdict = browser.find_element(By.CSS_SELECTOR, ".verdict")
    assert verdict.text.startswith(("✓ All well", "▲ Look at it"))
    assert verdict.rect["y"] + 60 < 844  # at the first glance
    until(browser, "failed")  # failures show while it runs
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
    browser.save_screenshot(str(tmp_path / "phone.png"))
    visit(browser, f"{evening}/failures")
    assert "bound upside down" in browser.find_element(By.TAG_NAME, "main").text
    until(browser, f"{len(BROKEN)}")

    visit(browser, f"{evening}/jobs/drawn")
    until(browser, f"{VOLUMES - len(BROKEN)}")  # by itself, without a reload
    until(browser, "Look at it")

    browser.set_window_size(1300, 900)
    visit(browser, f"{evening}/login?next=/jobs/drawn/volumes")
    browser.find_element(By.NAME, "token").send_keys(MARK)
    browser.find_element(By.CSS_SELECTOR, "form.login button").click()
    until(browser, "1,000 volumes")
    browser.find_element(By.LINK_TEXT, "Those that need eyes first").click()
    until(browser, "suspicious ↓")
    names = [one.text for one in browser.find_elements(By.CSS_SELECTOR, "tbody td.name a")][:10]
    assert names == [f"W{n % 40}/I{n:04}" for n in sorted(ODD, reverse=True)]
    assert "<b>The Way</b> to the Lamp" in browser.find_element(By.TAG_NAME, "main").text

    for name in names[:3]:
        w_id, i_id = name.split("/")
        visit(browser, f"{evening}/jobs/drawn/volumes/{w_id}/{i_id}#p2")
        wait_until(browser, lambda one: one.find_elements(By.ID, "mark"))
        wait_until(
            browser,
            lambda one: Select(one.find_element(By.NAME, "page")).first_selected_option.text.startswith("2 "),
        )
        browser.find_element(By.CSS_SELECTOR, "input[value=wrong]").click()
        browser.find_element(By.CSS_SELECTOR, "input[value=missing]").click()
        if name == names[0]:
            browser.find_element(By.NAME, "who").send_keys("Pema")  # asked once
        browser.find_element(By.CSS_SELECTOR, "#mark button").click()
        until(browser, "1 marked page")
        assert browser.current_url.endswith("#p2")
    browser.save_screenshot(str(tmp_path / "desk.png"))
    visit(browser, f"{evening}/jobs/drawn/marks")
    address = browser.find_element(By.LINK_TEXT, "CSV").get_attribute("href")
    assert address is not None
    with urlopen(address) as answer:
        marks = list(csv.DictReader(io.StringIO(answer.read().decode())))
    assert [f"{one['w_id']}/{one['i_id']}" for one in reversed(marks)] == names[:3]
    assert {(one["who"], one["judgement"], one["faults"]) for one in marks} == {("Pema", "wrong", "missing")}
    assert complaints(browser, evening) == []
    drawn, volume = f"{evening}/jobs/drawn", f"{evening}/jobs/drawn/volumes/{names[0]}"
    browser.get("data:text/html,<html><input><img src=x></html>")
    assert serious(browser), "it sees what is wrong"
    places = [f"{evening}/", drawn, f"{drawn}/volumes", volume, f"{drawn}/marks", f"{drawn}/sample",
              f"{drawn}/compare", f"{evening}/failures", f"{evening}/workers", f"{evening}/login"]  # fmt: skip
    for place in places:
        for width in (1300, 390):
            browser.set_window_size(width, 900)
            visit(browser, place)
            assert serious(browser) == [], (place, width)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    visit(browser, f"{evening}/")
    assert len(bec.ok("marks", "list", "drawn", "--json").json) == 3
