"""A window that changes its size while it is recorded: the stream keeps its own."""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support import content
from support.feeder import Feeder, Frame, record
from support.taping import header

from harness.checks import check_recording, ffmpeg_pictures, openh264_pictures
from harness.errors import RecorderError
from harness.recorder import Recorder, RecorderSettings, Recording, TickClass
from harness.replay import replay
from harness.ring import FrameRing, VideoRegion
from harness.tape import Tape
from harness.tape_writer import open_spool, write_tape

W, H = 320, 192
FPS = 24
VIDEO = VideoRegion(1, 48, 32, 128, 96, True, 0)
SMALLER = ((256, 160), (198, 190), (318, 64))
BLACK = (0, 0, 0, 255)


def in_view(window: Frame) -> Frame:
    """What is to be recorded of a window: itself at the top left, black elsewhere."""
    out = np.full((H, W, 4), BLACK, np.uint8)
    out[: window.shape[0], : window.shape[1]] = window
    return out


def session(sizes: Sequence[tuple[int, int]], each: int = 8) -> list[Frame]:
    """A page with a playing video, `each` frames at every size in turn."""
    clip = itertools.cycle(content.natural(VIDEO.w, VIDEO.h, 24))
    return [
        content.paste(content.ui(width, height, seed=width), next(clip), VIDEO.x, VIDEO.y)
        for width, height in sizes
        for _ in range(each)
    ]


def assert_black_outside(luma: npt.NDArray[np.uint8], width: int, height: int) -> int:
    """Of macroblocks wholly outside the window, but for the three rows or columns that
    deblocking changes; returns how many pixels were looked at."""
    left, top = (-(-side // 16) * 16 + 3 for side in (width, height))
    parts = [part for part in (luma[top:], luma[:, left:]) if part.size]
    for part in parts:
        assert part.min() >= 15 and part.max() <= 17, "black, as coarsely as QP 23 codes it"
    return sum(part.size for part in parts)


def taped(path: Path, frames: Sequence[Frame], **settings: object) -> tuple[Recording, Tape]:
    """Records the frames, one a tick, with a damage that leaves out nearly everything."""
    with open_spool(path) as spool:
        live = record(
            path / "live.mkv",
            [(frame, [VIDEO]) for frame in frames[1:]],
            first=frames[0],
            fps=FPS,
            spool=spool,
            damage=[(VIDEO.x, VIDEO.y, VIDEO.w, VIDEO.h)],
            **settings,
        )
        assert live.error == ""
        head = header(W, H, fps=FPS, unseen_drops=live.unseen_drops)
        write_tape(path / "live.tape.mkv", head, spool)
    return live, Tape.open(path / "live.tape.mkv")


@pytest.mark.parametrize("splice", ["syntax", "separate"])
def test_shrinks_and_grows_while_a_video_plays(tmp_path: Path, splice: str):
    sizes = [(W, H), SMALLER[0], (W, H), SMALLER[1], SMALLER[2], (W, H)]
    frames = session(sizes)
    live, tape = taped(tmp_path, frames, splice=splice)
    for result in check_recording(live):
        assert result.passed, f"{result.name}: {result.summary}"
    assert sum(tick.dropped for tick in live.ticks) == 0

    # What was recorded is the window in the view, pixel for pixel.
    shown = [step for step in tape if step.frame is not None]
    assert len(shown) > 30
    for step in shown:
        window = frames[step.tick.arrival.sequence - 1]
        assert np.array_equal(step.frame, in_view(window))
    # The page says 128x96; of it, what the window shows.
    seen = {video for step in shown for video in step.tick.videos}
    assert {(v.x, v.y, v.w, v.h) for v in seen} == {(48, 32, 128, 96), (48, 32, 128, 32)}

    by_sequence = {tick.sequence: tick for tick in live.ticks if tick.sequence}
    for first, second in itertools.pairwise(sorted(by_sequence)):
        before, now = (frames[number - 1].shape for number in (first, second))
        tick = by_sequence[second]
        if before != now:
            assert tick.tick_class is TickClass.CHANGED
            # All that lies in one of the two windows, to the macroblock.
            right, bottom = max(before[1], now[1]), max(before[0], now[0])
            assert tick.dirty.x + tick.dirty.w >= right
            assert tick.dirty.y + tick.dirty.h >= bottom
        else:
            assert tick.tick_class is TickClass.VIDEO_ONLY

    # The damage was a lie: had it been believed, the old page would still stand here.
    windows = [frames[tick.sequence - 1].shape for tick in live.ticks if tick.bytes]
    for decode in (ffmpeg_pictures, openh264_pictures):
        errors: list[str] = []
        outside = 0
        for picture, (height, width, _) in zip(decode(live.stream, errors), windows, strict=True):
            outside += assert_black_outside(picture.y, width, height)
        assert errors == [] and outside > 0

    again = replay(tape, live.settings, tmp_path / "again.mkv")
    assert again.stream.read_bytes() == live.stream.read_bytes()


def test_a_video_as_large_as_the_window_does_not_hide_that_it_shrank(tmp_path: Path):
    """The page's rectangle is the old window's until it says otherwise."""
    whole = dataclasses.replace(VIDEO, x=0, y=0, w=W, h=H)
    clip = content.natural(W, H, 24)
    frames = [(clip[n], [whole]) for n in range(1, 8)]
    frames += [(clip[n][:96, :160].copy(), [whole]) for n in range(8, 16)]
    frames += [(clip[n], [whole]) for n in range(16, 24)]
    live = record(tmp_path / "s.mkv", frames, first=clip[0], fps=FPS)
    for result in check_recording(live):
        assert result.passed, f"{result.name}: {result.summary}"
    changed = [t.sequence for t in live.ticks if t.tick_class is TickClass.CHANGED]
    assert changed == [1, 9, 17]


def test_begins_with_a_smaller_window(tmp_path: Path):
    frames = session([SMALLER[0], (W, H)], each=6)
    with FrameRing(W, H) as ring:
        feeder = Feeder(ring)
        recorder = Recorder(RecorderSettings(W, H, fps=FPS), ring, tmp_path / "s.mkv")
        try:
            feeder.present(frames[0])
            time.sleep(0.1)
            recorder.start()
            for frame in frames[1:]:
                time.sleep(1 / FPS)
                feeder.present(frame)
            recording = recorder.stop()
        finally:
            recorder.close()
    assert recording.error == ""
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"
    errors: list[str] = []
    first = next(ffmpeg_pictures(recording.stream, errors))
    assert first.y.shape == (H, W)
    assert assert_black_outside(first.y, *SMALLER[0]) > 0
    assert first.y[:160, :256].max() > 100


@pytest.mark.parametrize("size", [(W + 32, H // 2), (W // 2, H + 32)])
def test_a_window_larger_than_the_view_ends_the_recording(tmp_path: Path, size: tuple[int, int]):
    """Its bytes fit a slot, but the layer would not have let it through."""
    frames = [(content.ui(W, H, seed=n), []) for n in range(3)]
    larger = content.ui(*size)
    live = record(tmp_path / "s.mkv", [*frames, *[(larger, [])] * 3], first=frames[0][0], fps=FPS)
    assert live.error == (
        f"the window grew to {size[0]}x{size[1]}, and the recording holds {W}x{H} at most"
    )
    assert len(live.ticks) >= 3, "what was recorded until then is kept"


def test_a_recorder_of_the_view_goes_with_a_ring_whose_window_is_smaller(tmp_path: Path):
    with FrameRing(W, H) as ring:
        ring.set_window(*SMALLER[0])
        Recorder(RecorderSettings(W, H), ring, tmp_path / "s.mkv").close()
        with pytest.raises(RecorderError, match="set to 256x160 but the ring to 320x192"):
            Recorder(RecorderSettings(*SMALLER[0]), ring, tmp_path / "t.mkv")
