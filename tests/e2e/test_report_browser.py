"""The report in a real browser: Debian's ``chromium`` and ``chromium-driver``, headless, from disk.

Where no Chromium is installed these tests are skipped; ``apt-get install chromium chromium-driver`` brings it.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from bec_ldv1.output.report import write_comparison, write_report
from bec_ldv1.output.report.job_page import VolumeRow, job_pages
from bec_ldv1.output.report.view import Outline, PageView, VolumeView
from bec_ldv1.output.report.volume_page import volume_page
from bec_ldv1.record.records import PageRecord
from bec_ldv1.record.suspicion import Verdict, judge
from bec_ldv1.record.usual import PageFacts, typical
from support.chromium import Driver
from support.report_volumes import made_volume, strokes

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">.png"


def record(name: str, lines: int) -> PageRecord:
    contours = [
        np.array([(90, y), (810, y), (810, y + 24), (90, y + 24)], np.int32)
        for y in range(48, 48 + 30 * lines, 30)
    ]
    boxes = np.array([[90, 48 + 30 * i, 721, 25] for i in range(lines)], np.int32).reshape(-1, 4)
    return PageRecord(name, "e", contours=contours, contours_bboxes=boxes)


COUNTS = (6, 6, 1, 6, 6, 0, 6, 6)
"""Lines found per page; page 4 failed, page 6 is blank, page 3 is short."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = [record(f"p{i + 1}.png", count) for i, count in enumerate(COUNTS)]
    records[3] = PageRecord.failed(
        HOSTILE, "e", stage="decode", error_type="PageProblem", message="it is <b>broken</b>"
    )
    by_name = {r.img_file_name: strokes(r.nb_contours or 0, pitch=30) for r in records if r.ok}
    first = made_volume(records, by_name.__getitem__)
    good = made_volume(
        [record(f"p{i}.png", 6) for i in range(10, 16)], lambda _: strokes(6, pitch=30), w_id="W2"
    )
    return write_report([first, good], tmp_path_factory.mktemp("report"))


def opened(browser: Driver, path: Path, fragment: str = "") -> Driver:
    """Load a page anew (a change of the fragment alone would not)."""
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get(f"{path.as_uri()}{fragment}")
    return browser


def volume_file(report: Path, w_id: str = "W1") -> Path:
    return report.parent / f"{w_id}-I1-121212" / "index.html"


def wait(browser: Driver, script: str) -> Any:
    return WebDriverWait(browser, 10).until(lambda d: d.execute_script(f"return {script}"))


def sheet_order(browser: Driver) -> list[int]:
    captions = "[...document.querySelectorAll('#sheet .caption b')]"
    return list(browser.execute_script(f"return {captions}.map(caption => Number(caption.textContent))"))


def press(browser: Driver, *keys: str) -> None:
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def shown_page(browser: Driver) -> str:
    return browser.find_element(By.ID, "viewer-title").text


def test_the_pages_load_without_a_complaint_and_draw_every_line(browser: Driver, report: Path) -> None:
    opened(browser, report)
    links = browser.find_elements(By.CSS_SELECTOR, "tbody .title")
    assert [link.text for link in links] == ["W1 · I1", "W2 · I1"]
    assert browser.get_log("browser") == []
    opened(browser, volume_file(report))
    browser.execute_script("document.getElementById('sheet').scrollIntoView()")
    drawn = sum(COUNTS) - COUNTS[3]
    assert wait(browser, f"document.querySelectorAll('#sheet svg.lines path').length === {drawn}")
    pictures = "[...document.querySelectorAll('#sheet img')]"
    assert wait(
        browser, f"{pictures}.length === 7 && {pictures}.every(i => i.complete && i.naturalWidth > 0)"
    )
    assert browser.execute_script(f"return {pictures}.every(i => i.alt.startsWith('Page '))")
    assert browser.get_log("browser") == []


def test_a_hostile_file_name_is_text(browser: Driver, report: Path) -> None:
    opened(browser, volume_file(report))
    tile = browser.find_elements(By.CSS_SELECTOR, "#sheet .tile")[3]
    assert tile.find_element(By.CSS_SELECTOR, ".file").get_attribute("textContent") == HOSTILE
    assert browser.title == "W1 · I1 – text lines"
    opened(browser, volume_file(report), "#p4")
    assert browser.find_element(By.ID, "viewer-file").text == HOSTILE
    assert "it is <b>broken</b>" in browser.find_element(By.ID, "viewer-facts").text
    assert browser.title == "W1 · I1 – text lines"


def test_an_injected_script_would_not_run(browser: Driver, report: Path, tmp_path: Path) -> None:
    html = volume_file(report).read_text(encoding="utf-8")
    injected = tmp_path / "index.html"
    injected.write_text(html.replace("<h1>", "<script>document.title='owned'</script><h1>"), encoding="utf-8")
    opened(browser, injected)
    assert browser.title == "W1 · I1 – text lines"
    assert any("Content Security Policy" in entry["message"] for entry in browser.get_log("browser"))


def test_the_contact_sheet_sorts_and_filters(browser: Driver, report: Path) -> None:
    opened(browser, volume_file(report))
    assert sheet_order(browser) == [1, 2, 3, 4, 5, 6, 7, 8]
    order = Select(browser.find_element(By.ID, "order"))
    order.select_by_value("suspicion")
    assert sheet_order(browser)[:2] == [4, 3]
    order.select_by_value("many")
    assert sheet_order(browser)[-2:] == [4, 6]
    for choice, pages in (("error", [4]), ("check", [3]), ("blank", [6])):
        browser.find_element(By.CSS_SELECTOR, f"input[value={choice}]").click()
        assert sheet_order(browser) == pages
    assert browser.find_element(By.CSS_SELECTOR, ".worst a").get_attribute("href").endswith("#p4")


def test_the_job_table_sorts(browser: Driver, report: Path) -> None:
    opened(browser, report)

    def titles() -> list[str]:
        return [link.text for link in browser.find_elements(By.CSS_SELECTOR, "tbody .title")]

    buttons = {button.text: button for button in browser.find_elements(By.CSS_SELECTOR, "th button")}
    buttons["Volume"].click()
    assert titles() == ["W1 · I1", "W2 · I1"]
    buttons["Volume"].click()
    assert titles() == ["W2 · I1", "W1 · I1"]
    buttons["Pages"].click()
    assert titles() == ["W1 · I1", "W2 · I1"]
    head = browser.find_element(By.CSS_SELECTOR, "th[aria-sort]")
    assert (head.text.split()[0], head.get_attribute("aria-sort")) == ("Pages", "descending")


def visible(browser: Driver) -> list[str]:
    """The names that the list shows, in its order."""
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, "tbody .title") if one.is_displayed()]


def test_the_list_is_searched_filtered_and_kept_in_the_address(browser: Driver, report: Path) -> None:
    opened(browser, report)
    pictures = "[...document.querySelectorAll('.peek img')]"
    assert wait(browser, f"{pictures}.length === 2 && {pictures}.every(i => i.naturalWidth === 360)")
    press(browser, "/", *"w2")
    assert visible(browser) == ["W2 · I1"]
    assert browser.find_element(By.ID, "count").text == "1 of 2"
    assert browser.execute_script("return location.hash") == "#find=w2"
    browser.find_element(By.CSS_SELECTOR, "input[value=bad]").click()
    assert visible(browser) == []
    assert browser.find_element(By.ID, "none").is_displayed()
    browser.find_element(By.ID, "search").send_keys(Keys.BACKSPACE, Keys.BACKSPACE)
    assert visible(browser) == ["W1 · I1"]
    opened(browser, report, "#find=W2&sort=-0")
    assert visible(browser) == ["W2 · I1"]
    assert browser.find_element(By.CSS_SELECTOR, "th[aria-sort=descending]").text.startswith("Volume")
    opened(browser, report, "#find=</script>&show=x&sort=99")
    assert visible(browser) == []
    assert browser.get_log("browser") == []


def test_without_a_script_the_list_is_whole(browser: Driver, report: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(browser, report)
        assert visible(browser) == ["W1 · I1", "W2 · I1"]
        assert not browser.find_element(By.ID, "tools").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_search_finds_names_in_other_parts(browser: Driver, tmp_path: Path) -> None:
    row = VolumeRow("W", "v", "f", Verdict.GOOD, 4, "line", 24, 6.0, 0, 0, 0)
    rows = [attrs.evolve(row, title=f"W{i} {HOSTILE}", folder=f"v{i}") for i in range(1_200)]
    for name, html in job_pages(rows, ""):
        (tmp_path / name).write_text(html, encoding="utf-8")
    opened(browser, tmp_path / "index.html")
    browser.find_element(By.ID, "search").send_keys("W1199")
    found = browser.find_elements(By.CSS_SELECTOR, "#elsewhere a")
    assert [(link.text, link.get_attribute("href")) for link in found] == [
        (f"W1199 {HOSTILE}", (tmp_path / "v1199" / "index.html").as_uri())
    ]
    assert not browser.find_element(By.ID, "none").is_displayed()
    assert browser.title == "Text lines: 1,200 volumes"
    opened(browser, tmp_path / "volumes-2.html")
    browser.find_element(By.ID, "search").send_keys("W1199")
    assert visible(browser) == [f"W1199 {HOSTILE}"]
    browser.find_element(By.ID, "search").send_keys("9")
    assert browser.find_element(By.ID, "none").is_displayed()
    assert browser.get_log("browser") == []


def test_the_keyboard_drives_the_page_view(browser: Driver, report: Path) -> None:
    opened(browser, volume_file(report))
    press(browser, "j", "j", Keys.ENTER)
    wait(browser, "document.getElementById('viewer').open")
    assert shown_page(browser) == "Page 2 of 8"
    assert wait(browser, "document.querySelectorAll('#leaf path').length === 6")
    assert wait(browser, "document.querySelector('#leaf img').naturalWidth === 900")
    for key, page in (
        ("j", 3),
        (Keys.ARROW_RIGHT, 4),
        ("k", 3),
        (Keys.ARROW_LEFT, 2),
        (Keys.ARROW_UP, 1),
        ("k", 1),
    ):
        press(browser, key)
        assert shown_page(browser) == f"Page {page} of 8"

    def scale() -> float:
        return float(
            browser.execute_script(
                "return new DOMMatrix(getComputedStyle(document.getElementById('leaf')).transform).a"
            )
        )

    fitted = scale()
    press(browser, "+", "+")
    assert scale() > 1.5 * fitted
    press(browser, "-", "-", "-")
    assert scale() < fitted
    press(browser, "0")
    assert scale() == pytest.approx(fitted)
    lines = browser.find_element(By.CSS_SELECTOR, "#leaf svg")
    assert lines.is_displayed()
    press(browser, "l")
    assert not lines.is_displayed()
    press(browser, "l", Keys.ESCAPE)
    wait(browser, "!document.getElementById('viewer').open")
    assert browser.execute_script("return location.hash") == ""
    focused = browser.execute_script("return document.activeElement.getAttribute('href')")
    assert focused == "#p1"
    assert browser.get_log("browser") == []


def test_two_runs_are_compared_by_flipping(browser: Driver, tmp_path: Path) -> None:
    before, after = (
        made_volume(
            [record("a.png", 6), record("b.png", 6), record(HOSTILE, 6)], lambda _: strokes(6, pitch=30)
        ),
        made_volume(
            [record("a.png", 6), record("b.png", 4), record(HOSTILE, 5)], lambda _: strokes(6, pitch=30)
        ),
    )
    opened(browser, write_comparison([(before, after)], tmp_path, names=("old", "new")))
    files = [item.text for item in browser.find_elements(By.CSS_SELECTOR, "#pairs .file")]
    assert files == ["b.png", HOSTILE]
    assert wait(browser, "document.querySelectorAll('#pairs path.gone').length === 3")
    browser.find_element(By.CSS_SELECTOR, "#pairs a").click()
    assert wait(browser, "document.getElementById('viewer').open")
    drawn = "document.querySelectorAll('#leaf path').length"
    assert wait(browser, f"{drawn} === 4")
    press(browser, " ")
    assert wait(browser, f"{drawn} === 6")
    assert browser.find_element(By.ID, "viewer-facts").text == "old · 2 lines gone"
    press(browser, "j")
    assert browser.find_element(By.ID, "viewer-file").text == HOSTILE
    press(browser, Keys.ESCAPE)
    assert wait(browser, "!document.getElementById('viewer').open")
    assert browser.title == "old and new compared"
    assert browser.get_log("browser") == []


def test_it_fits_a_phone(browser: Driver, report: Path) -> None:
    size = {"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        opened(browser, report)
        assert browser.find_element(By.ID, "order").is_displayed()  # where the heads that sort are not
        Select(browser.find_element(By.ID, "order")).select_by_visible_text("by name")
        assert visible(browser) == ["W1 · I1", "W2 · I1"]
        for path, fragment in ((report, ""), (volume_file(report), ""), (volume_file(report), "#p1")):
            opened(browser, path, fragment)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_report_does_not_ask_the_network(browser: Driver, report: Path) -> None:
    opened(browser, volume_file(report), "#p1")
    wait(browser, "document.querySelector('#leaf img').naturalWidth > 0")
    asked = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert all(str(name).startswith(("file:", "data:")) for name in asked)


SCROLL = """
const done = arguments[arguments.length - 1], frames = [];
let last = performance.now();
const step = (now) => {
  frames.push(now - last); last = now;
  window.scrollBy(0, 100);
  if (frames.length < 150) requestAnimationFrame(step);
  else done({ frames: frames.slice(1), scrolled: window.scrollY });
};
requestAnimationFrame(step);
"""


def large_volume(directory: Path, pages: int) -> Path:
    """A volume page with leaves of seven lines, 48 points each, all showing one picture."""
    for kind in ("thumbs", "pages"):
        (directory / kind).mkdir()
        Image.open(io.BytesIO(strokes(7, pitch=30))).resize((720, 240)).save(directory / kind / "0000.jpg")
        for number in range(1, pages + 1):
            (directory / kind / f"{number:04d}.jpg").hardlink_to(directory / kind / "0000.jpg")
    xs = np.concatenate((np.linspace(100, 2300, 24), np.linspace(2300, 100, 24)))
    wave = np.concatenate((np.sin(np.arange(24)) * 4, 60 + np.sin(np.arange(24)) * 4))
    lines = [Outline(np.column_stack((xs, 100 + 80 * i + wave)).astype(np.int32)) for i in range(7)]
    views = []
    for number in range(1, pages + 1):
        drawn = lines[: 7 - (number % 50 == 0) * 5]
        facts = PageFacts(lines=len(drawn), coverage=0.4, ink=0.1)
        usual = typical([PageFacts(lines=7, coverage=0.4)] * 4)
        name = f"{number:04d}.jpg"
        views.append(
            PageView(number, f"I1{number:04d}.jpg", 2400, 800, name, None, drawn, facts, judge(facts, usual))
        )
    volume = VolumeView("W1 · I1", "abcdef", "v", "line", views, usual, {})
    path = directory / "index.html"
    path.write_text(volume_page(volume, ""), encoding="utf-8")
    return path


def test_a_thousand_pages_stay_fluid(browser: Driver, tmp_path: Path) -> None:
    # The limits leave room for a busy machine that draws in software; eager drawing breaks them all the same.
    path = large_volume(tmp_path, 1000)
    opened(browser, path)
    first_paint = float(
        wait(browser, "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)[0]")
    )
    built = browser.execute_script("return performance.getEntriesByType('navigation')[0].domComplete")
    assert len(browser.find_elements(By.CSS_SELECTOR, "#sheet .tile")) == 1000
    loaded = browser.execute_script("return document.querySelectorAll('#sheet img').length")
    assert loaded < 200, "pictures are made only near the window"
    browser.set_script_timeout(60)
    scrolled = browser.execute_async_script(SCROLL)
    assert scrolled["scrolled"] > 10_000
    frames = sorted(scrolled["frames"])
    median, slow, worst = frames[len(frames) // 2], frames[int(len(frames) * 0.95)], frames[-1]
    sorting = browser.execute_script(
        "const o = document.getElementById('order'), t = performance.now(); o.value = 'suspicion';"
        "o.dispatchEvent(new Event('change', {bubbles: true}));"
        "document.getElementById('sheet').getBoundingClientRect(); return performance.now() - t"
    )
    figures = (
        f"html {path.stat().st_size / 1e6:.1f} MB, first paint {first_paint:.0f} ms, built {built:.0f} ms, "
        f"{len(frames)} frames: median {median:.0f}, 95th {slow:.0f}, worst {worst:.0f} ms, sort {sorting:.0f} ms"
    )
    assert first_paint < 3_000, figures
    assert median < 120, figures
    assert slow < 400, figures
    assert sorting < 1_000, figures
    assert sheet_order(browser)[:3] == [50, 100, 150]
