"""The report of recognised text in a real browser, headless, from disk; skipped where there is no Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from bec_ocreval.report import write_comparison, write_report
from support.chromium import Driver
from support.ocr_volumes import HOSTILE, evaluated

TRUTH = ("བཀྲ་ཤིས་བདེ་ལེགས་ཕུན་སུམ་ཚོགས།",) * 6


def look(browser: Driver, page: Path) -> None:
    """Open a page; nothing of it may be refused or missing, and on a telephone nothing may stick out."""
    browser.set_window_size(1300, 900)
    browser.get(page.as_uri())
    assert browser.get_log("browser") == []
    browser.set_window_size(420, 800)
    sticks_out = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.execute_script(sticks_out) <= 0
    browser.set_window_size(1300, 900)


@pytest.mark.slow
def test_a_link_opens_the_pages_texts(browser, tmp_path):
    pages = [(f"{number}.jpg", (TRUTH[0][:-number],) * 6, TRUTH) for number in range(1, 16)]
    volume = evaluated([*pages, (HOSTILE, (HOSTILE,), (HOSTILE + "ཀ",)), ("alone.jpg", ("བཀྲ་མཁ",), None)])
    first = write_report([volume, evaluated(pages[:2], w_id="W2")], tmp_path)
    look(browser, first)
    browser.find_element(By.LINK_TEXT, "W1 · I1").click()
    look(browser, first.parent / "W1-I1-121212" / "index.html")
    leaf = browser.find_element(By.XPATH, "//details[.//*[@id='p3']]")
    assert leaf.get_attribute("open") is None
    browser.find_element(By.CSS_SELECTOR, "a[href='#p3']").click()
    assert leaf.get_attribute("open") is not None
    top = browser.execute_script("return arguments[0].getBoundingClientRect().top", leaf)
    assert -50 < top < 900
    assert browser.execute_script("return document.images.length + document.scripts.length") == 0


@pytest.mark.slow
def test_a_comparison(browser, tmp_path):
    before = evaluated([("1.jpg", TRUTH, TRUTH), (HOSTILE, (HOSTILE,), None)])
    after = evaluated([("1.jpg", TRUTH[:3], TRUTH), (HOSTILE, ("ཀ",), None)])
    look(browser, write_comparison([(before, after)], tmp_path, names=("one", HOSTILE)))
    assert len(browser.find_elements(By.CSS_SELECTOR, "span.missing")) > 0
    assert browser.execute_script("return document.images.length + document.scripts.length") == 0
