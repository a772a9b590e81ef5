"""How a recording ends: judged, checked and reported, whole or broken off. Real encoders and
decoders; the browser is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from support import content

from harness.checks import Status
from harness.errors import StepError, TapeError
from harness.failure_table import FAILURE_HEAD
from harness.metrics import PhaseSpan
from harness.observer import Observer
from harness.pipeline import Pipeline
from harness.result import Evidence, Result
from harness.run import RunOptions, _conclude, _Schedule, settings_of
from harness.scenario import Scenario, load_scenario

SCENARIO = """\
open: http://127.0.0.1/
viewport: 320x192
phases:
  - phase: Draw
    duration: 500ms
    expect: {{pictures: {{full: 12}}, {draw}}}
  - phase: Rest
    duration: 500ms
    expect: {{shares: {{unchanged: 100%}}}}
expect:
  ssim: ">= 0.5"
  decodes: true
  exact: true
  structure: true
  profile: Constrained Baseline
"""


def written(folder: Path, draw: str = "keyframes: 1") -> Scenario:
    path = folder / "draw.yaml"
    path.write_text(SCENARIO.format(draw=draw), encoding="utf-8")
    return load_scenario(path)


def concluded(
    folder: Path, scenario: Scenario, ticks: int = 24, failure: Exception | None = None
) -> Result:
    settings = settings_of(scenario, folder, RunOptions()).recorder
    frames = content.natural(320, 192, 12)
    with Pipeline(settings, folder / "live_spliced.mkv") as pipeline:
        for number in range(ticks):
            pipeline.tick(frames[number] if number < len(frames) else None)
        made = pipeline.finish()
    spans = [PhaseSpan("Draw", 0.0, 0.5, 0.5)]
    if ticks > 12:
        spans.append(PhaseSpan("Rest", 0.5, ticks / 24, 0.5))
    evidence = Evidence(scenario.title, folder, made)
    return _conclude(evidence, scenario, _Schedule(spans=spans), (), {}, failure, Observer())


def test_all_is_well(tmp_path: Path) -> None:
    result = concluded(tmp_path, written(tmp_path))
    assert [v.status for v in result.verdicts] == [Status.PASSED] * 8
    assert result.passed and result.failure_table == ""
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Every check and expectation passed." in report
    assert "where to look" not in report


def test_what_failed_is_in_every_report(tmp_path: Path) -> None:
    result = concluded(tmp_path, written(tmp_path, 'keyframes: 0, psnr_y: ">= 70 dB"'))
    psnr, keyframes = (v for v in result.verdicts if v.status is not Status.PASSED)
    assert (keyframes.name, keyframes.look) == ("keyframes", "keyframes at tick 0")
    assert psnr.look.startswith("lowest: tick ")
    head, _, *rows = result.failure_table.splitlines()
    assert head.startswith("phase ") and head.endswith("  where to look")
    assert len(rows) == len(result.problems) == 2
    data: dict[str, Any] = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    looks = [e["look"] for e in data["expectations"] if e["status"] == "failed"]
    assert looks == [psnr.look, keyframes.look]
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "2 of the expectations and checks did not pass." in report
    text = re.sub(r"<[^>]*>", "", report)  # ticks are links
    assert keyframes.look in text and psnr.look in text
    assert text.index("Product: picture quality; Product: another expectation") < text.index(
        FAILURE_HEAD[0]
    )


def test_a_scenario_that_broke_off(tmp_path: Path) -> None:
    failure = StepError("draw.yaml:8: 'text=Play' did not appear", "look at the screenshot")
    result = concluded(tmp_path, written(tmp_path), ticks=10, failure=failure)
    assert {v.status for v in result.verdicts} == {Status.NOT_RUN}
    assert [v.measured for v in result.verdicts] == [
        *["the scenario broke off"] * 2,
        "phase not reached",
        *["the scenario broke off"] * 5,
    ]
    assert {v.look for v in result.verdicts} == {failure.message}
    assert len(result.problems) == 1 + 8 and not result.passed
    assert len(result.failure_table.splitlines()) == 2 + 8


def test_a_tape_that_was_not_written_leaves_the_recording_whole(tmp_path: Path) -> None:
    result = concluded(tmp_path, written(tmp_path), failure=TapeError("the disk is full"))
    assert [v.status for v in result.verdicts] == [Status.PASSED] * 8
    assert result.problems == ["the disk is full"] and result.failure_table == ""


@pytest.mark.parametrize("place", ["", "draw"])
def test_ssim_is_measured_where_it_is_expected(tmp_path: Path, place: str) -> None:
    path = tmp_path / "some.yaml"
    expect = 'expect: {ssim: ">= 0.9"}'
    path.write_text(
        "open: http://127.0.0.1/\nphases:\n  - phase: draw\n    duration: 1s\n"
        + (f"    {expect}\n" if place else f"{expect}\n"),
        encoding="utf-8",
    )
    assert settings_of(load_scenario(path), tmp_path, RunOptions()).recorder.measure
    path.write_text("open: http://127.0.0.1/\nwait: 1s\nexpect: {psnr_y: '>= 30'}\n")
    assert not settings_of(load_scenario(path), tmp_path, RunOptions()).recorder.measure
