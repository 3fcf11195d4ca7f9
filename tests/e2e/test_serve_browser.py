"""``bec serve`` in a real browser: a server of its own, headless Chromium, desktop and phone, light and dark, keyboard.

Where no Chromium is installed these tests are skipped; ``apt-get install chromium chromium-driver`` brings it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from support.chromium import Driver, complaints, visit, wait_until
from support.cli import Bec, write_archive_volume

PAGES = ("/", "/jobs/checksum", "/failures", "/workers")
ACT = "act-" + "a" * 20


@pytest.fixture
def served(bec: Bec, tmp_path: Path) -> Iterator[tuple[Bec, str]]:
    """A job with failures, and the address at which it is shown."""
    archive = tmp_path / "archive"
    bad = [b"!terminal", b"!unexpected", *[b"!terminal"] * 6]
    volumes = []
    for number, first in enumerate([b"a", *bad], start=1):
        write_archive_volume(archive, "W1", f"I000{number}", [first, b"x"])
        volumes.append(f"--volume=W1,I000{number}")
    bec.ok("jobs", "create", "--name", "checksum", "--config-text", '{"max_attempts": 1}')
    bec.ok("queue", "enqueue", "--job-name", "checksum", *volumes)
    bec("worker", "--job-name", "checksum", "--poll-wait", "0", "--shutdown-after-empty", "1")
    environment = {
        **os.environ, "BEC_SERVE_ACT_TOKEN": ACT, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(tmp_path / "plugins"),
    }  # fmt: skip
    command = [sys.executable, "-m", "bec_cli", "serve", "--port", "0", "--allow-actions"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.fullmatch(r"bec serve: (http://127\.0\.0\.1:\d+)/\n", said)
        assert found, said
        yield bec, found[1]
        server.terminate()
        assert server.wait(30) == 143


def live(browser: Driver) -> None:
    """Wait until the stream has spoken."""
    state = "return document.getElementById('live-state').dataset.state"
    wait_until(browser, lambda one: one.execute_script(state) == "on")


UNNAMED = """
  const named = (one) => (one.getAttribute("aria-label") || one.textContent || one.title || "").trim()
    || (one.labels && one.labels.length) || (one.querySelector("img[alt], svg[aria-label]"));
  const kinds = "a[href], button, input:not([type=hidden]), select, [role=region], nav, section";
  const bad = [...document.querySelectorAll(kinds)]
    .filter((one) => one.offsetParent !== null && !named(one)).map((one) => one.outerHTML.slice(0, 120));
  const pictures = [...document.querySelectorAll("main svg, main img")]
    .filter((one) => !one.getAttribute("aria-label") && !one.getAttribute("alt") && !one.closest("[aria-hidden]"))
    .map((one) => one.outerHTML.slice(0, 120));
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((one) => +one.tagName[1]);
  const skipped = levels.filter((level, n) => level > (levels[n - 1] || 0) + 1);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const twice = ids.filter((id, n) => ids.indexOf(id) !== n);
  return [...bad, ...pictures, ...skipped.map(String), ...twice,
    ...(document.querySelectorAll("h1").length === 1 ? [] : ["not one h1"]),
    ...(document.documentElement.lang ? [] : ["no language"])];
"""
"""What a screen reader could not name, headings that skip a level, ids that are there twice."""

CONTRAST = """
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const lum = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [.2126, .7152, .0722][n], 0);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = rgb(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] > .99) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("body *:not(svg *):not(script)")]
    .filter((one) => one.offsetParent && [...one.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .map((one) => {
      const [a, b] = [lum(rgb(getComputedStyle(one).color)), lum(behind(one))].sort((x, y) => y - x);
      return [(a + .05) / (b + .05), one.textContent.trim().slice(0, 40)];
    }).filter(([ratio]) => ratio < 4.5);
"""
"""Text whose contrast is under 4.5 (WCAG 2.2, 1.4.3)."""


@pytest.mark.parametrize(("width", "theme"), [(390, "dark"), (1300, "light")])
def test_every_page_fits_a_phone_by_night_and_a_desk_by_day(
    browser: Driver, served: tuple[Bec, str], width: int, theme: str
) -> None:
    bec, address = served
    task = bec.ok("errors", "list", "--json").json[0]
    group = f"/jobs/checksum/failures/{task['error_fingerprint']}"
    themed = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    sized = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", themed)
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", sized)
    for path in (
        *PAGES,
        group,
        f"/failures/{task['id']}",
        f"/jobs/checksum/redrive?task={task['id']}",
        "/login",
    ):
        visit(browser, address + path)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width, path
        assert browser.execute_script(UNNAMED) == [], path
        assert browser.execute_script(CONTRAST) == [], path
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert complaints(browser, address) == []


def test_the_first_glance_says_whether_to_get_up(browser: Driver, served: tuple[Bec, str]) -> None:
    bec, address = served
    visit(browser, address)
    live(browser)
    verdict = browser.find_element(By.CSS_SELECTOR, ".verdict")
    troubles = [line for line in bec("health", "--json").json if line["troubles"]]
    assert troubles
    assert verdict.text.startswith("▲ Look at it: 1 trouble")
    assert "8 volumes given up within" in verdict.text
    assert browser.title.startswith("▲ 1")
    icon = browser.find_element(By.CSS_SELECTOR, "link[rel=icon]").get_attribute("href")
    assert "icon-look.svg" in (icon or "")
    assert complaints(browser, address) == []


def test_a_page_changes_by_itself_and_keeps_the_keyboards_place(
    browser: Driver, served: tuple[Bec, str], tmp_path: Path
) -> None:
    bec, address = served
    visit(browser, address + "/jobs/checksum")
    live(browser)
    assert "done of 9 volumes" in browser.find_element(By.ID, "live_head").text
    link = browser.find_element(By.CSS_SELECTOR, "#live_failures td a")
    target = link.get_attribute("href")
    browser.execute_script("arguments[0].focus()", link)
    write_archive_volume(tmp_path / "archive", "W2", "I0100", [b"n"])
    bec.ok("queue", "enqueue", "--job-name", "checksum", "--volume=W2,I0100")
    wait_until(browser, lambda one: "done of 10 volumes" in one.find_element(By.ID, "live_head").text)
    focused = browser.execute_script("return document.activeElement.href")
    assert focused == target
    assert complaints(browser, address) == []


def test_a_server_that_is_gone_is_told(browser: Driver, bec: Bec, served: tuple[Bec, str]) -> None:
    _, address = served
    visit(browser, address)
    live(browser)
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_script("window.stop()")
    offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
    state = "return document.getElementById('live-state').dataset.state"
    wait_until(browser, lambda one: one.execute_script(state) == "lost")
    assert "no word from the server since" in browser.find_element(By.ID, "live-state").text
    browser.execute_cdp_cmd(
        "Network.emulateNetworkConditions",
        {**offline, "offline": False, "downloadThroughput": -1, "uploadThroughput": -1},
    )
    browser.get_log("browser")  # that it could not connect


def test_failures_are_queued_again_by_the_keyboard_alone(browser: Driver, served: tuple[Bec, str]) -> None:
    bec, address = served
    task = next(one for one in bec.ok("errors", "list", "--json").json if one["error_type"] == "KeyError")
    visit(browser, f"{address}/jobs/checksum/failures/{task['error_fingerprint']}")
    press(browser, "Queue them again")
    wait_until(browser, lambda one: "Queue 1 volume again?" in one.page_source)
    press(browser, "Log in to act")
    wait_until(browser, lambda one: one.find_elements(By.ID, "token"))
    browser.switch_to.active_element.send_keys(ACT, Keys.ENTER)
    wait_until(browser, lambda one: "Queue 1 volume again?" in one.page_source)
    press(browser, "Queue 1 volume again")
    wait_until(browser, lambda one: "1 volume queued again" in one.page_source)
    assert bec.ok("jobs", "stats", "checksum", "--json").json["progress"]["waiting"] == 1
    assert complaints(browser, address) == []


def press(browser: Driver, begins: str) -> None:
    """Tab to what begins so, and press Enter; the focus must be seen on the way."""
    browser.execute_script("document.activeElement.blur()")
    for _ in range(60):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        now = browser.switch_to.active_element
        if now.text.startswith(begins):
            style = "return getComputedStyle(arguments[0]).outlineStyle"
            assert browser.execute_script(style, now) == "solid"
            now.send_keys(Keys.ENTER)
            return
    raise AssertionError(f"the keyboard does not reach {begins!r}")
