"""Allure's results of scenarios that fail in every way: each shows its cause first and is in
the right category. Tapes and real encoders; only what kills Chrome needs one."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from support import content
from support.taping import FIRST_TICK_NS, header, make_tape

from harness.allure_report import RESULTS_NAME
from harness.causes import Cause, categories
from harness.ring import VideoRegion
from harness.scenario import load_scenarios
from harness.summary import summarize
from harness.tape import TapedSpan, recipe_of, tape_path

REPOSITORY = Path(__file__).resolve().parents[2]
REST, FILM = 12, 24  # ticks
SCENARIO = """\
scenario: A <b>bold</b> film
open: http://127.0.0.1/
viewport: 352x256
tags: [critical, smoke]
matrix: {take: [one]}
phases:
  - phase: Still
    duration: 500ms
    expect: {%s}
  - phase: Film ${take}
    duration: 1s
    expect: {shares: {unchanged: "<= 10%%"}}
"""
FINE = 'shares: {unchanged: ">= 50%"}'


@dataclass(frozen=True)
class Seed:
    """A scenario made to fail in one way: what it expects, the recorder's fault, the drops."""

    cause: Cause | None
    says: str  # in the headline
    expect: str = FINE
    fault: str = "NONE"
    drops: int = 0


SEEDS = {
    "fine": Seed(None, ""),
    "share": Seed(
        Cause.SHARES, "Still: shares.changed >= 90%: measured 8.3", 'shares: {changed: ">= 90%"}'
    ),
    "drops": Seed(Cause.DROPPED, "no frame dropped failed: 3 dropped", drops=3),
    "inexact": Seed(Cause.EXACTNESS, "exact in FFmpeg failed: ", fault="WRONG_MVD"),
    "broken": Seed(Cause.DECODE, "stream structure failed: ", fault="NO_MMCO4"),
    "unrun": Seed(
        Cause.NOT_RUN,
        "not run: the tape was made without it",
        f"{FINE}, page: [{{text: Hello}}]",
    ),
}
CONFTEST = """
import dataclasses
import harness.session as session
from harness.recorder import Fault

FAULTS = {faults}
real = session.settings_of

def faulty(scenario, *arguments):
    made = real(scenario, *arguments)
    fault = Fault[FAULTS[scenario.path.stem]]
    return dataclasses.replace(made, recorder=dataclasses.replace(made.recorder, faults=fault))

session.settings_of = faulty
"""


@functools.cache
def frames() -> list[Any]:
    """A page at rest, then a film in it."""
    ui = content.ui(352, 256)
    film = content.natural(128, 96, FILM)
    video = VideoRegion(7, 112, 80, 128, 96, True, FIRST_TICK_NS - 5)
    made: list[Any] = [(ui, ())] + [(None, ())] * (REST - 1)
    return made + [(content.paste(ui, picture, 112, 80), (video,)) for picture in film]


def seed(folder: Path, name: str) -> None:
    path = folder / f"{name}.yaml"
    path.write_text(SCENARIO % SEEDS[name].expect, encoding="utf-8")
    (scenario,) = load_scenarios(path)
    head = header(352, 256, spans=(TapedSpan("Still", 0.0, 0.5), TapedSpan("Film one", 0.5, 1.5)))
    head = replace(
        head,
        recipe=recipe_of(scenario),
        ticks=REST + FILM,
        title=scenario.full_title,
        unseen_drops=SEEDS[name].drops,
    )
    make_tape(tape_path(folder / "tapes", scenario), frames(), head)


def results_of(folder: Path) -> dict[str, Any]:
    """Allure's results by the name of the scenario's file."""
    found = {}
    for path in folder.glob("*-result.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        found[result["fullName"].split("#")[0]] = result
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All seeds and their tapes."""
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "tapes").mkdir()
    for name in SEEDS:
        seed(folder, name)
    faults = {name: seed.fault for name, seed in SEEDS.items()}
    (folder / "conftest.py").write_text(CONFTEST.format(faults=faults))
    return folder


def pytest_run(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """The folder of a run of all seeds."""
    output = pytest_run(folder, "--recordings", "out", "--tape-replay", "tapes")
    assert "5 failed, 1 passed" in output, output
    return folder / "out"


@pytest.fixture(scope="module")
def results(run: Path) -> dict[str, Any]:
    return results_of(run / RESULTS_NAME)


def filed_under(result: dict[str, Any]) -> list[str]:
    return [c.name for c in categories() if c.matches(result["statusDetails"]["message"])]


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [label["value"] for label in result["labels"] if label["name"] == name]


@pytest.mark.parametrize("name", [name for name, seed in SEEDS.items() if seed.cause])
def test_a_seeded_failure_shows_its_cause(results: dict[str, Any], name: str) -> None:
    seed, result = SEEDS[name], results[name]
    assert seed.cause is not None
    message, trace = result["statusDetails"]["message"], result["statusDetails"]["trace"]
    first, _, table, *_ = message.splitlines()
    assert first.startswith(f"{name}.yaml: ") and seed.says in first
    assert table.startswith("phase ") and table.endswith("  where to look")
    assert filed_under(result) == [seed.cause.category]
    assert labels(result, "cause")[0] == seed.cause.value
    assert result["status"] == ("broken" if seed.cause is Cause.DROPPED else "failed")
    assert len(trace.splitlines()) == 2 and f"out/{name}-one" in trace


def test_what_failed_in_a_phase_is_at_its_step(results: dict[str, Any]) -> None:
    still, film = results["share"]["steps"]
    assert (still["name"], still["status"]) == ("Still", "failed")
    assert "shares.changed expected >= 90%" in still["statusDetails"]["message"]
    assert (film["name"], film["status"]) == ("Film one", "passed")
    assert [step["status"] for step in results["fine"]["steps"]] == ["passed"] * 2


def test_labels_parameters_and_attachments(results: dict[str, Any]) -> None:
    fine = results["fine"]
    assert "statusDetails" not in fine and labels(fine, "cause") == []
    assert labels(fine, "feature") == ["A <b>bold</b> film"]
    assert labels(fine, "severity") == ["critical"]
    assert set(labels(fine, "tag")) == {"scenario", "critical", "smoke"}
    assert [p["name"] for p in fine["parameters"]] == ["take"]
    attached = {a["name"]: a["type"] for a in fine["attachments"]}
    assert attached == {
        "report": "text/html",
        "metrics": "application/json",
        "stream, remuxed for browsers": "video/mp4",
    }
    assert "stream" in {a["name"] for a in results["broken"]["attachments"]}


def test_environment_and_rules_stand_beside_the_results(run: Path) -> None:
    lines = (run / RESULTS_NAME / "environment.properties").read_text().splitlines()
    environment = dict(line.split(" = ", 1) for line in lines)
    assert environment["browser"] == "Chrome 1"
    assert environment["backend"].startswith("libx264 ")
    assert environment["commit"] and environment["uisplice"]
    rules = json.loads((run / RESULTS_NAME / "categories.json").read_text())
    assert [rule["name"] for rule in rules] == [category.name for category in categories()]


def test_no_results_without_scenarios_and_no_second_set(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_it(): pass")
    assert "1 passed" in pytest_run(tmp_path, "--recordings", "out")
    assert not (tmp_path / "out").exists()
    pytest_run(tmp_path, "--recordings", "out", "--alluredir", "named")
    assert len(results_of(tmp_path / "named")) == 1
    assert not (tmp_path / "out").exists()


def test_no_browser_is_the_environment_s_fault(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "fine.yaml").write_text((folder / "fine.yaml").read_text())
    browser = "/nonexistent/chrome"
    pytest_run(tmp_path, "--recordings", "out", UISPLICE_BROWSER=browser)
    (result,) = results_of(tmp_path / "out" / RESULTS_NAME).values()
    assert browser in result["statusDetails"]["message"].splitlines()[0]
    assert filed_under(result) == [Cause.BROWSER.category]
    assert (result["status"], labels(result, "blame")) == ("broken", ["environment"])
    # Nothing was recorded, and the summary says so all the same.
    (row,) = summarize(tmp_path / "out").rows
    assert row.outcome == "broken" and browser in row.failures[0]


def test_the_command_line_leaves_the_same_results(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", "run", "fine.yaml", "share.yaml"]
    done = subprocess.run(
        [*command, "--output", tmp_path / "out", "--tape-replay", "tapes"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    results = {
        result["fullName"].partition(".")[0]: result
        for result in results_of(tmp_path / "out" / RESULTS_NAME).values()
    }
    fine, share = results["fine"], results["share"]
    assert (fine["status"], share["status"]) == ("passed", "failed")
    assert filed_under(share) == [Cause.SHARES.category]
    assert [step["status"] for step in share["steps"]] == ["failed", "passed"]
    assert labels(fine, "severity") == ["critical"]
    assert {a["name"] for a in fine["attachments"]} >= {"report", "metrics"}
    assert (tmp_path / "out" / RESULTS_NAME / "categories.json").exists()


@pytest.mark.chrome
def test_chrome_dies_in_a_phase_and_steps_have_real_times(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html><title>t</title><h1>Quiet</h1>")
    (tmp_path / "conftest.py").write_text(
        "import os, signal, threading\n"
        "from harness.session import Session\n"
        "real = Session.start\n"
        "def start(self):\n"
        "    real(self)\n"
        "    pid = self._browser.pid\n"
        "    threading.Timer(1.2, os.kill, (pid, signal.SIGKILL)).start()\n"
        "Session.start = start\n"
    )
    (tmp_path / "dies.yaml").write_text(
        "open: page.html\nphases:\n"
        "  - phase: Before\n    steps: [{wait: 300ms}, {wait: 200ms}]\n"
        "  - phase: Dies\n    steps: [{wait: 20s}]\n"
        "    expect: {shares: {unchanged: '>= 1%'}}\n"
        "  - phase: Never\n    duration: 1s\n"
    )
    pytest_run(tmp_path, "--recordings", "out")
    (result,) = results_of(tmp_path / "out" / RESULTS_NAME).values()
    assert "Chrome" in result["statusDetails"]["message"].splitlines()[0]
    assert filed_under(result) == [Cause.BROWSER.category]
    assert result["status"] == "broken"
    before, dies, never = result["steps"]
    assert (before["status"], never["status"]) == ("passed", "skipped")
    assert dies["status"] in ("failed", "broken")
    lengths = [step["stop"] - step["start"] for step in before["steps"]]
    assert [280 <= length <= 1000 for length in lengths[:1]] == [True]
    assert 180 <= lengths[1] <= 900
    assert before["start"] <= before["steps"][0]["start"]
    assert before["steps"][0]["stop"] <= before["steps"][1]["start"]
    assert before["steps"][1]["stop"] <= before["stop"] <= dies["start"] <= dies["stop"]
    assert 200 <= dies["stop"] - dies["start"] < 5000
