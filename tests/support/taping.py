"""Tapes of frames that a test brings, without a recorder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from harness.metrics import Mark
from harness.native import native
from harness.pipeline import bgra_image
from harness.ring import VideoRegion
from harness.tape import TapedSpan, TapeHeader
from harness.tape_writer import open_spool, write_tape

Frame = npt.NDArray[np.uint8]
FIRST_TICK_NS = 5_000_000_000_000


def header(width: int, height: int, fps: int = 24, **changes: object) -> TapeHeader:
    fields = {
        "title": "Ünïcode <title>",
        "width": width,
        "height": height,
        "fps": fps,
        "ticks": 0,
        "environment": {
            "browser": "Chrome 1",
            "vulkan driver": "lavapipe 1.2",
            "system": "Linux",
            "uisplice": "0.1.0",
        },
        "recipe": {},
        "spans": (TapedSpan("A", 0.0, 1.0),),
        "marks": (Mark("here", 0.5),),
        "missing": ("/x.png",),
        "unseen_drops": 0,
    }
    return TapeHeader(**{**fields, **changes})  # type: ignore[arg-type]


def spool_frames(
    spool: BinaryIO, frames: Sequence[tuple[Frame | None, Sequence[VideoRegion]]], fps: int = 24
) -> None:
    """What a recorder would have spooled, one entry a tick (None: no present)."""
    ffi, lib = native().ffi, native().lib
    out = ffi.new("uis_spool **")
    assert lib.uis_spool_open(spool.fileno(), 1 << 20, out) == 0
    before = None
    sequence = 100
    for index, (frame, videos) in enumerate(frames):
        record = ffi.new("uis_spool_record *")
        record.index = index
        record.tick_ns = FIRST_TICK_NS + index * 1_000_000_000 // fps
        if frame is None:
            assert lib.uis_spool_add(out[0], record, ffi.NULL, ffi.NULL) == 0
            continue
        sequence += 2
        # Two presents a tick but for the first, so that the accounts add up.
        record.sequence, record.presents = sequence, 1 if before is None else 2
        record.coalesced = record.presents - 1
        record.present_ns = record.tick_ns - 7_000_123
        record.damage = (0, 0, frame.shape[1], frame.shape[0])
        record.region_count = len(videos)
        for slot, video in zip(record.regions, videos, strict=False):
            slot.rect = (video.x, video.y, video.w, video.h)
            slot.id, slot.playing = video.id, int(video.playing)
            slot.changed_ns = video.changed_ns
        earlier = ffi.NULL if before is None else bgra_image(before)
        assert lib.uis_spool_add(out[0], record, bgra_image(frame), earlier) == 0
        before = frame
    assert lib.uis_spool_close(out[0]) == 0


def make_tape(
    path: Path,
    frames: Sequence[tuple[Frame | None, Sequence[VideoRegion]]],
    head: TapeHeader | None = None,
) -> Path:
    """Writes a tape of the frames; returns its path."""
    first = frames[0][0]
    assert first is not None
    head = head or header(first.shape[1], first.shape[0])
    with open_spool(path.parent) as spool:
        spool_frames(spool, frames, head.fps)
        write_tape(path, head, spool)
    return path
