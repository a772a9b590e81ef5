"""A full disk, or a file in the way: what was recorded until then is kept, the reason is said."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from support.feeder import Frame, record

from harness.checks import Status, check_recording
from harness.errors import EnvironmentProblem, RecorderError
from harness.metrics import PhaseSpan, measure
from harness.observer import Observer
from harness.pipeline import Pipeline
from harness.recorder import Recorder, RecorderSettings
from harness.result import Evidence, conclude
from harness.ring import FrameRing

FULL = Path("/dev/full")  # takes nothing: ENOSPC, from the kernel itself


def noise(number: int) -> Frame:
    frame = np.random.default_rng(number).integers(0, 255, (96, 128, 4), np.uint8)
    frame[..., 3] = 255
    return frame


@pytest.mark.parametrize("name", ["stream.mkv", "stream.digests"])
def test_a_pipeline_says_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to(FULL)
    with (
        pytest.raises(RecorderError, match=r"cannot write .*No space left"),
        Pipeline(RecorderSettings(128, 96), tmp_path / "stream.mkv") as pipeline,
    ):
        for number in range(40):
            pipeline.tick(noise(number))
        pipeline.finish()


@pytest.mark.parametrize("name", ["stream.mkv", "stream.digests"])
def test_a_recording_ends_with_it(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to(FULL)
    frames = [(noise(number), ()) for number in range(1, 30)]
    made = record(tmp_path / "stream.mkv", frames, first=noise(0))
    assert "No space left" in made.error
    assert made.ticks
    checks = {check.name: check for check in check_recording(made)}
    assert checks["exact in FFmpeg"].status is not Status.PASSED


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "stream.digests").mkdir()  # as little to be opened as another user's file
    with pytest.raises(RecorderError, match=r"cannot write .*stream\.digests: Is a directory"):
        Pipeline(RecorderSettings(128, 96), tmp_path / "stream.mkv")
    with (
        FrameRing(128, 96) as ring,
        pytest.raises(RecorderError, match=r"cannot write .*stream\.digests: Is a directory"),
    ):
        Recorder(RecorderSettings(128, 96), ring, tmp_path / "stream.mkv")


def test_digests_that_did_not_all_get_there(tmp_path: Path) -> None:
    made = record(tmp_path / "stream.mkv", [(noise(1), ()), (noise(2), ())], first=noise(0))
    data = made.digests.path.read_bytes()
    for pictures, cut in itertools.product((0, 1, 2), (0, 9)):
        size = pictures * made.digests.macroblocks * 8 + cut
        made.digests.path.write_bytes(data[:size])
        assert len(made.digests.load()) == pictures
        checks = {check.name: check for check in check_recording(made)}
        assert checks["exact in FFmpeg"].status is not Status.PASSED


@pytest.mark.parametrize("name", ["ticks.csv", "metrics.json.part", "report.html"])
def test_a_report_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    made = record(tmp_path / "stream.mkv", [(noise(1), ())], first=noise(0))
    metrics = measure(made, "Full", [PhaseSpan("A", 0.0, 1.0)])
    evidence = Evidence("Full", tmp_path, made)
    (tmp_path / name).symlink_to(FULL)
    with pytest.raises(EnvironmentProblem, match=r"the report in .* cannot be written: No space"):
        conclude(evidence, metrics, (), None, Observer(), checks=())
    stopped = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt) as raised:
        conclude(evidence, metrics, (), stopped, Observer(), quick=True)
    assert raised.value is stopped
