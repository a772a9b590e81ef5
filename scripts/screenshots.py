"""Pictures of a report for the documentation: `python scripts/screenshots.py RUN OUT`.

RUN is a folder with report.html and viewer.html; OUT gets report.png, timeline.png and
viewer.png, 1280 pixels wide.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from harness.browser import find_browser


def take(run: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(find_browser()))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto((run / "report.html").resolve().as_uri())
        page.wait_for_selector("body[data-ready]")
        page.screenshot(path=out / "report.png")
        detail = page.locator("#timeline .detail")
        detail.hover(position={"x": 640, "y": 60})
        page.wait_for_selector(".tip dd")
        page.locator("#timeline").screenshot(path=out / "timeline.png")
        merged = page.evaluate("timeline.data.ticks.picture.lastIndexOf(3)")
        spliced = page.evaluate("timeline.data.ticks.picture.lastIndexOf(2)")
        page.goto((run / "viewer.html").resolve().as_uri() + f"#tick={max(merged, spliced, 0)}")
        page.wait_for_selector("body[data-ready]")
        page.screenshot(path=out / "viewer.png")
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    take(Path(sys.argv[1]), Path(sys.argv[2]))
