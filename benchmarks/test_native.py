"""Times of the native routines, with pytest-benchmark: `make bench`.

Saved and compared the way pytest-benchmark does it:
`make bench ARGS='--benchmark-autosave --benchmark-compare'`. Nothing here asserts a time.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support import content

from harness.checks import decode_with_ffmpeg, decode_with_openh264
from harness.native import native
from harness.pipeline import Pipeline, bgra_image
from harness.recorder import Picture, RecorderSettings
from harness.ring import VideoRegion


@pytest.mark.parametrize("routine", ["uis_dirty_map", "uis_dirty_map_plain"])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)], ids=["720p", "1080p"])
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


def video_session(path: Path, view: tuple[int, int], video: tuple[int, int, int, int], **more):
    """A playing video on a still page; returns the recording."""
    x, y, w, h = video
    base = content.ui(*view)
    with Pipeline(RecorderSettings(*view, **more), path) as pipeline:
        pipeline.tick(base)
        for picture in content.natural(w, h, 40):
            pipeline.tick(content.paste(base, picture, x, y), [VideoRegion(1, *video, True, 0)])
        return pipeline.finish()


@pytest.mark.parametrize(
    ("view", "video"),
    [
        ((1280, 720), (320, 176, 640, 360)),
        ((1920, 1080), (480, 270, 960, 540)),
        ((1920, 1080), (0, 0, 1920, 1080)),
    ],
    ids=["736x464 in 720p", "1056x640 in 1080p", "full 1080p"],
)
@pytest.mark.parametrize("splice", ["syntax", "rows"])
def test_spliced_pictures(benchmark, tmp_path: Path, view, video, splice: str):
    """The whole tick; the native clocks of its parts are in extra_info (medians, ms)."""
    recording = benchmark.pedantic(
        video_session, (tmp_path / "s.mkv", view, video), {"splice": splice}, rounds=1
    )
    spliced = [t for t in recording.ticks if t.picture is Picture.SPLICED and not t.region_idr]
    for name in ("diff_ms", "convert_ms", "encode_ms", "check_ms", "splice_ms", "digest_ms"):
        values = [getattr(tick, name) for tick in spliced]
        benchmark.extra_info[name] = round(statistics.median(values), 3)
    benchmark.extra_info["bytes"] = round(statistics.mean(tick.bytes for tick in spliced))
    print(f"\n{view} {video[2:]} {splice}: {benchmark.extra_info}")


@pytest.mark.parametrize(
    "decode", [decode_with_ffmpeg, decode_with_openh264], ids=["FFmpeg", "OpenH264"]
)
def test_checking_a_recording(benchmark, tmp_path: Path, decode):
    recording = video_session(tmp_path / "s.mkv", (1280, 720), (320, 176, 640, 360))
    decoded = benchmark(decode, recording.stream)
    assert np.array_equal(decoded.digests, recording.digests.load())
