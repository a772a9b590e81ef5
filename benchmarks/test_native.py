"""Times of the native routines, with pytest-benchmark: `make bench`.

Saved and compared the way pytest-benchmark does it: `make bench-save`, then
`make bench-compare`. Nothing here asserts a time.

Where one native call does several things, it measures them itself. Those benchmarks run
on a clock that only such measures advance (`Measured`), so that each part has statistics
of its own.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import content, streams
from support.taping import make_tape

from harness.checks import access_units, decode_with_ffmpeg, decode_with_openh264
from harness.muxer import Muxer
from harness.native import native
from harness.pipeline import Pipeline, bgra_image
from harness.recorder import Picture, RecorderSettings, Recording, Tick
from harness.replay import replay
from harness.ring import FrameRing, VideoRegion
from harness.tape import Tape

SIZES = pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=["720p", "1080p"])


class Measured:
    """A clock for a benchmark's timer: each round takes as long as it was told."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        return self._seconds

    def rounds(self, benchmark, seconds: Sequence[float]) -> None:
        """One round for every measure."""
        ahead = iter(seconds)

        def take() -> None:
            self._seconds += next(ahead)

        benchmark.pedantic(take, rounds=len(seconds))


measured = Measured()


@pytest.mark.parametrize("routine", ["uis_dirty_map", "uis_dirty_map_plain"])
@SIZES
def test_dirty_map_of_an_unchanged_frame(benchmark, routine: str, size: tuple[int, int]):
    """The dearest case: every pixel must be looked at."""
    ffi, lib = native().ffi, native().lib
    frame = content.ui(*size)
    again = frame.copy()
    out = ffi.new("uint8_t[]", -(-size[0] // 16) * -(-size[1] // 16))
    box = ffi.new("uis_rect *")
    whole = ffi.new("uis_rect *", (0, 0, *size))
    now, before = bgra_image(frame), bgra_image(again)
    assert benchmark(getattr(lib, routine), now, before, whole, out, box) == 0


@pytest.mark.parametrize("part", ["whole", "video"])
@SIZES
def test_conversion(benchmark, size: tuple[int, int], part: str):
    """BGRA to I420: the whole view, or what a video of half its sides damaged."""
    ffi, lib = native().ffi, native().lib
    width, height = size
    frame = content.ui(*size)
    macroblocks = -(-width // 16) * -(-height // 16)
    y, u, v = (ffi.new("uint8_t[]", macroblocks * n) for n in (256, 64, 64))
    rect = (0, 0, *size) if part == "whole" else (width // 4, height // 4, width // 2, height // 2)
    area = ffi.new("uis_rect *", rect)
    benchmark(lib.uis_bgra_to_i420, bgra_image(frame), area, y, u, v)


@cache
def region_stream() -> bytes:
    """Natural video of the size of a 640x360 video's region, coded as a region is."""
    return streams.with_x264(
        content.natural(736, 464, 40), "superfast", 23, "keyint=infinite:threads=1"
    )


@pytest.mark.benchmark(timer=measured)
@pytest.mark.parametrize("part", ["read", "write", "check"])
def test_macroblocks_of_a_736x464_picture(benchmark, part: str):
    """Reading a picture down to its macroblocks, writing it again, and looking whether a
    vector leaves it. A round is the mean picture of a stream of 40."""
    ffi, lib = native().ffi, native().lib
    data = region_stream()
    result = ffi.new("uis_rewrite_result *")
    seconds = []
    for _ in range(10):
        assert lib.uis_rewrite_stream(data, len(data), result) == 0
        assert (result.different, result.unreadable) == (0, 0)
        assert (result.pictures, result.slices) == (40, 40), "else none is checked"
        seconds.append(getattr(result, f"{part}_seconds") / result.pictures)
    measured.rounds(benchmark, seconds)
    benchmark.extra_info["bytes a picture"] = round(len(data) / result.pictures)


def video_session(
    path: Path, view: tuple[int, int], video: tuple[int, int, int, int], **more
) -> Recording:
    """A playing video on a still page."""
    x, y, w, h = video
    base = content.ui(*view)
    with Pipeline(RecorderSettings(*view, adopt_after=0, region_limit=100, **more), path) as p:
        p.tick(base)
        for picture in content.natural(w, h, 40):
            p.tick(content.paste(base, picture, x, y), [VideoRegion(1, *video, True, 0)])
        return p.finish()


PARTS = ("diff", "convert", "encode", "read", "check", "splice", "digest")
VIDEOS = {
    "640x360 in 720p": ((1280, 720), (320, 176, 640, 360)),
    "640x360 in 1080p": ((1920, 1080), (640, 352, 640, 360)),
    "960x540 in 1080p": ((1920, 1080), (480, 270, 960, 540)),
    "all of 1080p": ((1920, 1080), (0, 0, 1920, 1080)),
}


@pytest.fixture(scope="module")
def spliced(tmp_path_factory: pytest.TempPathFactory):
    """VIDEO_ONLY pictures of a session, recorded once for all that is measured in it."""

    @cache
    def record(video: str, splice: str) -> list[Tick]:
        path = tmp_path_factory.mktemp("spliced") / "s.mkv"
        ticks = video_session(path, *VIDEOS[video], splice=splice).ticks
        kept = [t for t in ticks if t.picture is Picture.SPLICED and not t.region_idr]
        assert len(kept) > 30
        return kept

    return record


@pytest.mark.benchmark(timer=measured)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("video", VIDEOS)
@pytest.mark.parametrize("splice", ["syntax", "rows"])
def test_a_video_only_picture(benchmark, spliced, splice: str, video: str, part: str):
    """What each step takes of a VIDEO_ONLY tick, a round a picture: reading the region's
    slice, checking its vectors and placing it (`check`), writing the picture (`splice`)."""
    ticks = spliced(video, splice)
    measured.rounds(benchmark, [getattr(tick, f"{part}_ms") / 1000 for tick in ticks])
    benchmark.extra_info["bytes"] = round(sum(tick.bytes for tick in ticks) / len(ticks))


@SIZES
def test_ring(benchmark, size: tuple[int, int]):
    """From a frame in memory to the reader's hands: written to its slot, published,
    taken, described, released."""
    lib, ffi = native().lib, native().ffi
    frame = content.ui(*size)
    pixels, out = ffi.from_buffer(frame), ffi.new("uis_ring_slot *")
    with FrameRing(*size, slots=3) as ring:

        def pass_on() -> int:
            slot = lib.uis_ring_begin_write(ring.pointer)
            slot.present_ns = lib.uis_now_ns()
            slot.width, slot.height, slot.stride = *size, size[0] * 4
            slot.damage_count = 1
            slot.damage[0] = (0, 0, *size)
            ffi.memmove(lib.uis_ring_slot_pixels(slot), pixels, frame.nbytes)
            lib.uis_ring_publish(ring.pointer, slot)
            taken = lib.uis_ring_take(ring.pointer, 0)
            described = lib.uis_ring_describe(ring.pointer, taken, out)
            lib.uis_ring_release(taken)
            return described

        assert benchmark(pass_on) == 0
        assert out.width == size[0] and ring.counters().superseded == 0


def test_muxer(benchmark, tmp_path: Path):
    """A minute of access units at 24 a second into a file."""
    recording = video_session(tmp_path / "s.mkv", *VIDEOS["640x360 in 720p"])
    units = list(access_units(recording.stream))
    count = 24 * 60

    def write() -> int:
        with Muxer(tmp_path / "out.mkv") as muxer:
            for number in range(count):
                # The first one brings the parameter sets.
                muxer.add(units[number % len(units)], number / 24, number % len(units) == 0)
            muxer.close(count / 24)
            return muxer.pictures

    assert benchmark(write) == count
    benchmark.extra_info["units a second"] = round(count / benchmark.stats.stats.median)


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    """Five seconds: a page, a video that plays on it in two of three ticks, and cards that
    change now and then."""
    size, (x, y, w, h) = VIDEOS["640x360 in 720p"]
    page = content.ui(*size)
    pictures = content.natural(w, h, 80)
    videos = (VideoRegion(1, x, y, w, h, True, 0),)
    frames: list[tuple[np.ndarray | None, Sequence[VideoRegion]]] = [(page, ())]
    for number in range(1, 120):
        if number % 3 == 0 and number % 10:
            frames.append((None, videos))
            continue
        if number % 10 == 0:
            page = content.paste(page, content.ui(200, 90, seed=number), 9 * number, 20)
        picture = pictures[number * 2 // 3]
        frames.append((content.paste(page, picture, x, y), videos))
    path = tmp_path_factory.mktemp("tape") / "session.tape.mkv"
    return Tape.open(make_tape(path, frames))


def test_whole_pipeline_from_a_tape(benchmark, tape: Tape, tmp_path: Path):
    """Decoding the tape, classifying, coding, splicing, muxing: five seconds of a session."""
    settings = RecorderSettings(tape.header.width, tape.header.height, tape.header.fps)
    recording = benchmark.pedantic(
        replay, (tape, settings, tmp_path / "s.mkv"), rounds=4, warmup_rounds=1
    )
    assert {tick.picture for tick in recording.ticks} == set(Picture)
    seconds = benchmark.stats.stats.median
    benchmark.extra_info["times real time"] = round(recording.duration / seconds, 2)


@pytest.mark.parametrize(
    "decode", [decode_with_ffmpeg, decode_with_openh264], ids=["FFmpeg", "OpenH264"]
)
def test_checking_a_recording(benchmark, tmp_path: Path, decode):
    recording = video_session(tmp_path / "s.mkv", *VIDEOS["640x360 in 720p"])
    decoded = benchmark.pedantic(decode, (recording.stream,), rounds=4)
    assert np.array_equal(decoded.digests, recording.digests.load())
