"""Takes the pictures of the reports that the documentation shows: `make screenshots`.

report_screenshots.py REPORTS RUN FOLDER [PICTURE...]

REPORTS is where `make report` wrote, RUN the folder of the run that it rendered; FOLDER gets
Allure's pages, the summary, the trends, and report, timeline and viewer of the run's largest
recording. Only the pictures that are named are taken, such as `summary`; all where none is.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import av
from playwright.sync_api import Browser, Page, sync_playwright

from harness.browser_program import find_browser

_SIZE = {"width": 1100, "height": 760}
_WIDE = {"width": 1280, "height": 900}
_wanted: set[str] = set()


def _save(png: bytes, path: Path) -> None:
    """As WebP: a quarter of a PNG. Nothing for a picture that is not wanted."""
    if _wanted and path.stem not in _wanted:
        return
    with av.open(io.BytesIO(png)) as read:
        frame = next(read.decode(video=0))
    with av.open(str(path), "w", format="webp") as write:
        stream = write.add_stream("libwebp", rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
        stream.options = {"quality": "80"}
        still = frame.reformat(format="yuv420p", dst_color_range="MPEG")  # as WebP has it
        still.pts = 0
        write.mux(stream.encode(still))
        write.mux(stream.encode(None))
    print(f"written: {path} ({path.stat().st_size / 1000:.0f} kB)")


def _allure(page: Page, reports: Path, folder: Path) -> None:
    page.goto((reports / "allure" / "index.html").absolute().as_uri())
    page.get_by_test_id("tree-section-title").first.wait_for()
    # Allure opens only groups in which something failed.
    groups = page.get_by_test_id("tree-section")
    for level in range(3):
        if page.get_by_test_id("tree-leaf-title").count():
            break
        groups.nth(level).click()
        page.wait_for_timeout(300)
    page.get_by_test_id("tree-leaf-title").first.wait_for()
    _save(page.screenshot(), folder / "allure-tests.webp")
    page.get_by_test_id("tree-leaf-title").first.click()
    page.get_by_text("Overview").first.wait_for()
    page.wait_for_timeout(300)  # the page slides in
    _save(page.screenshot(), folder / "allure-test.webp")
    page.goto((reports / "summary.html").absolute().as_uri())
    _save(page.screenshot(), folder / "summary.webp")


def _trends(page: Page, reports: Path, folder: Path) -> None:
    page.goto((reports / "trends.html").absolute().as_uri())
    if page.locator("svg").count() == 0:
        print("trends: nothing was kept (make nightly, make bench-save); the picture stays")
        return
    _save(page.screenshot(), folder / "trends.webp")


def _recording(browser: Browser, run: Path, folder: Path) -> None:
    page = browser.new_page(viewport=_WIDE)
    page.goto((run / "report.html").absolute().as_uri())
    page.wait_for_selector("body[data-ready]")
    _save(page.screenshot(), folder / "report.webp")
    page.locator("#timeline .detail").hover(position={"x": 640, "y": 60})
    page.wait_for_selector(".tip dd")
    _save(page.locator("#timeline").screenshot(), folder / "timeline.webp")
    merged, spliced = (page.evaluate(f"timeline.data.ticks.picture.lastIndexOf({k})") for k in "32")
    page.goto((run / "viewer.html").absolute().as_uri() + f"#tick={max(merged, spliced, 0)}")
    page.wait_for_selector("body[data-ready]")
    _save(page.screenshot(), folder / "viewer.webp")
    page.keyboard.press("q")
    _save(page.screenshot(), folder / "viewer-qp.webp")


def main(reports: Path, run: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    streams = sorted(run.glob("*/live_spliced.mkv"), key=lambda path: path.stat().st_size)
    if not streams:
        sys.exit(f"{run} holds no recording; what to do: make demo")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_browser()))
        page = browser.new_page(viewport=_SIZE, color_scheme="light")
        _allure(page, reports, folder)
        _trends(page, reports, folder)
        _recording(browser, streams[-1].parent, folder)
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    _wanted.update(sys.argv[4:])
    main(*map(Path, sys.argv[1:4]))
