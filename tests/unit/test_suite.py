"""The project's own scenarios: what holds for all of them, without playing them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.scenario import load_scenarios

FOLDER = Path(__file__).resolve().parents[2] / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))


def test_there_are_enough() -> None:
    assert len(FILES) >= 13
    assert {"netflix_ui", "idle", "two_videos", "resize_mid_play"} <= {f.stem for f in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_scenario_of_the_suite(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for scenario in load_scenarios(path):
        if path.stem == "idle":  # the shortest there is, as the documentation has it
            continue
        assert scenario.title != path.stem, "a title of its own"
        assert scenario.description
        assert scenario.expect.dropped is not None, "a present that is lost is never right"
        assert any(True for phase in scenario.phases for _ in phase.expect.limits())
    assert path.stem in ("idle", "netflix_ui") or "# Risk:" in text, "says what it is for"


def test_the_ten_phases() -> None:
    (scenario,) = load_scenarios(FOLDER / "netflix_ui.yaml")
    assert len(scenario.phases) == 10
    assert sum(phase.duration or 0 for phase in scenario.phases) == 47
    assert all(list(phase.expect.limits()) for phase in scenario.phases)
    shares = scenario.expect.shares
    assert [str(s) for s in (shares.unchanged, shares.video_only, shares.changed)] == [
        "20% ± 5%",
        "55% ± 5%",
        "25% ± 5%",
    ]
