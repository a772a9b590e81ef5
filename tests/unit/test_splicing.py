"""The recorder from ring to MKV on synthetic sessions: classes, accounts, exactness, faults.

Real encoders, real decoders, natural video; only the browser is left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import content
from support.feeder import QUIET, record

from harness.checks import (
    Status,
    check_container,
    check_decodes,
    check_exact,
    check_recording,
    decode_with_ffmpeg,
    decode_with_openh264,
)
from harness.metrics import count_frames, measure
from harness.native import native
from harness.recorder import (
    Fault,
    Picture,
    RecorderSettings,
    Recording,
    TickClass,
    native_config,
)
from harness.ring import VideoRegion

FPS = 48


def session(width: int, height: int, video: tuple[int, int, int, int], ticks: int = 60):
    """UI with one playing video at (x, y, w, h); now and then the UI changes,
    a tick brings nothing, or a present has no changed pixel."""
    x, y, w, h = video
    base = content.ui(width, height)
    clip = content.natural(w, h, ticks)
    region = VideoRegion(1, x, y, w, h, True, 0)
    frames = []
    for i in range(ticks):
        if i % 9 == 4:
            frames.append((None, [region]))
            continue
        if i % 9 == 5:
            frames.append((frames[-2][0], [region]))  # presented again, identical
            continue
        if i % 13 == 7:
            base = content.paste(base, content.ui(80, 40, seed=i), (i * 29) % (width - 80), 4)
        frames.append((content.paste(base, clip[i], x, y), [region]))
    return base, frames


def assert_exact(recording: Recording) -> None:
    assert recording.error == ""
    for result in check_recording(recording):
        assert result.passed, f"{result.name}: {result.summary}"


@pytest.mark.parametrize(
    ("width", "height", "video"),
    [
        (640, 384, (160, 96, 256, 144)),  # on the macroblock grid
        (640, 384, (171, 103, 250, 142)),  # off it
        (640, 384, (0, 0, 256, 144)),  # in a corner of the frame
        (640, 384, (384, 240, 256, 144)),  # in the opposite one
        (640, 384, (0, 100, 640, 160)),  # as wide as the frame
        (640, 384, (0, 0, 640, 384)),  # full window
        (640, 384, (20, 20, 256, 144)),  # guard cut by the edge
        (622, 358, (171, 103, 250, 142)),  # a view that is cropped
        (622, 358, (366, 210, 256, 148)),  # a region in the cropped corner
    ],
)
@pytest.mark.parametrize("splice", ["syntax", "separate", "rows"])
def test_every_picture_is_exact(tmp_path: Path, width, height, video, splice):
    first, frames = session(width, height, video)
    recording = record(tmp_path / "s.mkv", frames, first=first, fps=FPS, splice=splice)
    if splice != "rows":
        assert {t.slices for t in recording.ticks if t.picture is not Picture.NONE} == {1}
    assert_exact(recording)
    kinds = {tick.picture for tick in recording.ticks}
    assert {Picture.NONE, Picture.FULL, Picture.SPLICED} <= kinds
    assert Picture.MERGED not in kinds or splice == "syntax"
    frames_account = count_frames(recording)
    assert frames_account.add_up and frames_account.dropped == 0
    assert frames_account.identical > 0


def test_classes_come_from_the_pixels(tmp_path: Path):
    base = content.ui(640, 384)
    clip = content.natural(256, 144, 12)
    playing = VideoRegion(1, 160, 96, 256, 144, True, 0)
    paused = VideoRegion(1, 160, 96, 256, 144, False, 0)
    inside = content.paste(base, clip[0], 160, 96)
    outside = inside.copy()
    outside[96 + 144, 200, 0] ^= 255  # one pixel below the video
    later = content.paste(outside, clip[5], 160, 96)
    while_paused = content.paste(outside, clip[9], 160, 96)
    frames = [
        (None, [playing]),
        (inside, [playing]),
        (inside, [playing]),
        (outside, [playing]),
        (later, [playing]),
        *[(None, [playing])] * QUIET,
        (while_paused, [paused]),
    ]
    recording = record(tmp_path / "s.mkv", frames, first=base, fps=12)
    assert [tick.tick_class for tick in recording.ticks] == [
        TickClass.CHANGED,  # the first picture
        TickClass.UNCHANGED,
        TickClass.VIDEO_ONLY,
        TickClass.UNCHANGED,
        TickClass.CHANGED,
        TickClass.VIDEO_ONLY,
        *[TickClass.UNCHANGED] * QUIET,
        TickClass.CHANGED,
    ]
    assert recording.ticks[3].identical == 1
    assert recording.ticks[4].dirty_outside_mbs == 1
    assert_exact(recording)


def test_a_video_that_moves_without_a_changed_picture(tmp_path: Path):
    """Not merging, the old place is not in LTR 0: the tick is VIDEO_ONLY, its picture full."""
    base = content.ui(640, 384)
    clip = content.natural(128, 96, 8)
    left, right = (
        VideoRegion(1, 64, 96, 128, 96, True, 0),
        VideoRegion(2, 432, 96, 128, 96, True, 0),
    )
    frames = [(content.paste(base, clip[i], 64, 96), [left]) for i in range(4)]
    stand = frames[-1][0]
    frames += [(None, [left])] * QUIET
    frames += [(content.paste(stand, clip[i], 432, 96), [right]) for i in range(4)]
    recording = record(tmp_path / "s.mkv", frames, first=base, fps=24, splice="separate")
    tick = recording.ticks[5 + QUIET]
    assert (tick.tick_class, tick.picture) == (TickClass.VIDEO_ONLY, Picture.FULL)
    assert recording.ticks[7 + QUIET].picture is Picture.SPLICED
    assert_exact(recording)


def test_frame_num_wraps(tmp_path: Path):
    base = content.ui(160, 96)
    rng = np.random.default_rng(3)
    frames = []
    for _ in range(300):
        noisy = base.copy()
        noisy[32:64, 64:96, :3] = rng.integers(0, 255, (32, 32, 3))
        frames.append((noisy, [VideoRegion(1, 64, 32, 32, 32, True, 0)]))
    recording = record(tmp_path / "s.mkv", frames, first=base, fps=120)
    numbers = [tick.frame_num for tick in recording.ticks if tick.picture is not Picture.NONE]
    assert 0 in numbers[1:], "frame_num never wrapped"
    assert_exact(recording)


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (8192, 4352, ""),  # level 6.2's 139264 macroblocks
        (8192, 4368, "at most 139264 macroblocks of 16x16 in H.264, and 8192x4368 has 139776"),
        (16384, 16384, "16384x16384 has 1048576"),
        (16386, 16, "not 16386x16"),
        (64, 63, "must be even"),
    ],
)
def test_a_view_that_no_level_has_is_refused(width: int, height: int, words: str):
    library = native()
    error = library.ffi.new("char[]", 512)
    config = native_config(RecorderSettings(width, height))
    assert (library.lib.uis_pipeline_check(config, error, 512) == 0) is (words == "")
    assert words in library.text(error)


def test_a_lost_present_is_counted_and_its_damage_is_not_missed(tmp_path: Path):
    import time

    from support.feeder import Feeder

    from harness.recorder import Recorder, RecorderSettings
    from harness.ring import FrameRing

    base = content.ui(160, 96)
    second, third = base.copy(), base.copy()
    second[0:16, 0:16] = 255
    third[0:16, 0:16] = 255
    third[64:80, 64:80] = 255
    settings = RecorderSettings(width=160, height=96, fps=20)
    with FrameRing(160, 96) as ring:
        feeder = Feeder(ring)
        feeder.present(base, [(0, 0, 160, 96)])
        time.sleep(0.05)
        recorder = Recorder(settings, ring, tmp_path / "s.mkv")
        time.sleep(0.05)
        try:
            recorder.start()
            time.sleep(0.07)
            feeder.present(second, [(0, 0, 16, 16)], lose=True)
            feeder.present(third, [(64, 64, 16, 16)])
            time.sleep(0.15)
            feeder.present(third, [(0, 0, 1, 1)], lose=True)  # lost behind the last one read
            recording = recorder.stop()
        finally:
            recorder.close()
    account = count_frames(recording)
    assert (account.presented, account.dropped) == (4, 2)
    assert account.add_up
    changed = [tick for tick in recording.ticks[1:] if tick.tick_class is TickClass.CHANGED]
    assert [tick.dirty_mbs for tick in changed] == [2]
    assert_exact(recording)


def test_without_a_guard_the_vector_check_restarts_the_region(tmp_path: Path):
    """No border of UI: vectors do reach out, the check sees it before anything is
    emitted, and the stream stays exact at the price of intra pictures."""
    first, frames = session(640, 384, (160, 96, 256, 144))
    recording = record(tmp_path / "s.mkv", frames, first=first, fps=FPS, guard=0)
    leaking = [tick for tick in recording.ticks if tick.region_leaks]
    assert len(leaking) > 5
    for tick in leaking:
        assert tick.region_idr or tick.patched_mbs or tick.picture is Picture.FULL
    assert_exact(recording)


def test_with_the_guard_no_vector_leaks_and_one_slice_is_smaller(tmp_path: Path):
    first, frames = session(640, 384, (160, 96, 256, 144))
    size = {}
    for splice in ("syntax", "rows"):
        recording = record(tmp_path / f"{splice}.mkv", frames, first=first, fps=FPS, splice=splice)
        assert sum(tick.region_leaks for tick in recording.ticks) == 0
        size[splice] = sum(tick.bytes for tick in recording.ticks)
    assert size["syntax"] < size["rows"]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """The same session recorded with one thing broken."""

    def make(fault: Fault) -> Recording:
        first, frames = session(640, 384, (160, 96, 256, 144))
        path = tmp_path_factory.mktemp(fault.name or "none") / "s.mkv"
        return record(path, frames, first=first, fps=FPS, faults=fault)

    return make


def test_without_the_guard_the_exactness_check_fails(faulty):
    recording = faulty(Fault.NO_GUARD)
    for short, decode in (("FFmpeg", decode_with_ffmpeg), ("OpenH264", decode_with_openh264)):
        decoded = decode(recording.stream)
        assert check_decodes(decoded, recording, short).passed
        result = check_exact(decoded, recording, short)
        assert result.status is Status.FAILED
        assert "VIDEO_ONLY, spliced" in result.details[0]
        assert "macroblocks differ, first at x=" in result.details[0]


def test_a_wrong_long_term_reference_is_caught(faulty):
    recording = faulty(Fault.WRONG_LTR)
    results = {r.name: r.status for r in check_recording(recording)}
    assert results["exact in FFmpeg"] is Status.FAILED
    assert results["decodes in OpenH264"] is Status.FAILED


def test_openh264_catches_a_missing_mmco4_that_ffmpeg_accepts(faulty):
    recording = faulty(Fault.NO_MMCO4)
    results = {r.name: r.status for r in check_recording(recording)}
    assert results["decodes in FFmpeg"] is Status.PASSED
    assert results["decodes in OpenH264"] is Status.FAILED


def test_a_flipped_bit_is_caught(tmp_path: Path):
    first, frames = session(320, 192, (64, 48, 128, 96), ticks=20)
    recording = record(tmp_path / "s.mkv", frames, first=first, fps=FPS)
    assert_exact(recording)
    data = bytearray(recording.stream.read_bytes())
    data[len(data) // 2] ^= 0x10
    recording.stream.write_bytes(data)
    assert not all(result.passed for result in check_recording(recording))


def test_the_container_check_sees_a_missing_picture(tmp_path: Path):
    import dataclasses

    first, frames = session(320, 192, (64, 48, 128, 96), ticks=20)
    recording = record(tmp_path / "s.mkv", frames, first=first, fps=FPS)
    assert check_container(recording).passed
    more = dataclasses.replace(recording, ticks=(*recording.ticks, recording.ticks[1]))
    assert check_container(more).status is Status.FAILED


def test_bytes_and_psnr_are_of_the_stream(tmp_path: Path):
    first, frames = session(640, 384, (160, 96, 256, 144))
    recording = record(tmp_path / "s.mkv", frames, first=first, fps=FPS)
    metrics = measure(recording, "test", [])
    assert metrics.total.psnr_y is not None and 38 < metrics.total.psnr_y < 60
    assert metrics.total.bytes == sum(tick.bytes for tick in recording.ticks)
    assert 0 < metrics.total.bytes <= recording.stream.stat().st_size + 20 * len(recording.ticks)
    assert metrics.total.keyframes == 1
