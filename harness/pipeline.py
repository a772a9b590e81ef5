"""The native pipeline driven frame by frame: no clock, no ring, no browser."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from typing_extensions import Self

from .errors import RecorderError
from .muxer import Muxer
from .native import native
from .recorder import (
    DigestFile,
    RecorderSettings,
    Recording,
    Tick,
    native_config,
    settings_remedy,
    to_tick,
)
from .ring import VideoRegion

_ERROR_SIZE = 512
_ORIGIN_NS = 1_000_000_000  # 0 would mean that no frame was taken


@dataclass(frozen=True)
class Arrival:
    """When a tick was and what came for it, as in `Tick`; times are nanoseconds on the
    recording's clock. `present_ns` and `sequence` are 0 when no frame was taken."""

    tick_ns: int
    present_ns: int = 0
    sequence: int = 0
    presents: int = 0
    coalesced: int = 0
    dropped: int = 0


class Pipeline:
    """Records frames that the caller brings, one a tick, as fast as they come.

    >>> with Pipeline(RecorderSettings(640, 384), path) as pipeline:
    ...     pipeline.tick(first)
    ...     pipeline.tick(second, videos)
    ...     recording = pipeline.finish()

    The stream, ticks and digests are those that a live recording of the same
    frames would have, presented on every tick, or as `arrival` says. `origin_ns` is
    the time of tick 0. `helpers` threads share the rows of what has at least
    `shared_from` macroblocks with the caller's, None: as in a recording on this machine;
    what comes out is the same. Raises RecorderError where the settings do not fit, and where
    the folder cannot be written to.
    """

    def __init__(
        self,
        settings: RecorderSettings,
        stream: Path,
        origin_ns: int = _ORIGIN_NS,
        helpers: int | None = None,
        shared_from: int = 1024,
    ) -> None:
        self.settings = settings
        self._origin_ns = origin_ns
        self._presents = 0
        self._native = native()
        ffi, lib = self._native.ffi, self._native.lib
        out = ffi.new("uis_pipeline **")
        self._error = ffi.new("char[]", _ERROR_SIZE)
        config = native_config(settings)
        if lib.uis_pipeline_open(config, out, self._error, _ERROR_SIZE) != 0:
            raise RecorderError(self._native.text(self._error), settings_remedy(settings))
        self._pointer: Any = out[0]
        if helpers is not None:
            lib.uis_pipeline_share_rows(self._pointer, helpers, shared_from)
        self._muxer = Muxer(stream)
        try:
            self._digests = DigestFile(
                stream.with_suffix(".digests"), lib.uis_pipeline_mbs(self._pointer)
            )
        except RecorderError:
            lib.uis_pipeline_close(self._pointer)
            raise
        self._stream = stream
        self._ticks: list[Tick] = []
        self._before: npt.NDArray[np.uint8] | None = None

    def tick(
        self,
        frame: npt.NDArray[np.uint8] | None,
        videos: Sequence[VideoRegion] = (),
        damage: tuple[int, int, int, int] | None = None,
        arrival: Arrival | None = None,
    ) -> Tick:
        """One tick. `frame` has shape (height, width, 4), B G R A; None: nothing was
        presented. `damage` (x, y, w, h) bounds what may differ; None: anywhere.
        `arrival`: when it came; None: on the tick, alone."""
        ffi, lib = self._native.ffi, self._native.lib
        raw = ffi.new("uis_tick *")
        number = len(self._ticks)
        raw.index = number
        if arrival is None:
            due = self._origin_ns + number * 1_000_000_000 // self.settings.fps
            came = frame is not None
            arrival = Arrival(due, due if came else 0, self._presents + 1 if came else 0, int(came))
        self._presents += arrival.presents
        raw.tick_ns, raw.sequence = arrival.tick_ns, arrival.sequence
        raw.presents, raw.coalesced = arrival.presents, arrival.coalesced
        raw.dropped = arrival.dropped
        now, before = ffi.NULL, ffi.NULL
        rect = ffi.new("uis_rect *")
        if frame is not None:
            frame = np.ascontiguousarray(frame)
            height, width = frame.shape[:2]
            rect[0] = damage or (0, 0, width, height)
            now = self._image(frame)
            if self._before is not None:
                before = self._image(self._before)
        regions = ffi.new("uis_video_region[]", max(len(videos), 1))
        for slot, video in zip(regions, videos, strict=False):
            slot.rect = (video.x, video.y, video.w, video.h)
            slot.id, slot.playing = video.id, int(video.playing)
            slot.changed_ns = video.changed_ns
        rc = lib.uis_pipeline_tick(
            self._pointer,
            now,
            before,
            rect,
            regions,
            len(videos),
            arrival.present_ns,
            raw,
            self._error,
            _ERROR_SIZE,
        )
        if rc != 0:
            raise RecorderError(self._native.text(self._error))
        if frame is not None:
            self._before = frame
        raw.latency_ns = 0  # nothing was presented just now
        tick = to_tick(raw, self._origin_ns)
        if raw.au_size:
            self._digests.append(bytes(ffi.buffer(raw.digests, raw.mbs * 8)))
            self._muxer.add(bytes(ffi.buffer(raw.au, raw.au_size)), tick.shown, tick.keyframe)
        self._ticks.append(tick)
        return tick

    def _image(self, frame: npt.NDArray[np.uint8]) -> Any:
        """A frame as `uis_image`; a subclass can put it elsewhere than in host memory."""
        image = self._native.ffi.new("uis_image *")
        image.host = bgra_image(frame)[0]
        return image

    def request_keyframe(self) -> None:
        """The next tick's picture is a keyframe, whether anything changed or not."""
        self._native.lib.uis_pipeline_request_keyframe(self._pointer)

    @property
    def ticks(self) -> int:
        """Ticks finished so far."""
        return len(self._ticks)

    def finish(self, unseen_drops: int = 0) -> Recording:
        """Finishes the file and gives everything. Raises RecorderError where the file cannot be
        finished."""
        self._close_files()
        return Recording(
            self.settings,
            self._stream,
            tuple(self._ticks),
            self._digests,
            unseen_drops,
            live=False,
        )

    def _close_files(self) -> None:
        try:
            self._muxer.close(len(self._ticks) / self.settings.fps)
        finally:
            self._digests.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._native.lib.uis_pipeline_close(self._pointer)
        with contextlib.suppress(RecorderError):  # `finish` says it; another error is on its way
            self._close_files()


def bgra_image(frame: npt.NDArray[np.uint8]) -> Any:
    """A native view of a frame of shape (height, width, 4); the frame must outlive it."""
    ffi = native().ffi
    image = ffi.new("uis_bgra *")
    image.pixels = ffi.cast("uint8_t *", frame.ctypes.data)
    image.stride = frame.strides[0]
    image.height, image.width = frame.shape[:2]
    return image
