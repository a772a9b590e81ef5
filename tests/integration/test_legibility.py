"""Texts of every page have the contrast that WCAG 2.2 asks for (1.4.3, level AA), in light and
dark, and no page is wider than a narrow window."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from support import reporting

from harness.summary import Row, Summary
from harness.summary import to_html as summary_page
from harness.trends import Point, Series
from harness.trends import to_html as trends_page

pytestmark = pytest.mark.chrome

# Texts whose contrast with what stands behind them is too low, with the ratio. Half
# transparent backgrounds are mixed; a picture behind a text counts as black.
_TOO_FAINT = """() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((v, n) => v * a + below[n] * (1 - a));
  const backOf = (one) => {
    if (!one) return [255, 255, 255];
    const colour = parse(getComputedStyle(one).backgroundColor);
    return colour[3] === 1 ? colour.slice(0, 3) : over(colour, backOf(one.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const one = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !one.checkVisibility() || one.closest("script, style, title, :disabled")) continue;
    seen++;
    const style = getComputedStyle(one);
    const back = backOf(one);
    const front = over(parse(one instanceof SVGElement ? style.fill : style.color), back);
    const [a, b] = [light(front), light(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${one.className} ${text}`);
  }
  return [seen, found];
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of each page, all of them with something that failed."""
    folder = tmp_path_factory.mktemp("pages")
    reporting.report(folder, reporting.record(folder / "live.mkv"))
    row = Row(
        "Menu",
        "failed",
        ("1.0",) * 6,
        ("Product: class shares",),
        ("Still: shares.changed >= 90%: measured 8.33%",),
        "this machine hardly keeps up",
        folder / "report.html",
    )
    summary = Summary((row, Row("Film", "passed", headroom="busy")), {"browser": "Chrome/1"}, "now")
    (folder / "summary.html").write_text(summary_page(summary, folder), encoding="utf-8")
    points = (Point(1.0, "0123456789ab", "2026-11-01T02:17"), Point(2.0, "ab", "2026-11-02T02:17"))
    series = Series("Menu (1280x720@24) on Chrome-156_llvmpipe", "bitrate", "Mbit/s", "", points)
    (folder / "trends.html").write_text(trends_page([series], ["x: left out"]), encoding="utf-8")
    return folder


def opened(page: Page, address: Path) -> None:
    page.goto(address.as_uri())
    if address.name in ("report.html", "viewer.html"):
        page.wait_for_selector("body[data-ready]")
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


@pytest.mark.parametrize("name", ["report.html", "viewer.html", "summary.html", "trends.html"])
def test_texts_are_legible_and_fit(browser: Browser, pages: Path, name: str) -> None:
    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
        opened(page, pages / name)
        if name == "report.html":
            page.locator("#timeline .detail").hover(position={"x": 640, "y": 60})
        seen, faint = page.evaluate(_TOO_FAINT)
        if name == "viewer.html":
            page.keyboard.press("Shift+ArrowRight")
            page.wait_for_selector("body[data-class=UNCHANGED]")
            faint += page.evaluate(_TOO_FAINT)[1]
        assert seen > 10 and faint == [], scheme
        for width in (640, 400):  # of a phone
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()


def test_the_focus_is_seen(browser: Browser, pages: Path) -> None:
    """Every stop of the Tab key has an outline (WCAG 2.4.7)."""
    for name in ("report.html", "viewer.html"):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        opened(page, pages / name)
        stops = set()
        for _ in range(12):
            page.keyboard.press("Tab")
            text, outline = page.evaluate(
                """() => {
                  const one = document.activeElement;
                  const style = getComputedStyle(one);
                  return [`${one.tagName} ${one.className} ${one.textContent}`,
                    style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1];
                }"""
            )
            assert outline, text
            stops.add(text)
        assert len(stops) >= 10
        page.close()
