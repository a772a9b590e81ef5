"""Chrome on the GPU with the layer: presents, damage, and the pixels that were captured."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ..browser import BrowserSession
from ..browser_launch import LayerEnvironment
from ..browser_program import find_browser
from ..display import VirtualDisplay
from ..interrupts import heed_interrupts
from ..native import layer_dir
from ..ring import FrameRing
from .driver import require_device
from .model import CheckFailed, Context, Seen

ANIMATED_SECONDS = 4
_QUIET, _LIMIT = 0.6, 20.0  # seconds without a present that are rest; the longest wait for it

# Gradients, text and shadows everywhere: a wrong stride, format or copy shows somewhere.
_PAGE = """<!doctype html><meta charset=utf-8><title>gpu-check</title><style>
body{margin:0;background:linear-gradient(120deg,#123,#a53 60%,#fe9);color:#fff;
font:28px sans-serif;overflow:hidden;height:100vh}
#box{position:absolute;left:203px;top:151px;width:97px;height:61px;background:#0af;
border-radius:14px;box-shadow:0 2px 9px #0008}
i{position:absolute;width:90px;height:40px;background:#fff3}</style>
<h1>Captured</h1><p>äöü — 1234567890 — the quick brown fox</p><div id=box></div>
<script>for (let k = 0; k < 80; k++) { const e = document.createElement('i');
e.style.left = (k * 83 % innerWidth) + 'px'; e.style.top = (k * 157 % innerHeight) + 'px';
document.body.append(e); }</script>"""
_CHANGES = ("box.style.background = '#f40'", "box.style.left = '611px'")
_ANIMATION = """seconds => new Promise(done => { const end = performance.now() + 1000 * seconds;
let n = 0; const step = () => { box.style.left = (n++ * 7 % 500) + 'px';
performance.now() < end ? requestAnimationFrame(step) : done(n); }; step(); })"""


class _View:
    """The newest frame from the ring, and the damage of all."""

    def __init__(self, browser: BrowserSession, ring: FrameRing) -> None:
        self.browser, self.ring = browser, ring
        self.newest: npt.NDArray[np.uint8] | None = None  # (height, width, 3), R G B
        self.areas: list[int] = []  # damaged pixels of each present

    def drain(self) -> int:
        """How many frames were there."""
        count = 0
        for frame in self.ring.drain():
            self.newest = frame.rgb
            self.areas.append(frame.damaged)
            count += 1
        return count

    def settle(self) -> None:
        still = waited = 0.0
        while still < _QUIET:
            self.browser.page.wait_for_timeout(50)
            waited += 0.05
            still = 0.0 if self.drain() else still + 0.05
            if waited > _LIMIT:
                raise CheckFailed(f"the page never came to rest within {_LIMIT:g} s")

    def differing(self) -> int:
        """Pixels that are not as in Chrome's own screenshot, once the page rests."""
        self.settle()
        with av.open(io.BytesIO(self.browser.page.screenshot())) as container:
            expected = next(container.decode(video=0)).to_ndarray(format="rgb24")
        self.settle()  # the screenshot itself may have made Chrome present
        if self.newest is None:
            raise CheckFailed("no frame came from the layer", _counted(self.ring))
        if self.newest.shape != expected.shape:
            raise CheckFailed(
                f"frames have shape {self.newest.shape}, a screenshot {expected.shape}",
                _counted(self.ring),
            )
        return int(np.count_nonzero((self.newest != expected).any(axis=2)))


def _counted(ring: FrameRing) -> dict[str, str | int | float]:
    counters = ring.counters()
    return {
        "layer": counters.state,
        "device": counters.device,
        "presented": counters.presented,
        "without damage": counters.without_damage,
        "lost": counters.lost,
        "error": counters.error,
    }


@contextlib.contextmanager
def on_page(
    context: Context,
    name: str,
    width: int,
    height: int,
    html: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[BrowserSession, FrameRing, Path]]:
    """A Chrome with the layer, its ring, and a page to open. `name` is the folder of its log;
    `environment` is added to Chrome's."""
    folder = context.output / name
    folder.mkdir(parents=True, exist_ok=True)
    with (
        heed_interrupts(),
        tempfile.TemporaryDirectory(prefix="uisplice-gpu-check-") as scratch,
        VirtualDisplay(width, height) as display,
        FrameRing(width, height, slots=8) as ring,
        BrowserSession(
            find_browser(context.browser),
            display.name,
            width,
            height,
            folder,
            layer=LayerEnvironment(layer_dir(), ring.name),
            environment=environment,
        ) as browser,
    ):
        page = Path(scratch, "page.html")
        page.write_text(html, encoding="utf-8")
        yield browser, ring, page


def pixels(width: int, height: int) -> Callable[[Context], Seen]:
    """The check at one size."""

    def look(context: Context) -> Seen:
        on_gpu = require_device(context)
        with on_page(context, f"chrome-{height}p", width, height, _PAGE) as (browser, ring, page):
            return _look(context, _View(browser, ring), page, on_gpu)

    return look


def _look(context: Context, view: _View, page: Path, on_gpu: bool) -> Seen:
    browser, ring = view.browser, view.ring
    context.stage("a page at rest")
    browser.page.goto(page.as_uri())
    different = [view.differing()]
    partial = 0
    for change in _CHANGES:
        seen = len(view.areas)
        browser.page.evaluate(change)
        view.settle()
        partial += any(0 < a < browser.width * browser.height // 4 for a in view.areas[seen:])
        different.append(view.differing())
    context.stage(f"{ANIMATED_SECONDS} s of an animation")
    before = ring.counters().presented
    browser.page.evaluate(_ANIMATION, ANIMATED_SECONDS)
    rate = (ring.counters().presented - before) / ANIMATED_SECONDS
    different.append(view.differing())

    figures = _counted(ring) | {
        "presents/s": round(rate, 1),
        "pictures compared": len(different),
        "differing pixels": sum(different),
        "browser": browser.version,
    }
    counters = ring.counters()
    problems = []
    if on_gpu and "nvidia" not in counters.device.lower():
        problems.append(f"Chrome presents on {counters.device}, not on the NVIDIA device")
    if counters.passthrough or counters.state != "presenting":
        problems.append(f"the layer is {counters.state}, not presenting on its own swapchain")
    if sum(different):
        problems.append(f"pixels that differ from the screenshot: {different}")
    if counters.without_damage:
        problems.append(f"{counters.without_damage} presents came without damage")
    if partial != len(_CHANGES):
        problems.append(f"{partial} of {len(_CHANGES)} small changes had small damage")
    if problems:
        raise CheckFailed("; ".join(problems), figures)
    return Seen(
        f"{counters.device}: {rate:.1f} presents/s, {len(different)} pictures equal to a "
        "screenshot, damage on every present",
        figures,
        software=not on_gpu,
    )
