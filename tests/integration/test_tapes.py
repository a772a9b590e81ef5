"""Tapes as people make and play them: the real command line, a real Chrome, then none."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import pytest
from support.programs import Programs
from support.traces import Watch

pytestmark = pytest.mark.chrome

SITE = Path(__file__).parents[2] / "scenarios" / "site"
SCENARIO = """open: video.html?delay=800
site: site
clips: [bigbuckbunny]
phases:
  - phase: Still
    duration: 700ms
    steps:
      - mark: begin
  - phase: Video
    duration: 2.5s
expect:
  shares: {video_only: ">= 20%"}
"""
# Where a replay would find what it must not need.
NOTHING = {
    "DISPLAY": "",
    "UISPLICE_BROWSER": "/nonexistent/chrome",
    "VK_DRIVER_FILES": "/nonexistent.json",
}


programs = Programs()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    watch = Watch()
    yield
    left = watch.new()
    programs.end()  # what runs after a test that failed would disturb the next one
    assert not left


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    (tmp_path / "site").symlink_to(SITE)
    path = tmp_path / "case.yaml"
    path.write_text(SCENARIO)
    return path


def start(scenario: Path, output: str, *arguments: str, **environment: str) -> Popen[str]:
    command = [sys.executable, "-m", "harness.cli", "run", scenario]
    return programs.start([*command, "--output", scenario.parent / output, *arguments], environment)


def run(scenario: Path, output: str, *arguments: str, **environment: str) -> tuple[int, str]:
    process = start(scenario, output, *arguments, **environment)
    text, _ = process.communicate(timeout=120)
    return process.returncode, text


def ticks(folder: Path) -> list[dict[str, str]]:
    """Every tick without what a clock measured."""
    with (folder / "ticks.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{k: v for k, v in row.items() if not k.endswith("_ms")} for row in rows]


def test_a_replay_is_the_recording_without_a_browser(scenario: Path):
    folder = scenario.parent
    tapes = str(folder / "tapes")
    code, output = run(scenario, "live", "--tape-record", tapes)
    assert code == 0, output
    assert [path.name for path in Path(tapes).iterdir()] == ["case.tape.mkv"]
    live = folder / "live" / "case"
    assert not [path for path in live.iterdir() if path.name.startswith((".", "tmp"))]

    code, output = run(scenario, "again", "--tape-replay", tapes, **NOTHING)
    assert code == 0, output
    again = folder / "again" / "case"
    assert (again / "live_spliced.mkv").read_bytes() == (live / "live_spliced.mkv").read_bytes()
    assert ticks(again) == ticks(live)
    was, now = (json.loads((f / "metrics.json").read_text()) for f in (live, again))
    # No latency is claimed for frames that nobody presented.
    for data, measured in ((was, True), (now, False)):
        for measures in (data["total"], *(phase["measures"] for phase in data["phases"])):
            assert (measures.pop("latency") is not None) is measured
    for key in ("total", "frames", "phases", "marks", "expectations"):
        assert now[key] == was[key], key
    assert [check["status"] for check in now["checks"]] == ["passed"] * len(was["checks"])
    assert now["environment"]["browser"] == was["environment"]["browser"]
    assert now["environment"]["replayed from"].endswith("case.tape.mkv")
    assert any("latency" in name for name in was["times"])
    assert not any("latency" in name for name in now["times"])

    # The same through pytest.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(scenario)]
    command += ["--recordings", str(folder / "pytest"), "--tape-replay", tapes]
    done = subprocess.run(
        command, env={**os.environ, **NOTHING}, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    stream = folder / "pytest" / "case" / "live_spliced.mkv"
    assert stream.read_bytes() == (live / "live_spliced.mkv").read_bytes()
    both = subprocess.run(
        [*command, "--tape-record", tapes], cwd=folder, capture_output=True, text=True
    )
    assert both.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--tape-record and --tape-replay exclude each other" in both.stderr


def test_ctrl_c_makes_no_tape_and_leaves_nothing(scenario: Path):
    scenario.write_text(SCENARIO.replace("2.5s", "60s"))
    tapes = scenario.parent / "tapes"
    process = start(scenario, "live", "--tape-record", str(tapes))
    live = scenario.parent / "live" / "case"
    until = time.monotonic() + 60
    while not (live / "live_spliced.mkv").exists():
        assert time.monotonic() < until, "the recording never began"
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert not tapes.exists() or not list(tapes.iterdir())
    assert not [path for path in live.iterdir() if path.name.startswith((".", "tmp"))]
