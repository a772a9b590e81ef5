"""Frames that stay on the GPU, in a real Chrome, against the same frames read back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..browser import BrowserSession
from ..native import native
from ..ring import FrameRing
from .chrome import on_page
from .driver import require_gpu
from .model import CheckFailed, Context, NotRun, Seen

WIDTH, HEIGHT = 1920, 1080
FRAMES = 1000
COST_LIMIT_MS = 0.2  # that zero-copy may add to a present, median against median
_TIMED_FRAMES = 300  # for what a present costs without it
_CHUNK_SECONDS = 2
_LONGEST = 120.0  # seconds for FRAMES

# Everything changes from frame to frame, so that an old one can be told from a new one.
_PAGE = """<!doctype html><meta charset=utf-8><title>zero-copy</title><style>
body{margin:0;overflow:hidden}i{position:absolute;width:33vw;height:50vh}</style><body><script>
for (let k = 0; k < 6; k++) { const e = document.createElement('i'); document.body.append(e);
e.style.left = (k % 3 * 33.4) + 'vw'; e.style.top = (k / 3 | 0) * 50 + 'vh'; }
let n = 0; const all = document.querySelectorAll('i');
const paint = () => all.forEach((e, k) => e.style.background =
  `linear-gradient(${n * 7 + k * 40}deg, hsl(${n * 3 + k * 60} 80% 50%), #123, #fe9)`);
window.run = seconds => new Promise(done => { const end = performance.now() + 1000 * seconds;
const step = () => { n++; paint(); performance.now() < end ? requestAnimationFrame(step)
  : done(n); }; step(); }); paint();</script>"""

_RUN = "seconds => run(seconds)"


def zero_copy(context: Context) -> Seen:
    """FRAMES frames in the layer's `verify`, and what it adds to vkQueuePresentKHR."""
    require_gpu(context)
    if not hasattr(native().ffi.new("uis_ring_header *"), "device"):
        raise NotRun("this version has no zero-copy path")
    figures: dict[str, str | int | float] = {}
    context.stage(f"{_TIMED_FRAMES} presents with readback alone")
    with _chrome(context, "host") as state:
        state.run(_TIMED_FRAMES)
        host = state.device.median_ns / 1e6
        figures |= {"present, readback alone: median ms": round(host, 4)}
    context.stage(f"{FRAMES} frames compared")
    with _chrome(context, "verify") as state:
        fallback = state.text(state.device.fallback)
        if fallback:
            raise CheckFailed(f"frames do not stay on the GPU: {fallback}", figures)
        state.run(FRAMES)
        device = state.device
        both = device.median_ns / 1e6
        figures |= {
            "frames equal": device.equal,
            "frames different": device.different,
            "frames lost": device.lost,
            "present, with zero-copy: median ms": round(both, 4),
            "present, with zero-copy: p99 ms": round(device.p99_ns / 1e6, 4),
            "present to pixels on the GPU: median ms": round(device.copy_ns / 1e6, 3),
        }
        problems = _problems(device.equal, device.different, host, both)
    if problems:
        raise CheckFailed("; ".join(problems), figures)
    return Seen(
        f"{figures['frames equal']} frames in CUDA equal to readback, "
        f"{both - host:+.3f} ms a present",
        figures,
    )


def _problems(equal: int, different: int, host: float, both: float) -> list[str]:
    """`host` and `both` are milliseconds a present takes without and with zero-copy, 0 where
    the layer timed none."""
    problems = []
    if different:
        problems.append(f"{different} frames differ")
    if equal < FRAMES:
        problems.append(f"{equal} of {FRAMES} frames were compared")
    if not (host and both):
        problems.append("no present was timed")
    elif both - host > COST_LIMIT_MS:
        problems.append(f"a present takes {both - host:.3f} ms longer, {COST_LIMIT_MS} are allowed")
    return problems


class _Running:
    """A Chrome on the page, and what the layer says of its frames on the GPU."""

    def __init__(self, browser: BrowserSession, ring: FrameRing) -> None:
        self._browser, self._ring = browser, ring
        self.text = native().text

    @property
    def device(self) -> Any:
        """`uis_device_capture` of frame_ring.h."""
        return native().lib.uis_ring_get_header(self._ring.pointer).device

    def run(self, presents: int) -> None:
        """Animates until so many more were presented. Raises CheckFailed when they do not come."""
        goal = self._ring.counters().presented + presents
        spent = 0.0
        while (now := self._ring.counters().presented) < goal:
            if spent >= _LONGEST:
                raise CheckFailed(f"{goal - now} of {presents} presents missing after {spent:g} s")
            self._browser.page.evaluate(_RUN, _CHUNK_SECONDS)
            spent += _CHUNK_SECONDS
        # The last frames are still on their way through the layer's worker.
        self._browser.page.wait_for_timeout(500)


@contextlib.contextmanager
def _chrome(context: Context, capture: str) -> Iterator[_Running]:
    with on_page(
        context, f"zero-copy-{capture}", WIDTH, HEIGHT, _PAGE, {"UIS_CAPTURE": capture}
    ) as (browser, ring, page):
        browser.page.goto(page.as_uri())
        running = _Running(browser, ring)
        browser.page.evaluate(_RUN, 1)
        yield running
