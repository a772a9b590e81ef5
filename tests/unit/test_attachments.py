"""What Allure gets of a recording, and that a report of the whole suite stays small."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from support import content, reporting

from harness import allure_report
from harness.allure_report import RESULTS_NAME, AllureRun, attach
from harness.captured import CapturedPicture
from harness.errors import StepError
from harness.report import preview_of
from harness.result import Result
from harness.ring import CapturedFrame
from harness.scenario import load_scenario

LIMIT = 40_000_000
"""Bytes of a report of the whole suite. Measured: 20 scenarios and 14 tests that record are
34 MB, the scenarios alone 18 MB."""

PAGE = 3_500_000
"""Of it Allure's own."""

SCENARIOS, SECONDS = 20, 190
"""Of `scenarios/`, all together."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Three seconds of a video, and a screenshot."""
    folder = tmp_path_factory.mktemp("recorded")
    reported = reporting.report(folder, reporting.record(folder / "live.mkv", 72))
    (folder / "metrics.json").write_text("{}")
    screenshot = folder / "screenshots" / "01-home.png"
    (film,) = content.natural(1280, 720, 1)
    CapturedPicture.write(CapturedFrame(1, film), "home", screenshot)
    return Result(
        title="Film",
        folder=folder,
        recording=reported.recording,
        metrics=reported.metrics,
        checks=reported.checks,
        verdicts=(),
        failure=None,
        screenshots=(screenshot,),
    )


def attached(result: Result, folder: Path) -> dict[str, tuple[str, Path]]:
    """Type and file of every attachment by its name."""
    path = folder / "film.yaml"
    path.write_text("open: http://127.0.0.1/\nwait: 1s\n")
    with AllureRun(folder / "run", folder) as run, run.test(load_scenario(path)):
        attach(result)
    results = folder / "run" / RESULTS_NAME
    (written,) = results.glob("*-result.json")
    return {
        a["name"]: (a["type"], results / a["source"])
        for a in json.loads(written.read_text())["attachments"]
    }


def times(path: Path) -> tuple[list[float], float]:
    """Of every picture, and the whole, seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        shown = [float(frame.time or 0) for frame in container.decode(stream)]
        assert stream.duration is not None and stream.time_base is not None
        return shown, float(stream.duration * stream.time_base)


def test_a_preview_shows_the_same_in_small(recorded: Result, tmp_path: Path):
    whole, preview = recorded.folder / "live_spliced.mp4", tmp_path / "preview.mp4"
    assert preview_of(whole, preview)
    assert times(preview)[0] == pytest.approx(times(whole)[0], abs=1e-3)
    assert times(preview)[1] == pytest.approx(times(whole)[1], abs=1e-3)
    with av.open(str(whole)) as large, av.open(str(preview)) as small:
        for a, b in zip(large.decode(video=0), small.decode(video=0), strict=True):
            assert (b.width, b.height) == (a.width // 2, a.height // 2)
            scaled = a.reformat(b.width, b.height, "rgb24").to_ndarray().astype(int)
            assert np.abs(scaled - b.to_ndarray(format="rgb24")).mean() < 8
    (tmp_path / "none.mp4").write_bytes(b"none")
    assert not preview_of(tmp_path / "none.mp4", preview) and not preview.exists()


def test_a_large_stream_that_passed_is_attached_as_a_preview(
    recorded: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(allure_report, "WHOLE_LIMIT", 10_000)
    found = attached(recorded, tmp_path)
    assert {name: kind for name, (kind, _) in found.items()} == {
        "report": "text/html",
        "metrics": "application/json",
        "preview of the stream": "video/mp4",
        "01-home": "image/webp",
    }
    whole = (recorded.folder / "live_spliced.mp4").stat().st_size
    preview = found["preview of the stream"][1].stat().st_size
    assert preview < whole / 2
    assert not (recorded.folder / "preview.mp4").exists()
    assert found["01-home"][1].stat().st_size < recorded.screenshots[0].stat().st_size / 4

    # A scenario is at most ten seconds and four screenshots in the mean; of a whole stream
    # WHOLE_LIMIT is attached at most. In the page it is base64, 4 bytes for 3.
    room = (LIMIT - PAGE) / 4 * 3 / SCENARIOS
    a_second = preview / recorded.recording.duration if recorded.recording else 0
    rest = sum(path.stat().st_size for name, (_, path) in found.items() if "stream" not in name)
    # 1280x720 is 3.75 times the recording's pixels; a whole stream counts where it is larger.
    assert max(3.75 * a_second * SECONDS / SCENARIOS, 1_000_000) + rest < room


def test_a_stream_that_failed_is_attached_whole(
    recorded: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(allure_report, "WHOLE_LIMIT", 10_000)
    found = attached(replace(recorded, failure=StepError("it broke")), tmp_path)
    whole = found["stream, remuxed for browsers"][1].read_bytes()
    assert whole == (recorded.folder / "live_spliced.mp4").read_bytes()
    assert "stream, picture by picture" in found


def test_a_small_stream_is_attached_whole(recorded: Result, tmp_path: Path):
    assert allure_report.WHOLE_LIMIT <= 1_000_000
    whole = (recorded.folder / "live_spliced.mp4").stat().st_size
    assert whole < allure_report.WHOLE_LIMIT
    assert attached(recorded, tmp_path)["stream, remuxed for browsers"][1].stat().st_size == whole
