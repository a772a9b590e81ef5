"""A real recording, judged by tools that are not ours; and the same with the guard off."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.checks import Status
from harness.recorder import Fault, Picture, TickClass
from harness.result import Result

pytestmark = pytest.mark.chrome

SITE = Path(__file__).parents[2] / "scenarios" / "site"
SECONDS = 4


def record(recording, fault: Fault = Fault.NONE, check: bool = True) -> Result:
    with recording(
        open="video.html", site=SITE, clips=("bigbuckbunny",), check=check, faults=fault
    ) as session:
        session.page.wait_for_function(
            "document.querySelector('video').currentTime > 0", polling=50
        )
        session.wait(SECONDS)
    return session.result


def probe(path: Path, *arguments: str) -> dict:
    assert shutil.which("ffprobe")
    command = ["ffprobe", "-v", "error", *arguments, "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_a_recording_with_a_playing_video(recording):
    result = record(recording)
    metrics = result.metrics
    assert metrics is not None and result.recording is not None
    assert metrics.total.shares["video_only"] > 60
    # All but the first few, before the video has stood long enough to get its region.
    assert 0 <= metrics.total.counts["video_only"] - metrics.total.pictures["spliced"] <= 10
    assert metrics.frames.add_up and metrics.frames.dropped == 0
    assert metrics.total.psnr_y is not None and metrics.total.psnr_y >= 38
    # The region is the video (640x360 at 320,176) and three macroblocks of guard.
    regions = {t.region for t in result.recording.ticks if t.picture is Picture.SPLICED}
    assert regions == {(272, 128, 736, 464)}
    assert all(check.passed for check in result.checks)

    # Other people's tools on the file.
    stream = result.recording.stream
    written = metrics.total.coded
    facts = probe(stream, "-count_packets", "-count_frames", "-show_streams", "-show_format")
    (video,) = facts["streams"]
    assert video["profile"] == "Constrained Baseline"
    assert video["has_b_frames"] == 0
    assert int(video["nb_read_packets"]) == int(video["nb_read_frames"]) == written
    assert float(facts["format"]["duration"]) == pytest.approx(metrics.total.duration, abs=0.002)
    packets = probe(stream, "-show_packets")["packets"]
    times = [float(packet["pts_time"]) for packet in packets]
    assert times == sorted(set(times))
    gaps = {round(b - a, 3) for a, b in itertools.pairwise(times)}
    assert len(gaps) > 3, "timestamps are the presents' own, not a constant rate"
    frames = probe(stream, "-show_frames", "-show_entries", "frame=pict_type")["frames"]
    assert {frame["pict_type"] for frame in frames} <= {"I", "P"}
    strict = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-err_detect",
            "explode",
            "-xerror",
            "-i",
            str(stream),
            # ffmpeg's own clock for the null output, finer than the stream's rate: the
            # times of a variable rate would collide on it.
            "-enc_time_base",
            "1:1000",
            "-f",
            "null",
            "-",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (strict.returncode, strict.stderr) == (0, "")


def test_turning_the_guard_off_makes_the_exactness_check_fail(recording):
    result = record(recording, Fault.NO_GUARD, check=False)
    assert result.recording is not None
    spliced = [t for t in result.recording.ticks if t.tick_class is TickClass.VIDEO_ONLY]
    assert len(spliced) > 20
    status = {check.name: check.status for check in result.checks}
    assert status["decodes in FFmpeg"] is Status.PASSED
    assert status["exact in FFmpeg"] is Status.FAILED
    assert status["exact in OpenH264"] is Status.FAILED
