"""Pipelines side by side: the same frames, each way of coding them, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import content

from harness import compare
from harness.cli import main
from harness.errors import HarnessError
from harness.pipeline import Arrival
from harness.recorder import RecorderSettings, Rect
from harness.ring import VideoRegion
from harness.tape import TapedTick, TapeStep

WIDTH, HEIGHT = 480, 288
VIDEO = (160, 96, 128, 80)


def steps() -> Iterator[TapeStep]:
    page = content.ui(WIDTH, HEIGHT)
    pictures = content.natural(VIDEO[2], VIDEO[3], 24)
    videos = (VideoRegion(1, *VIDEO, True, 0),)
    for number, picture in enumerate(pictures):
        now = 5_000_000_000_000 + number * 41_666_667  # a machine that has been up for a while
        if number % 6 == 3:  # nothing came
            none = Rect(0, 0, 0, 0)
            yield TapeStep(TapedTick(Arrival(now), None, none, (), 0), None)
            continue
        if number % 8 == 7:
            page = content.paste(page, content.ui(48, 32, seed=number), 8, 8)
        frame = content.paste(page, picture, *VIDEO[:2])
        whole = Rect(0, 0, WIDTH, HEIGHT)
        yield TapeStep(TapedTick(Arrival(now, now, number + 1, 1), whole, whole, videos, 0), frame)


@pytest.fixture(scope="module")
def comparison() -> compare.Comparison:
    settings = RecorderSettings(WIDTH, HEIGHT, adopt_after=0)
    return compare.compare("sample", steps, settings, list(compare.PIPELINES), runs=2)


def test_every_pipeline_is_measured_and_exact(comparison: compare.Comparison):
    assert {m.pipeline for m in comparison.measured} == set(compare.PIPELINES)
    assert comparison.ticks == 24
    assert comparison.classes == {"CHANGED": 3, "VIDEO_ONLY": 17, "UNCHANGED": 4}
    for m in comparison.measured:
        assert m.exact, m.pipeline
        assert m.bytes > 0 and m.cpu > 0
        assert m.psnr_y is not None and 30 < m.psnr_y < 60
        assert m.psnr_video is not None and m.psnr_ui is not None
        assert min(m.psnr_video, m.psnr_ui) <= m.psnr_y <= max(m.psnr_video, m.psnr_ui)
        assert m.ssim is not None and 0.9 < m.ssim <= 1


def test_the_pipelines_are_what_their_names_say(comparison: compare.Comparison):
    assert comparison.of("single").pictures == {"full": 24, "spliced": 0, "merged": 0}
    assert comparison.of("single-vfr").pictures == {"full": 20, "spliced": 0, "merged": 0}
    for name in ("rows", "separate"):
        assert comparison.of(name).pictures["merged"] == 0
        assert comparison.of(name).pictures["spliced"] > 0
    two = comparison.of("two-encoder")
    assert two.pictures["merged"] > 0 and two.pictures["spliced"] > 0
    assert two.bytes < comparison.of("separate").bytes < comparison.of("rows").bytes


def test_ratios_and_files(comparison: compare.Comparison, tmp_path: Path):
    written = compare.write([comparison], tmp_path / "out")
    assert {path.name for path in written} == {"comparison.json", "comparison.svg"}
    (data,) = json.loads((tmp_path / "out/comparison.json").read_text())
    ratio = {m["pipeline"]: m["bytes_ratio"] for m in data["measured"]}
    assert ratio["single-vfr"] == 1
    two = comparison.of("two-encoder").bytes / comparison.of("single-vfr").bytes
    assert ratio["two-encoder"] == pytest.approx(two, abs=1e-4)
    assert "not measured" in data["vmaf"]
    assert "two-encoder" in (tmp_path / "out/comparison.svg").read_text()
    assert "two-encoder" in (tmp_path / "out/comparison.txt").read_text()


def test_an_unknown_pipeline_is_named_with_the_known_ones():
    with pytest.raises(HarnessError, match="no pipeline 'tripple'") as caught:
        compare.compare("x", steps, RecorderSettings(WIDTH, HEIGHT), ["tripple"])
    assert "two-encoder" in str(caught.value)


def test_the_command_says_what_is_wrong_with_a_tape(tmp_path: Path, capsys):
    code = main(["pipelines", str(tmp_path / "none.tape.mkv"), "--output", str(tmp_path / "out")])
    assert code == 2
    assert "none.tape.mkv" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
