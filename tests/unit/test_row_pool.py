"""Threads that share a picture's rows: the result is the same, and they end with their owner."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support import content

from harness.checks import access_units
from harness.native import native
from harness.pipeline import Pipeline, bgra_image
from harness.recorder import Picture, RecorderSettings, Recording, Tick
from harness.ring import VideoRegion

# 1,530 macroblocks: enough that rows are shared. Both sides are cut macroblocks.
WIDTH, HEIGHT = 808, 472
VIDEO = VideoRegion(1, 144, 96, 480, 288, True, 0)


def session(path: Path, helpers: int, inside: Callable[[], None] = lambda: None) -> Recording:
    """A page, a video that gets a region, cards that change beside it, a new page."""
    page = content.ui(WIDTH, HEIGHT)
    settings = RecorderSettings(WIDTH, HEIGHT, adopt_after=2, measure=True)
    with Pipeline(settings, path, helpers=helpers) as pipeline:
        pipeline.tick(page)
        for number, picture in enumerate(content.natural(VIDEO.w, VIDEO.h, 14)):
            if number % 5 == 4:
                page = content.paste(page, content.ui(90, 60, seed=number), 660 - number, 400)
            pipeline.tick(content.paste(page, picture, VIDEO.x, VIDEO.y), [VIDEO])
        pipeline.tick(None)
        pipeline.tick(content.ui(WIDTH, HEIGHT, seed=2))
        inside()
        return pipeline.finish()


def seen(tick: Tick) -> tuple[Any, ...]:
    """A tick, but for its times."""
    names = (name for name in Tick.__dataclass_fields__ if not name.endswith("_ms"))
    return tuple(getattr(tick, name) for name in names)


def helpers_of_this_process() -> list[str]:
    """Their /proc/.../status."""
    found = []
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # ended meanwhile
            found.append((thread / "status").read_text())
    return [status for status in found if status.startswith("Name:\tuis-rows\n")]


def helpers_are_gone() -> bool:
    """A thread that was joined may be listed for a moment."""
    end = time.monotonic() + 5
    while helpers_of_this_process() and time.monotonic() < end:
        time.sleep(0.01)
    return not helpers_of_this_process()


@pytest.mark.parametrize("helpers", [1, 3, 7])
def test_the_stream_is_the_same_with_any_number_of_helpers(tmp_path: Path, helpers: int):
    alone = session(tmp_path / "alone.mkv", 0)
    shared = session(tmp_path / "shared.mkv", helpers)
    assert {tick.picture for tick in alone.ticks} == set(Picture)
    assert [seen(tick) for tick in shared.ticks] == [seen(tick) for tick in alone.ticks]
    assert list(access_units(shared.stream)) == list(access_units(alone.stream))
    assert np.array_equal(shared.digests.load(), alone.digests.load())


def test_helpers_block_signals_and_end_with_the_pipeline(tmp_path: Path):
    masks: list[int] = []

    def look() -> None:
        end = time.monotonic() + 5
        while len(helpers_of_this_process()) < 3 and time.monotonic() < end:
            time.sleep(0.01)  # one that nobody needed yet may still have to name itself
        for status in helpers_of_this_process():
            blocked = re.search(r"^SigBlk:\s+(\w+)$", status, re.M)
            assert blocked is not None
            masks.append(int(blocked[1], 16))

    session(tmp_path / "s.mkv", 3, look)
    assert len(masks) == 3
    for name in ("SIGINT", "SIGTERM", "SIGCHLD", "SIGUSR1", "SIGALRM"):
        assert all(mask >> (signal.Signals[name] - 1) & 1 for mask in masks), name
    # What a thread causes itself; a sandbox answers with SIGSYS.
    for name in ("SIGSYS", "SIGSEGV", "SIGBUS"):
        assert not any(mask >> (signal.Signals[name] - 1) & 1 for mask in masks), name
    assert helpers_are_gone()


def test_a_small_picture_starts_no_threads(tmp_path: Path):
    frames = content.natural(320, 192, 3)
    with Pipeline(RecorderSettings(320, 192), tmp_path / "s.mkv", helpers=3) as pipeline:
        for frame in frames:
            pipeline.tick(frame)
        assert helpers_of_this_process() == []
        pipeline.finish()


@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (200, 120)], ids=["shared", "small"])
def test_squared_errors_are_those_of_the_decoded_pictures(tmp_path: Path, size: tuple[int, int]):
    """Against FFmpeg and numpy, cut macroblocks included."""
    width, height = size
    frames = content.natural(width, height, 4)
    with Pipeline(RecorderSettings(width, height), tmp_path / "s.mkv", helpers=2) as pipeline:
        ticks = [pipeline.tick(frame) for frame in frames]
        recording = pipeline.finish()
    with av.open(str(recording.stream)) as stream:
        shown = [picture.to_ndarray()[:height, :width] for picture in stream.decode(video=0)]
    ffi, lib = native().ffi, native().lib
    whole, rows, columns = ffi.new("uis_rect *", (0, 0, *size)), -(-height // 16), -(-width // 16)
    y, u, v = (ffi.new("uint8_t[]", rows * columns * n) for n in (256, 64, 64))
    assert len(shown) == len(frames)
    for frame, decoded, tick in zip(frames, shown, ticks, strict=True):
        lib.uis_bgra_to_i420(bgra_image(frame), whole, y, u, v)
        luma = np.frombuffer(ffi.buffer(y), np.uint8).reshape(rows * 16, columns * 16)
        error = luma[:height, :width].astype(np.int64) - decoded.astype(np.int64)
        assert tick.sse_y == (error**2).sum() > 0
