"""Stands where the layer stands: pushes frames into a ring, as Chrome would present them.

For tests of what comes behind the ring. The frames go through the ring's real
writer functions; only the browser is left out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from harness.native import native
from harness.recorder import Recorder, RecorderSettings, Recording
from harness.ring import FrameRing, VideoRegion
from support.device import DeviceFrames

Frame = npt.NDArray[np.uint8]  # (height, width, 4), B G R A
QUIET = 4


class Feeder:
    """Publishes frames under rising sequence numbers."""

    def __init__(self, ring: FrameRing) -> None:
        self.ring = ring
        self.sequence = 0
        self._native = native()
        self._header = self._native.lib.uis_ring_get_header(ring.pointer)

    def present(
        self,
        frame: Frame,
        damage: Sequence[tuple[int, int, int, int]] | None = None,
        *,
        lose: bool = False,
        stride: int | None = None,
        at_ns: int | None = None,
    ) -> None:
        """Publishes one frame. damage None: a present without rectangles;
        lose: the present happens but never reaches the ring; stride: what the slot
        says, if that is not the truth; at_ns: when it was presented (now). A frame of a
        time to come lies in the ring until the recorder's clock has come to it."""
        lib, ffi = self._native.lib, self._native.ffi
        self.sequence += 1
        self._header.presented += 1
        if lose:
            self._header.lost += 1
            return
        slot = lib.uis_ring_begin_write(self.ring.pointer)
        assert slot != ffi.NULL
        height, width = frame.shape[:2]
        slot.sequence = self.sequence
        slot.present_ns = at_ns or lib.uis_now_ns()
        slot.width, slot.height, slot.stride = width, height, stride or width * 4
        slot.flags = lib.UIS_SLOT_DAMAGE_MISSING if damage is None else 0
        slot.damage_count = len(damage or ())
        for rect, (x, y, w, h) in zip(slot.damage, damage or (), strict=False):
            rect.x, rect.y, rect.w, rect.h = x, y, w, h
        self._store(slot, frame)
        lib.uis_ring_publish(self.ring.pointer, slot)

    def _store(self, slot: Any, frame: Frame) -> None:
        lib, ffi = self._native.lib, self._native.ffi
        ffi.memmove(lib.uis_ring_slot_pixels(slot), frame.tobytes(), frame.nbytes)


class DeviceFeeder(Feeder):
    """Leaves the pixels on the GPU, and says so in the ring."""

    def __init__(self, ring: FrameRing, frames: DeviceFrames) -> None:
        super().__init__(ring)
        self._frames = frames

    def _store(self, slot: Any, frame: Frame) -> None:
        self._frames.add(slot.sequence, frame)
        slot.flags |= self._native.lib.UIS_SLOT_ON_DEVICE


@contextmanager
def host(ring: FrameRing, spool: BinaryIO | None = None, frames: Any = None) -> Iterator[Any]:
    """An encoder host on threads of this process, where the layer has its own. `frames`:
    `uis_device_frames`, where it keeps some on a GPU."""
    lib, ffi = native().lib, native().ffi
    out = ffi.new("uis_encode_host **")
    error = ffi.new("char[]", 512)
    path = "" if spool is None else f"/proc/self/fd/{spool.fileno()}"
    rc = lib.uis_encode_host_open(ring.name.encode(), path.encode(), out, error, 512)
    assert rc == 0, native().text(error)
    try:
        assert lib.uis_encode_host_start(out[0], frames or ffi.NULL) == 0
        yield out[0]
    finally:
        lib.uis_encode_host_close(out[0])


def record(
    path: Path,
    frames: Sequence[tuple[Frame | None, Sequence[VideoRegion]]],
    *,
    fps: int = 48,
    first: Frame,
    spool: BinaryIO | None = None,
    damage: Sequence[tuple[int, int, int, int]] | None = None,
    encode: Literal["recorder", "layer"] = "recorder",
    device: DeviceFrames | None = None,
    **settings_: Any,
) -> Recording:
    """Records one entry a tick: a new frame (or None: no present) and the videos then.

    The frame standing at the start is `first`, as large as the view; later ones may have
    other sizes. `damage` is what every present says; `settings_` are RecorderSettings'.
    `encode` "layer": an encoder host of this process codes what the recorder then takes, and
    `device` keeps the frames on a GPU for it.

    Which tick a frame falls on does not depend on how busy the machine is: frames lie in the
    ring ahead of their time, as many as it holds, and where one comes late all the same, all is
    recorded again. Only videos are the ring's as they are now, so before they change the frames
    in front have to be through: a session leaves QUIET ticks without a present there.
    """
    height, width = first.shape[:2]
    # At once, and however large: what is tested here is what comes of it.
    settings = RecorderSettings(
        width=width, height=height, fps=fps, **{"adopt_after": 0, "region_limit": 100, **settings_}
    )
    # Seconds for the encoders to open and for the first frames to lie there.
    lead = 0.4 if encode == "layer" else 0.1
    for _ in range(5):
        with FrameRing(width, height, slots=24, encode=encode) as ring, ExitStack() as stack:
            if encode == "layer":
                stack.enter_context(host(ring, spool, device.table if device else None))
            feeder = DeviceFeeder(ring, device) if device else Feeder(ring)
            # Two are the recorder's: the one on screen and the one it looks at.
            ahead = (device.slots if device else 24) - 2
            recorder = Recorder(settings, ring, path, spool)
            stack.callback(recorder.close)
            with suppress(_LateError):
                _feed(recorder, feeder, first, frames, damage, ahead, lead)
                return recorder.stop((len(frames) + 0.5) / fps)
        lead *= 3
        if device:
            device.start_again()
        if spool:
            spool.seek(0)
            with suppress(OSError):  # a device has no length
                spool.truncate()
    raise AssertionError("the machine is too busy to present frames in time")


class _LateError(Exception):
    """A frame was presented after its tick."""


def _feed(
    recorder: Recorder,
    feeder: Feeder,
    first: Frame,
    frames: Sequence[tuple[Frame | None, Sequence[VideoRegion]]],
    damage: Sequence[tuple[int, int, int, int]] | None,
    ahead: int,
    lead: float,
) -> None:
    """Starts the recorder `lead` seconds from now, and presents all frames."""
    ring, fps, now_ns = feeder.ring, recorder.settings.fps, native().lib.uis_now_ns
    feeder.present(first)
    videos = frames[0][1] if frames else []
    ring.set_regions(videos)
    origin = now_ns() + round(lead * 1e9)
    recorder.start(origin)
    through = 0  # ticks that the last frame in the ring needs
    for number, (frame, now) in enumerate(frames):
        if frame is None:
            continue
        if now != videos:
            assert number + 1 - through >= QUIET, "the videos change too soon"
            await_ticks(recorder, through)
            ring.set_regions(now)
            videos = now
        await_ticks(recorder, number + 2 - ahead)
        # In the middle of the tick's interval, far from its edges.
        feeder.present(frame, damage, at_ns=origin + round((number + 0.5) / fps * 1e9))
        if now_ns() >= origin + round((number + 1) / fps * 1e9) and not recorder.failed:
            raise _LateError
        through = number + 2


def spaced(
    frames: Sequence[tuple[Frame | None, Sequence[VideoRegion]]],
) -> list[tuple[Frame | None, Sequence[VideoRegion]]]:
    """The session with QUIET ticks wherever the videos of the next frame are other ones."""
    out: list[tuple[Frame | None, Sequence[VideoRegion]]] = []
    videos = frames[0][1]
    for frame, now in frames:
        if frame is not None and now != videos:
            out += [(None, now)] * QUIET
            videos = now
        out.append((frame, now))
    return out


def await_ticks(recorder: Recorder, count: int) -> None:
    """Until that many are done, or the recording has failed."""
    until = time.monotonic() + 60
    while recorder.ticks < count and not recorder.failed:
        assert time.monotonic() < until, f"{recorder.ticks} of {count} ticks after a minute"
        time.sleep(0.002)
