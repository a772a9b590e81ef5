"""The frame ring, from the recorder's side."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .errors import CaptureError, EnvironmentProblem
from .native import native

_ERROR_SIZE = 512
_PATIENCE = 1.0  # seconds to copy a frame before the recorder takes the next one
_BETWEEN_TRIES = 0.002  # seconds
WRITER_STATES = ("none", "attached", "swapchain", "presenting", "failed")
CAPTURES = ("host", "device", "verify")
"""Where frames go: `UIS_CAPTURE_*`."""


@dataclass(frozen=True)
class DeviceFrames:
    """What became of frames on the GPU. `wanted` and `active` are what the layer was asked for
    and does (host, device, verify), `fallback` says why if that is less. `encoded` were encoded
    where they were, `downloaded` copied to the host by the encoders, for the reason that the
    last one had."""

    wanted: str
    active: str
    fallback: str
    encoded: int
    downloaded: int
    download_reason: str


@dataclass(frozen=True)
class RingCounters:
    """What the layer has counted for the main window so far."""

    state: str
    presented: int
    published: int
    superseded: int
    lost: int
    without_damage: int
    swapchains: int
    device: str
    error: str
    passthrough: bool
    on_device: DeviceFrames

    @property
    def dropped(self) -> int:
        return self.superseded + self.lost


@dataclass(frozen=True)
class VideoRegion:
    """A <video> as seen: device pixels from the view's top left, clipped to the view.

    `id` stays with one element; `playing` while new frames are expected; `changed_ns`
    is CLOCK_MONOTONIC, when the page noticed.
    """

    id: int
    x: int
    y: int
    w: int
    h: int
    playing: bool
    changed_ns: int

    @property
    def area(self) -> int:
        """Device pixels."""
        return self.w * self.h


@dataclass(frozen=True)
class CapturedFrame:
    """A frame as the layer delivered it: `pixels` of shape (height, width, 4), B G R A, in
    the view's size (black where a smaller window does not reach); `sequence` is the ordinal of
    its present, as in `Tick.sequence`."""

    sequence: int
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class PresentedFrame:
    """A frame that a reader took from the ring: `pixels` of shape (height, width, 4), B G R A,
    in the window's own size at that moment; `damage` rectangles as (x, y, width, height), pixels
    of the window; `sequence` the ordinal of its present."""

    sequence: int
    pixels: npt.NDArray[np.uint8]
    damage: tuple[tuple[int, int, int, int], ...]

    @property
    def rgb(self) -> npt.NDArray[np.uint8]:
        """The pixels without alpha: shape (height, width, 3), R G B."""
        return self.pixels[..., 2::-1]

    @property
    def damaged(self) -> int:
        """Pixels of all its damage rectangles; what several cover counts as often."""
        return sum(w * h for _, _, w, h in self.damage)


class FrameRing:
    """Shared memory between the layer in Chrome's GPU process and the recorder.

    Args:
        width, height: of the main window, pixels. The layer captures the
            swapchain of this size.
        slots: frames the ring can hold; 12 are half a second at 24 a second.
        encode: "layer": the layer's process reads and encodes the frames, and what it
            codes comes back through the same object.

    Raises:
        EnvironmentProblem: shared memory is not to be had.
    """

    _ordinals = itertools.count()

    def __init__(
        self,
        width: int,
        height: int,
        slots: int = 12,
        encode: Literal["recorder", "layer"] = "recorder",
    ) -> None:
        self._native = native()
        ffi, lib = self._native.ffi, self._native.lib
        _remove_stale()
        # pid first: a stale object can be told from a live one by eye and by `doctor`.
        self.name = f"/uisplice-{os.getpid()}-{next(self._ordinals)}-{secrets.token_hex(4)}"
        out = ffi.new("uis_ring **")
        error = ffi.new("char[]", _ERROR_SIZE)
        side = lib.UIS_ENCODE_LAYER if encode == "layer" else lib.UIS_ENCODE_RECORDER
        rc = lib.uis_ring_create(
            self.name.encode(), width, height, slots, side, out, error, _ERROR_SIZE
        )
        if rc != 0:
            raise EnvironmentProblem(
                self._native.text(error),
                "free or enlarge /dev/shm (containers: --shm-size=512m)",
            )
        self.pointer: Any = out[0]
        self._header = self._native.lib.uis_ring_get_header(self.pointer)

    def counters(self) -> RingCounters:
        """A snapshot of the layer's counters."""
        h = self._header
        return RingCounters(
            state=_word(WRITER_STATES, h.writer_state),
            presented=h.presented,
            published=h.published,
            superseded=h.superseded,
            lost=h.lost,
            without_damage=h.without_damage,
            swapchains=h.swapchains,
            device=self._native.text(h.device_name),
            error=self._native.text(h.writer_error),
            passthrough=bool(h.passthrough),
            on_device=DeviceFrames(
                wanted=_word(CAPTURES, h.device.wanted),
                active=_word(CAPTURES, h.device.active),
                fallback=self._native.text(h.device.fallback),
                encoded=h.device.encoded,
                downloaded=h.device.downloaded,
                download_reason=self._native.text(h.device.download_reason),
            ),
        )

    def drain(self) -> Iterator[PresentedFrame]:
        """Takes every frame that is there, the oldest first, and frees its slot. A ring has one
        reader: not for one that a recorder reads.

        Raises CaptureError for a slot whose pixels are on the GPU, or that cannot hold what
        the layer says of it.
        """
        ffi, lib = self._native.ffi, self._native.lib
        said = ffi.new("uis_ring_slot *")
        while (slot := lib.uis_ring_take(self.pointer, 0)) != ffi.NULL:
            try:
                if lib.uis_ring_describe(self.pointer, slot, said) != 0:
                    raise CaptureError(
                        f"a frame of {said.width}x{said.height} does not fit the ring",
                        "build layer and library anew, from one source: make build",
                    )
                if said.flags & lib.UIS_SLOT_ON_DEVICE:
                    raise CaptureError(
                        "the layer left a frame's pixels on the GPU",
                        "capture to the host: unset $UIS_CAPTURE",
                    )
                raw = ffi.buffer(lib.uis_ring_slot_pixels(slot), said.stride * said.height)
                rows = np.frombuffer(raw, np.uint8).reshape(said.height, said.stride)
                pixels = rows[:, : said.width * 4].reshape(said.height, said.width, 4).copy()
            finally:
                lib.uis_ring_release(slot)
            rects = said.damage[0 : said.damage_count]
            yield PresentedFrame(
                int(said.sequence), pixels, tuple((r.x, r.y, r.w, r.h) for r in rects)
            )

    def held_frame(self) -> CapturedFrame | None:
        """A copy of the frame that stands on the recorder's side, the last one it took; None
        where it has taken none. Costs the caller a copy, and the recorder nothing; a frame on the
        GPU is copied by the process that has it, which holds up its next tick as long as that
        takes, and None if that fails."""
        ffi = self._native.ffi
        geometry = self._native.lib.uis_ring_get_geometry(self.pointer)
        width, height = geometry.max_width, geometry.max_height
        room = np.empty(width * height * 4, np.uint8)
        said = ffi.new("uis_ring_slot *")
        until = time.monotonic() + _PATIENCE
        while (rc := self._copy_held(said, room)) == -errno.EAGAIN and time.monotonic() < until:
            time.sleep(_BETWEEN_TRIES)
        if rc != 0 or said.width > width or said.height > height:
            return None
        window = room[: said.width * said.height * 4].reshape(said.height, said.width, 4)
        pixels = np.zeros((height, width, 4), np.uint8)
        pixels[..., 3] = 255
        pixels[: said.height, : said.width] = window
        return CapturedFrame(int(said.sequence), pixels)

    def _copy_held(self, said: Any, room: npt.NDArray[np.uint8]) -> int:
        """0 or a negative errno, which is EAGAIN where another frame is held by now, or none
        for the moment."""
        ffi, lib = self._native.ffi, self._native.lib
        pixels = ffi.from_buffer("uint8_t[]", room)
        rc = int(lib.uis_ring_copy_held(self.pointer, said, pixels, room.size))
        if rc != -errno.ENODATA:
            return rc
        rc = int(lib.uis_ring_ask_held(self.pointer, round(_PATIENCE * 1e9)))
        if rc == 0:
            rc = int(lib.uis_ring_copy_held(self.pointer, said, pixels, room.size))
            return -errno.EAGAIN if rc == -errno.ENODATA else rc
        return rc

    def set_window(self, width: int, height: int) -> None:
        """Says how large the main window is now; the layer looks for it by its size when
        it loses sight of it."""
        self._native.lib.uis_ring_set_window(self.pointer, width, height)

    def set_regions(self, regions: Sequence[VideoRegion]) -> None:
        """Tells the recorder where videos are and whether they play."""
        ffi = self._native.ffi
        limit = self._native.lib.UIS_RING_MAX_REGIONS
        kept = list(regions)[:limit]
        array = ffi.new("uis_video_region[]", max(len(kept), 1))
        for slot, region in zip(array, kept, strict=False):
            slot.id = region.id & 0xFFFFFFFF
            slot.rect.x, slot.rect.y = region.x, region.y
            slot.rect.w, slot.rect.h = region.w, region.h
            slot.playing = int(region.playing)
            slot.changed_ns = region.changed_ns
        self._native.lib.uis_ring_set_regions(self.pointer, array, len(kept))

    def close(self) -> None:
        """Unmaps and removes the shared memory. The recorder must be gone before."""
        if self.pointer is not None:
            self._native.lib.uis_ring_close(self.pointer)
            self.pointer = None

    def __enter__(self) -> FrameRing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _word(words: Sequence[str], number: int) -> str:
    """What a number of the layer's means; it may be any."""
    return words[min(number, len(words) - 1)]


def _remove_stale() -> None:
    """Removes rings of processes that were killed before they could."""
    for path in Path("/dev/shm").glob("uisplice-*-*-*"):
        owner = path.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists():
            # Another user's can be removed by nobody else (/dev/shm is sticky) but root.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                path.unlink()
