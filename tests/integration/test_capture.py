"""The layer in a real Chrome: pixels, damage, order, resize, validation."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page
from support.capture import Capture, capture
from support.validation import LAYER, validation, validation_log

from harness.browser import BrowserSession, find_browser
from harness.display import VirtualDisplay

pytestmark = pytest.mark.chrome

PAGE = """<!doctype html><title>t</title><style>
body{margin:0;background:linear-gradient(120deg,#123,#a53 60%,#fe9);color:#fff;
font:28px sans-serif;overflow:hidden}
#box{position:absolute;left:203px;top:151px;width:97px;height:61px;background:#0af;
border-radius:14px;box-shadow:0 2px 9px #0008}
i{position:absolute;width:90px;height:40px;background:#fff3}</style>
<h1>Captured</h1><p>äöü — 1234567890 — the quick brown fox</p><div id=box></div>
<script>for (let k = 0; k < 40; k++) { const e = document.createElement('i');
e.style.left = (k * 83 % innerWidth) + 'px'; e.style.top = (k * 157 % innerHeight) + 'px';
document.body.append(e); }</script>"""


def assert_equals_screenshot(shot: Capture) -> None:
    shot.settle()
    expected = shot.screenshot()
    shot.settle()  # the screenshot itself may have made Chrome present
    assert shot.newest is not None
    assert shot.newest.shape == expected.shape
    assert np.count_nonzero(shot.newest != expected) == 0


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1920, 1080)])
@pytest.mark.parametrize("wsi", ["virtual", "passthrough"])
def test_captured_pixels_equal_a_page_screenshot(tmp_path: Path, width, height, wsi):
    (tmp_path / "p.html").write_text(PAGE)
    with capture(tmp_path, width, height, wsi=wsi) as shot:
        shot.page.goto((tmp_path / "p.html").as_uri())
        assert_equals_screenshot(shot)
        for change in ("box.style.background = '#f40'", "box.style.left = '611px'"):
            seen = len(shot.damages)
            shot.page.evaluate(change)
            shot.await_frame()
            shot.settle()
            # Chrome presents the whole view once more some seconds after a load, so any
            # of the presents that followed may be that one; the change's own is partial.
            areas = [sum(w * h for _, _, w, h in rects) for rects in shot.damages[seen:]]
            assert 0 < min(areas) < width * height / 4, "only part of the view was damaged"
            assert_equals_screenshot(shot)
        counters = shot.ring.counters()
    assert counters.state == "presenting"
    assert counters.without_damage == 0
    assert counters.dropped == 0
    assert counters.passthrough == (wsi == "passthrough")
    assert "llvmpipe" in counters.device or counters.device
    assert shot.sequences == list(range(1, len(shot.sequences) + 1)), "presents are numbered"


def test_a_full_ring_never_stops_chrome(tmp_path: Path):
    (tmp_path / "p.html").write_text(PAGE)
    with capture(tmp_path, 640, 360) as shot:
        shot.page.goto((tmp_path / "p.html").as_uri())
        shot.page.evaluate("""() => new Promise(done => { let n = 0; const f = () => {
            box.style.left = (n * 7 % 500) + 'px';
            if (++n < 60) requestAnimationFrame(f); else done(); }; f(); })""")
        counters = shot.ring.counters()
        assert counters.presented > 40, "Chrome went on presenting with nobody reading"
        assert counters.superseded > 0
        shot.settle()
        assert shot.sequences[-1] == shot.ring.counters().presented
        assert_equals_screenshot(shot)


def test_popups_are_not_captured_and_a_resize_is(tmp_path: Path):
    page = (
        PAGE + "<select id=s style='position:absolute;top:9px;left:400px'>"
        "<option>one<option>two<option>three</select>"
    )
    (tmp_path / "p.html").write_text(page)
    with capture(tmp_path, 800, 600) as shot:
        shot.page.goto((tmp_path / "p.html").as_uri())
        shot.settle()
        shot.page.mouse.click(430, 20)  # a native popup with a swapchain of its own
        shot.page.wait_for_timeout(500)
        shot.page.keyboard.press("Escape")
        assert_equals_screenshot(shot)
        session = shot.browser.context.new_cdp_session(shot.page)
        window = session.send("Browser.getWindowForTarget")["windowId"]
        session.send(
            "Browser.setWindowBounds", {"windowId": window, "bounds": {"width": 640, "height": 480}}
        )
        shot.until(lambda: shot.newest is not None and shot.newest.shape == (480, 640, 3))
        shot.settle()
        assert shot.newest is not None
        assert shot.newest.shape == (480, 640, 3)
        assert shot.ring.counters().swapchains >= 2


def test_capture_goes_on_after_the_gpu_process_died(tmp_path: Path):
    (tmp_path / "p.html").write_text(PAGE)
    with capture(tmp_path, 640, 360) as shot:
        shot.page.goto((tmp_path / "p.html").as_uri())
        shot.settle()
        shot.kill_gpu_process()
        shot.await_frame()  # the next one's
        shot.settle()
        shot.page.evaluate("box.style.background = '#0f0'")
        shot.await_frame()
        assert_equals_screenshot(shot)


def animate(page: Page, folder: Path, drain: Callable[[], object]) -> None:
    (folder / "p.html").write_text(PAGE)
    page.goto((folder / "p.html").as_uri())
    for n in range(30):
        page.evaluate(f"box.style.left = '{n * 11}px'")
        page.wait_for_timeout(30)
        drain()


def validation_errors(folder: Path) -> list[str]:
    """The errors logged: message name and what was found, without handles."""
    lines = validation_log(folder)
    return [
        re.sub(r"0x[0-9a-f]+", "0x", f"{line} {following}")
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
        if "Error" in line
    ]


def test_no_validation_error(tmp_path: Path):
    with capture(tmp_path, 640, 360, environment=validation(tmp_path)) as shot:
        animate(shot.page, tmp_path, shot.drain)
        assert_equals_screenshot(shot)
        assert shot.ring.counters().published > 20
    assert validation_errors(tmp_path) == []


def test_passthrough_adds_no_validation_error_to_chromes_own(tmp_path: Path):
    """What Chrome alone is told is Chrome's; the layer must add nothing to it."""
    alone, ours = tmp_path / "alone", tmp_path / "ours"
    alone.mkdir()
    ours.mkdir()
    chrome_only = validation(alone, LAYER)
    with (
        VirtualDisplay(640, 360) as display,
        BrowserSession(
            find_browser(), display.name, 640, 360, alone, environment=chrome_only
        ) as browser,
    ):
        animate(browser.page, alone, lambda: None)
    with capture(ours, 640, 360, wsi="passthrough", environment=validation(ours)) as shot:
        animate(shot.page, ours, shot.drain)
        assert_equals_screenshot(shot)
        assert shot.ring.counters().published > 20
    added = set(validation_errors(ours)) - set(validation_errors(alone))
    known = {error for error in added if KNOWN_PASSTHROUGH.search(error)}
    assert added == known
    if known:
        pytest.xfail(f"open: {min(known)}")


# Validation 1.4 (Debian 13) finds that Chrome's first write to an acquired image is not
# ordered behind the acquire when the layer copied the image before its present; 1.3 does
# not. Not understood yet. Passthrough only: the virtual swapchain has no such acquire.
KNOWN_PASSTHROUGH = re.compile(
    "SYNC-HAZARD-WRITE-AFTER-READ .*previously read by vkAcquireNextImageKHR"
)
