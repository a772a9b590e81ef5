"""The layer in a real Chrome: pixels, damage, order, resize, validation."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from support.capture import Capture, capture
from support.traces import processes

from harness.native import layer_dir

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

# info as well as error: the layer then says that it is active, and with what.
VALIDATION_SETTINGS = """khronos_validation.debug_action = VK_DBG_LAYER_ACTION_LOG_MSG
khronos_validation.report_flags = error,warn,info
khronos_validation.log_filename = {log}
khronos_validation.enables = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT
"""


def validation(folder: Path) -> dict[str, str]:
    """Our own layer next to Chrome, the validation layer between it and the driver."""
    (folder / "vk_layer_settings.txt").write_text(
        VALIDATION_SETTINGS.format(log=folder / "validation.log")
    )
    return {
        "VK_ADD_LAYER_PATH": f"{layer_dir()}:/usr/share/vulkan/explicit_layer.d",
        "VK_INSTANCE_LAYERS": "VK_LAYER_UISPLICE_capture:VK_LAYER_KHRONOS_validation",
        "VK_LAYER_SETTINGS_PATH": str(folder),
    }


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
        shot.page.wait_for_timeout(500)
        shot.settle()
        assert shot.newest is not None
        assert shot.newest.shape == (480, 640, 3)
        assert shot.ring.counters().swapchains >= 2


def test_capture_goes_on_after_the_gpu_process_died(tmp_path: Path):
    (tmp_path / "p.html").write_text(PAGE)
    with capture(tmp_path, 640, 360) as shot:
        shot.page.goto((tmp_path / "p.html").as_uri())
        shot.settle()
        mine = processes(("--type=gpu-process",))
        assert mine
        for line in mine:
            os.kill(int(line.split()[0]), signal.SIGKILL)
        shot.page.wait_for_timeout(2500)
        shot.page.evaluate("box.style.background = '#0f0'")
        assert_equals_screenshot(shot)


@pytest.mark.parametrize("wsi", ["virtual", "passthrough"])
def test_no_validation_error(tmp_path: Path, wsi: str):
    (tmp_path / "p.html").write_text(PAGE)
    with capture(tmp_path, 640, 360, wsi=wsi, environment=validation(tmp_path)) as shot:
        shot.page.goto((tmp_path / "p.html").as_uri())
        for n in range(30):
            shot.page.evaluate(f"box.style.left = '{n * 11}px'")
            shot.page.wait_for_timeout(30)
            shot.drain()
        assert_equals_screenshot(shot)
        published = shot.ring.counters().published
    log = (tmp_path / "validation.log").read_text(errors="replace")
    assert published > 20
    assert "Khronos Validation Layer Active" in log, "or this test could not fail"
    assert "SYNCHRONIZATION_VALIDATION" in log
    assert [line for line in log.splitlines() if "Error" in line or "SYNC-HAZARD" in line] == []
