"""Takes the pictures of the report that the documentation shows: `make screenshots`.

report_screenshots.py ALLURE_PAGE SUMMARY_PAGE FOLDER
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import av
from playwright.sync_api import Page, sync_playwright

from harness.browser import find_browser

_SIZE = {"width": 1100, "height": 760}


def _save(page: Page, path: Path) -> None:
    """As WebP: a quarter of a PNG."""
    with av.open(io.BytesIO(page.screenshot())) as read:
        frame = next(read.decode(video=0))
    with av.open(str(path), "w", format="webp") as write:
        stream = write.add_stream("libwebp", rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
        stream.options = {"quality": "80"}
        still = frame.reformat(format="yuv420p")
        still.pts = 0
        write.mux(stream.encode(still))
        write.mux(stream.encode(None))
    print(f"written: {path} ({path.stat().st_size / 1000:.0f} kB)")


def main(allure: Path, summary: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_browser()))
        page = browser.new_page(viewport=_SIZE, color_scheme="light")
        page.goto(allure.absolute().as_uri())
        page.get_by_test_id("tree-leaf-title").first.wait_for()
        _save(page, folder / "allure-tests.webp")
        page.get_by_test_id("tree-leaf-title").first.click()
        page.get_by_text("Overview").first.wait_for()
        page.wait_for_timeout(300)  # the page slides in
        _save(page, folder / "allure-test.webp")
        page.goto(summary.absolute().as_uri())
        _save(page, folder / "summary.webp")
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
