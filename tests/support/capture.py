"""A Chrome with the layer, and the frames it captured, without a recorder."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from harness.browser import BrowserSession, LayerEnvironment, find_browser
from harness.display import VirtualDisplay
from harness.native import layer_dir, native
from harness.ring import FrameRing
from support.traces import processes

Image = npt.NDArray[np.uint8]  # (height, width, 3), R G B


class Capture:
    """Takes frames from the ring as they come; keeps the newest one's pixels."""

    def __init__(self, browser: BrowserSession, ring: FrameRing) -> None:
        self.browser = browser
        self.page = browser.page
        self.ring = ring
        self.sequences: list[int] = []
        self.damages: list[tuple[tuple[int, int, int, int], ...]] = []
        self.newest: Image | None = None

    def kill_gpu_process(self) -> None:
        """This browser's own: others may run on the machine."""
        found = [int(line.split()[0]) for line in processes(("--type=gpu-process",))]
        mine = [pid for pid in found if os.getpgid(pid) == self.browser.pid]
        assert len(mine) == 1
        os.kill(mine[0], signal.SIGKILL)

    def drain(self) -> int:
        """Reads everything that is there; returns how many frames."""
        lib, ffi = native().lib, native().ffi
        count = 0
        while (slot := lib.uis_ring_take(self.ring.pointer, 0)) != ffi.NULL:
            raw = ffi.buffer(lib.uis_ring_slot_pixels(slot), slot.stride * slot.height)
            rows = np.frombuffer(raw, np.uint8).reshape(slot.height, slot.stride)
            pixels = rows[:, : slot.width * 4].reshape(slot.height, slot.width, 4)
            self.newest = pixels[..., 2::-1].copy()
            self.sequences.append(slot.sequence)
            self.damages.append(
                tuple((r.x, r.y, r.w, r.h) for r in slot.damage[0 : slot.damage_count])
            )
            lib.uis_ring_release(slot)
            count += 1
        return count

    def settle(self, quiet: float = 0.6, limit: float = 15.0) -> None:
        """Until no frame has come for `quiet` seconds."""
        still = waited = 0.0
        while still < quiet:
            self.page.wait_for_timeout(50)
            waited += 0.05
            still = 0.0 if self.drain() else still + 0.05
            assert waited < limit, "the page never came to rest"

    def until(self, done: Callable[[], bool], limit: float = 20.0) -> None:
        """Takes frames until `done` says so."""
        end = time.monotonic() + limit
        while not done():
            assert time.monotonic() < end, f"not within {limit:g} s"
            self.page.wait_for_timeout(50)
            self.drain()

    def await_frame(self) -> None:
        """Until one more frame has come."""
        seen = len(self.sequences)
        self.until(lambda: len(self.sequences) > seen)

    def screenshot(self) -> Image:
        """The page as Chrome's own screenshot shows it."""
        png = self.page.screenshot()
        with av.open(io.BytesIO(png)) as container:
            return next(container.decode(video=0)).to_ndarray(format="rgb24")


@contextlib.contextmanager
def capture(
    folder: Path,
    width: int,
    height: int,
    *,
    wsi: Any = "virtual",
    extra_arguments: Sequence[str] = (),
    environment: dict[str, str] | None = None,
) -> Iterator[Capture]:
    with (
        VirtualDisplay(width, height) as display,
        FrameRing(width, height, slots=8) as ring,
        BrowserSession(
            find_browser(),
            display.name,
            width,
            height,
            folder,
            layer=LayerEnvironment(layer_dir(), ring.name, wsi),
            extra_arguments=extra_arguments,
            environment=environment,
        ) as browser,
    ):
        yield Capture(browser, ring)
