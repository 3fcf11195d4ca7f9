"""Headless Chromium for tests; they are skipped, in words, where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1300,900",
)  # fmt: skip
WAIT_S = 60

Driver = webdriver.Chrome


@contextmanager
def chromium(profile: Path) -> Iterator[Driver]:
    """A browser with an empty profile in this folder; its console is kept."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no Chromium with its driver on the PATH: apt-get install chromium chromium-driver")
    options = Options()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def wait_until(browser: Driver, seen: Callable[[Driver], object], within_s: float = WAIT_S) -> None:
    """Wait until it is seen; a page that goes while it is looked at has not been seen yet."""
    wait = WebDriverWait(browser, within_s, ignored_exceptions=(StaleElementReferenceException,))
    wait.until(seen)


def visit(browser: Driver, address: str) -> None:
    """Open a page of ``bec serve``, and wait until it is all there."""
    browser.get(address)
    wait_until(browser, lambda one: "Reading" not in one.title)


def complaints(browser: Driver, address: str) -> list[str]:
    """What the browser's console holds of this server: violations of the policy, scripts' errors."""
    return [one["message"] for one in browser.get_log("browser") if address in one["message"]]
