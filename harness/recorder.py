"""Drives the native recorder: starts it, drains it into the muxer, stops it."""

from __future__ import annotations

import contextlib
import enum
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import RecorderError
from .muxer import Muxer
from .native import native
from .ring import FrameRing

_ERROR_SIZE = 512

EncoderName = Literal["x264", "nvenc", "auto"]


class TickClass(enum.IntEnum):
    """What a tick of the frame clock saw."""

    UNCHANGED = 0
    VIDEO_ONLY = 1
    CHANGED = 2


class Picture(enum.IntEnum):
    """What was written for a tick."""

    NONE = 0
    FULL = 1
    SPLICED = 2
    MERGED = 3


class Fault(enum.IntFlag):
    """One thing broken on purpose, so that a test can see the checks fail."""

    NONE = 0
    NO_GUARD = 1
    WRONG_LTR = 2
    NO_MMCO4 = 4
    BAD_SHARES = 8
    WRONG_MVD = 16


class Rect(NamedTuple):
    """Pixels, top-left origin."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class RecorderSettings:
    """What a recording is made with.

    width, height are pixels and even; fps is ticks a second; qp 0..51 for I and P
    alike; encoder is the library that codes, "auto" is for `choose_encoder` to decide;
    preset has x264's names, which NVENC maps to its own; guard is macroblocks of UI
    around a region; threads are encoder 1's, 1 to 16: with more than one x264 codes as
    many slices of a picture at a time, and a region has the share that it has of the view.
    mode chooses two encoders and the splicer or, for comparison, one plain encoder for every
    tick or for those on which something changed. splice "syntax"
    merges: while a region lives, encoder 1 codes what is outside it only; "separate"
    and "rows" code CHANGED pictures in full. mb_info tells the encoders which
    macroblocks did not change. deblock lets spliced and merged pictures use the
    deblocking filter where that is provably exact. A region larger than region_limit
    percent of the view is left to encoder 1, and so is a video that has not stood still
    for adopt_after pictures: one about to move would lose its region at once.
    keyframe_interval is in ticks, 0: only the first picture. measure adds SSIM to every
    picture, about 2 ms at 720p.
    """

    width: int = 1280
    height: int = 720
    fps: int = 24
    qp: int = 23
    encoder: EncoderName = "x264"
    preset: str = "superfast"
    guard: int = 3
    threads: int = 1
    splice: Literal["syntax", "separate", "rows"] = "syntax"
    mode: Literal["spliced", "single", "single-vfr"] = "spliced"
    mb_info: bool = True
    deblock: bool = True
    region_limit: int = 60
    adopt_after: int = 6
    keyframe_interval: int = 0
    measure: bool = False
    faults: Fault = Fault.NONE


@dataclass(frozen=True)
class Tick:
    """One tick of the frame clock. Times are milliseconds except `time` and
    `present`, which are seconds from the recording's start. `region_rects` are the
    regions of the tick's picture, guard included, and `region` is their bounding box;
    a tick without a spliced or merged picture has none. `copied_bytes` of the frame's planes went
    from the GPU to the host to measure squared errors and SSIM, 0 where all of it is there."""

    index: int
    time: float
    present: float | None
    sequence: int  # the layer's ordinal of the frame taken, 0 if none
    tick_class: TickClass
    picture: Picture
    presents: int
    coalesced: int
    identical: int
    dropped: int
    keyframe: bool
    region_idr: bool
    region_leaks: int
    patched_mbs: int
    fallback: bool
    deblocked: bool
    dirty_mbs: int
    dirty_outside_mbs: int
    dirty: Rect
    region: Rect
    regions: int
    region_rects: tuple[Rect, ...]
    videos: int
    slices: int
    frame_num: int
    bytes: int
    sse_y: float
    sse_video: float
    video_mbs: int
    ssim: float
    diff_ms: float
    convert_ms: float
    encode_ms: float
    read_ms: float
    check_ms: float
    splice_ms: float
    digest_ms: float
    latency_ms: float
    cpu_ms: float
    copied_bytes: int = 0

    @property
    def shown(self) -> float:
        """When the picture is to be shown: its present's time, in seconds. The frame
        standing when the recording began is shown at its start."""
        return max(self.present if self.present is not None else self.time, 0.0)


class DigestFile:
    """Per-macroblock digests of every picture, on disk: 8 bytes a macroblock.

    What the encoders say a decoder must show, kept apart from the stream so
    that a long recording does not fill the memory. Raises RecorderError where the file
    cannot be opened.
    """

    def __init__(self, path: Path, macroblocks: int) -> None:
        self.path = path
        self.macroblocks = macroblocks
        self.pictures = 0
        try:
            self._file = path.open("wb")
        except OSError as error:  # such as a file that a run as root left there
            raise self._unwritable(error) from error

    def append(self, digests: bytes) -> None:
        """Raises RecorderError where the file cannot be written."""
        try:
            self._file.write(digests)
        except OSError as error:
            raise self._unwritable(error) from error
        self.pictures += 1

    def close(self) -> None:
        """May be called twice. Raises RecorderError where the file cannot be finished."""
        try:
            self._file.close()
        except OSError as error:
            raise self._unwritable(error) from error

    def load(self) -> npt.NDArray[np.uint64]:
        """Shape (pictures, macroblocks), memory-mapped; fewer pictures where the disk was full."""
        whole = self.path.stat().st_size // (8 * self.macroblocks) if self.pictures else 0
        pictures = min(self.pictures, whole)
        if pictures == 0:
            return np.empty((0, self.macroblocks), np.uint64)
        return np.memmap(self.path, np.uint64, mode="r", shape=(pictures, self.macroblocks))

    def _unwritable(self, error: OSError) -> RecorderError:
        return RecorderError(
            f"cannot write {self.path}: {error.strerror}",
            "check the folder's rights and free space",
        )


@dataclass(frozen=True)
class Recording:
    """What a recorder leaves: the stream's file, every tick, and the digests."""

    settings: RecorderSettings
    stream: Path
    ticks: tuple[Tick, ...]
    digests: DigestFile
    unseen_drops: int
    error: str = ""
    live: bool = True  # False: replayed, so that a latency would mean nothing

    @property
    def duration(self) -> float:
        """Seconds: ticks over the clock's rate."""
        return len(self.ticks) / self.settings.fps


@dataclass
class Recorder:
    """One recording. Life: create, `start`, (things happen), `stop`, `close`.

    The native thread classifies, encodes and splices; a Python thread moves
    its records into the MKV, so a busy main thread does not hold anything up.

    `spool` is an open file that takes the pixels and accounts of every tick, for a
    tape (see `tape_writer`); it must stay open until `close`.

    Raises:
        RecorderError: the settings do not fit, or the folder cannot be written to (from the
            constructor).
    """

    settings: RecorderSettings
    ring: FrameRing
    stream: Path
    spool: BinaryIO | None = None
    _ticks: list[Tick] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._native = native()
        ffi, lib = self._native.ffi, self._native.lib
        s = self.settings
        config = native_config(s)
        out = ffi.new("uis_recorder **")
        error = ffi.new("char[]", _ERROR_SIZE)
        if lib.uis_recorder_create(config, self.ring.pointer, out, error, _ERROR_SIZE) != 0:
            raise RecorderError(self._native.text(error), settings_remedy(s))
        self._pointer: Any = out[0]
        macroblocks = -(-s.width // 16) * -(-s.height // 16)
        try:
            self._digests = DigestFile(self.stream.with_suffix(".digests"), macroblocks)
        except RecorderError:
            lib.uis_recorder_destroy(self._pointer)
            raise
        self._muxer = Muxer(self.stream)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._drain, name="recorder-drain", daemon=True)
        self._started = False

    def start(self, origin_ns: int = 0) -> None:
        """Begins the recording with the frame then on screen. `origin_ns` is the time of tick
        0 (CLOCK_MONOTONIC), 0: now."""
        if self.spool is not None:
            rc = self._native.lib.uis_recorder_spool(self._pointer, self.spool.fileno())
            if rc != 0:
                raise RecorderError(f"cannot keep frames for a tape: {os.strerror(-rc)}")
        rc = self._native.lib.uis_recorder_start(self._pointer, origin_ns)
        if rc != 0:
            raise RecorderError(
                self.failed or f"the recorder does not start: {os.strerror(-rc)}",
                "read chrome.log, where encoders run in Chrome; see docs/scenarios.md",
            )
        self._started = True
        self._thread.start()

    @property
    def origin_ns(self) -> int:
        """CLOCK_MONOTONIC time of tick 0."""
        return int(self._native.lib.uis_recorder_origin(self._pointer))

    @property
    def elapsed(self) -> float:
        """Seconds since tick 0; 0 before the start."""
        if not self._started:
            return 0.0
        return (int(self._native.lib.uis_now_ns()) - self.origin_ns) / 1e9

    @property
    def started(self) -> bool:
        """True once the recording has begun."""
        return self._started

    @property
    def ticks(self) -> int:
        """Ticks finished so far."""
        return int(self._native.lib.uis_recorder_ticks(self._pointer))

    @property
    def failed(self) -> str:
        """Why the recording broke off, or an empty string."""
        if self._failure is not None:
            return str(self._failure)
        if self._pointer is None:
            return ""
        return self._native.text(self._native.lib.uis_recorder_error(self._pointer))

    def request_keyframe(self) -> None:
        """The next tick's picture is a keyframe, whether anything changed or not."""
        self._native.lib.uis_recorder_request_keyframe(self._pointer)

    def end_at(self, duration: float) -> None:
        """Says ahead that the recording ends `duration` seconds after its start, so
        that no tick behind it is recorded however late `stop` comes."""
        self._native.lib.uis_recorder_stop(self._pointer, self.origin_ns + round(duration * 1e9))

    def stop(self, duration: float | None = None) -> Recording:
        """Ends the recording at `duration` seconds (default: now), waits for
        the last picture, and finishes the file. A file that cannot be finished (the disk is
        full) is the recording's `error`."""
        lib = self._native.lib
        end = 0 if duration is None else self.origin_ns + round(duration * 1e9)
        lib.uis_recorder_stop(self._pointer, end)
        if self._started:
            self._thread.join()
        try:
            self._finish()
        except RecorderError as error:
            self._failure = self._failure or error
        return Recording(
            settings=self.settings,
            stream=self.stream,
            ticks=tuple(self._ticks),
            digests=self._digests,
            unseen_drops=int(lib.uis_recorder_unseen_drops(self._pointer)) if self._started else 0,
            error=self.failed,
        )

    def close(self) -> None:
        """Frees the native recorder, without waiting for a tick. May be called twice."""
        if self._pointer is None:
            return
        self._native.lib.uis_recorder_stop(self._pointer, 1)
        if self._started:
            self._thread.join()
        self._native.lib.uis_recorder_destroy(self._pointer)
        self._pointer = None
        # Where it matters, `stop` has said it: here the recording is given up.
        with contextlib.suppress(RecorderError):
            self._finish()

    def _finish(self) -> None:
        try:
            self._muxer.close(len(self._ticks) / self.settings.fps)
        finally:
            self._digests.close()

    def _drain(self) -> None:
        ffi, lib = self._native.ffi, self._native.lib
        raw = ffi.new("uis_tick *")
        while True:
            rc = lib.uis_recorder_next(self._pointer, 200, raw)
            if rc < 0:
                return
            if rc == 0:
                continue
            try:
                self._keep(raw)
            except BaseException as error:  # kept for the main thread to raise
                if self._failure is None:
                    self._failure = error
                    lib.uis_recorder_stop(self._pointer, 1)

    def _keep(self, raw: Any) -> None:
        ffi = self._native.ffi
        tick = to_tick(raw, self.origin_ns)
        if raw.au_size:
            self._digests.append(bytes(ffi.buffer(raw.digests, raw.mbs * 8)))
            self._muxer.add(bytes(ffi.buffer(raw.au, raw.au_size)), tick.shown, tick.keyframe)
        self._ticks.append(tick)


def native_config(s: RecorderSettings) -> Any:
    """The settings as the native library takes them.

    Raises:
        RecorderError: a preset name that cannot be one, or an encoder that was not chosen.
    """
    if s.encoder == "auto":
        raise RecorderError("the encoder is still 'auto'", "ask choose_encoder first")
    ffi, lib = native().ffi, native().lib
    config = ffi.new("uis_recorder_config *")
    config.width, config.height = s.width, s.height
    config.fps_num, config.fps_den = s.fps, 1
    config.qp, config.guard_mbs = s.qp, s.guard
    config.threads, config.faults = s.threads, int(s.faults)
    config.splice = getattr(lib, f"UIS_SPLICE_{s.splice.upper()}")
    config.mode = getattr(lib, f"UIS_MODE_{s.mode.upper().replace('-', '_')}")
    config.mb_info, config.deblock = int(s.mb_info), int(s.deblock)
    config.region_limit, config.keyframe_interval = s.region_limit, s.keyframe_interval
    config.adopt_after = s.adopt_after
    config.encoder = getattr(lib, f"UIS_ENCODER_{s.encoder.upper()}")
    config.measure = int(s.measure)
    preset = s.preset.encode()
    if len(preset) > 15:
        raise RecorderError(f"'{s.preset}' is not a libx264 preset", "see `x264 --fullhelp`")
    config.preset = preset
    return config


def settings_remedy(s: RecorderSettings) -> str:
    """What to do where an encoder does not open."""
    return "see docs/nvenc.md" if s.encoder == "nvenc" else "change the scenario's encoder settings"


def _rect(raw: Any) -> Rect:
    return Rect(raw.x, raw.y, raw.w, raw.h)


def to_tick(raw: Any, origin_ns: int) -> Tick:
    """A native tick as Python's; times count from `origin_ns`."""
    return Tick(
        index=raw.index,
        time=(raw.tick_ns - origin_ns) / 1e9,
        present=(raw.present_ns - origin_ns) / 1e9 if raw.present_ns else None,
        sequence=raw.sequence,
        tick_class=TickClass(raw.tick_class),
        picture=Picture(raw.picture),
        presents=raw.presents,
        coalesced=raw.coalesced,
        identical=raw.identical,
        dropped=raw.dropped,
        keyframe=bool(raw.keyframe),
        region_idr=bool(raw.region_idr),
        region_leaks=raw.region_leaks,
        patched_mbs=raw.patched_mbs,
        fallback=bool(raw.fallback),
        deblocked=bool(raw.deblocked),
        dirty_mbs=raw.dirty_mbs,
        dirty_outside_mbs=raw.dirty_outside_mbs,
        dirty=_rect(raw.dirty),
        region=_rect(raw.region),
        regions=raw.regions,
        region_rects=tuple(_rect(raw.region_rects[i]) for i in range(raw.regions)),
        videos=raw.region_count,
        slices=raw.slices,
        frame_num=raw.frame_num,
        bytes=raw.au_size,
        sse_y=raw.sse_y,
        sse_video=raw.sse_video,
        video_mbs=raw.video_mbs,
        ssim=raw.ssim,
        diff_ms=raw.diff_ns / 1e6,
        convert_ms=raw.convert_ns / 1e6,
        encode_ms=raw.encode_ns / 1e6,
        read_ms=raw.read_ns / 1e6,
        check_ms=raw.check_ns / 1e6,
        splice_ms=raw.splice_ns / 1e6,
        digest_ms=raw.digest_ns / 1e6,
        latency_ms=raw.latency_ns / 1e6,
        cpu_ms=raw.cpu_ns / 1e6,
        copied_bytes=raw.copied_bytes,
    )
