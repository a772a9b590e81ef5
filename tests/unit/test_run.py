"""What a scenario's run is made with, and what is left of one that does not begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BrowserError, HarnessError
from harness.run import RunOptions, run_scenario, settings_of
from harness.scenario import Scenario, load_scenario


def scenario(folder: Path, more: str) -> Scenario:
    (folder / "page.html").write_text("<p>page")
    (folder / "some.yaml").write_text(f"open: page.html\nwait: 1s\n{more}\n")
    return load_scenario(folder / "some.yaml")


@pytest.mark.parametrize(
    ("every", "ticks"), [("10ms", 1), ("20ms", 1), ("63ms", 2), ("2s", 48), (None, 0)]
)
def test_keyframes_come_as_often_as_they_can(tmp_path: Path, every: str | None, ticks: int) -> None:
    more = f"encoder: {{keyframe_every: {every}}}" if every else ""
    settings = settings_of(scenario(tmp_path, more), tmp_path, RunOptions())
    assert settings.recorder.keyframe_interval == ticks


@pytest.mark.parametrize("encode", ["recorder", "layer"])
def test_a_run_that_does_not_begin_leaves_no_frames(tmp_path: Path, encode: str) -> None:
    options = RunOptions(browser="/no/such/browser", tape_record=tmp_path / "tapes")
    with pytest.raises(BrowserError):
        run_scenario(scenario(tmp_path, f"encode: {encode}"), tmp_path / "out", options)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("replayed", [True, False])
def test_a_run_that_does_not_begin_leaves_no_earlier_result(tmp_path: Path, replayed: bool) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in ("metrics.json", "report.html", "live_spliced.mkv", "mine.txt"):
        (out / name).write_text("before")
    options = RunOptions(browser="/no/such/browser")
    if replayed:
        options = RunOptions(tape_replay=tmp_path)
    with pytest.raises(HarnessError):
        run_scenario(scenario(tmp_path, ""), out, options)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
