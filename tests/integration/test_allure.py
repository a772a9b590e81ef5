"""Allure's results of scenarios that fail in every way: each shows its cause first and is in
the right category. Tapes and real encoders; only what kills Chrome needs one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.seeds import SEEDS, results_of, run_pytest

from harness.allure_report import RESULTS_NAME
from harness.causes import Cause, categories
from harness.summary import summarize


@pytest.fixture(scope="module")
def results(seeded_run: Path) -> dict[str, Any]:
    return results_of(seeded_run / RESULTS_NAME)


def filed_under(result: dict[str, Any]) -> list[str]:
    """As Allure decides it: the rule is found anywhere in the message."""
    message = result["statusDetails"]["message"]
    return [c.name for c in categories() if re.search(c.message_regex, message)]


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
    broken = {a["name"] for a in results["broken"]["attachments"]}
    assert {"stream", "stream, picture by picture"} <= broken


def test_environment_and_rules_stand_beside_the_results(seeded_run: Path) -> None:
    lines = (seeded_run / RESULTS_NAME / "environment.properties").read_text().splitlines()
    environment = dict(line.split(" = ", 1) for line in lines)
    assert environment["browser"] == "Chrome 1"
    assert environment["driver"] == "lavapipe 1.2"
    assert environment["backend"].startswith("libx264 ")
    assert environment["commit"] and environment["uisplice"]
    rules = json.loads((seeded_run / RESULTS_NAME / "categories.json").read_text())
    assert [rule["name"] for rule in rules] == [category.name for category in categories()]


def test_no_results_without_scenarios_and_no_second_set(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_it(): pass")
    assert "1 passed" in run_pytest(tmp_path, "--recordings", "out")
    assert not (tmp_path / "out").exists()
    run_pytest(tmp_path, "--recordings", "out", "--alluredir", "named")
    assert len(results_of(tmp_path / "named")) == 1
    assert not (tmp_path / "out").exists()


def test_no_browser_is_the_environment_s_fault(seeded_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "fine.yaml").write_text((seeded_folder / "fine.yaml").read_text())
    browser = "/nonexistent/chrome"
    run_pytest(tmp_path, "--recordings", "out", UISPLICE_BROWSER=browser)
    (result,) = results_of(tmp_path / "out" / RESULTS_NAME).values()
    assert browser in result["statusDetails"]["message"].splitlines()[0]
    assert filed_under(result) == [Cause.BROWSER.category]
    assert (result["status"], labels(result, "blame")) == ("broken", ["environment"])
    # Nothing was recorded, and the summary says so all the same.
    (row,) = summarize(tmp_path / "out").rows
    assert row.outcome == "broken" and browser in row.failures[0]


def test_an_expected_failure_that_passes_is_told_everywhere(
    seeded_folder: Path, tmp_path: Path
) -> None:
    """Nothing was raised, and all that the recording was judged by passed."""
    text = (seeded_folder / "fine.yaml").read_text()
    xfail = "xfail: {reason: a bug of the site, strict: true}\nmatrix:"
    (tmp_path / "fine.yaml").write_text(text.replace("matrix:", xfail))
    tapes = str(seeded_folder / "tapes")
    run_pytest(tmp_path, "--recordings", "out", "--tape-replay", tapes)
    (result,) = results_of(tmp_path / "out" / RESULTS_NAME).values()
    said = "fine.yaml: [XPASS(strict)] a bug of the site"
    assert result["status"] == "failed"
    assert result["statusDetails"]["message"].splitlines()[0] == said
    assert filed_under(result) == [Cause.EXPECTATION.category]
    (row,) = summarize(tmp_path / "out").rows
    assert (row.outcome, row.failures) == ("failed", (said,))


def test_the_command_line_leaves_the_same_results(seeded_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness.cli", "run", "fine.yaml", "share.yaml"]
    done = subprocess.run(
        [*command, "--output", tmp_path / "out", "--tape-replay", "tapes"],
        cwd=seeded_folder,
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
        "from harness.allure_report import AllureSteps\n"
        "from harness.session import Session\n"
        "start, phase, pid = Session.start, AllureSteps.phase, []\n"
        "def started(self):\n"
        "    start(self)\n"
        "    pid.append(self._browser.pid)\n"
        "def entered(self, name):\n"
        "    if name == 'Dies':\n"
        "        threading.Timer(0.4, os.kill, (pid[0], signal.SIGKILL)).start()\n"
        "    return phase(self, name)\n"
        "Session.start, AllureSteps.phase = started, entered\n"
    )
    (tmp_path / "dies.yaml").write_text(
        "open: page.html\nphases:\n"
        "  - phase: Before\n    steps: [{wait: 300ms}, {wait: 200ms}]\n"
        "  - phase: Dies\n    steps: [{wait: 20s}]\n"
        "    expect: {shares: {unchanged: '>= 1%'}}\n"
        "  - phase: Never\n    duration: 1s\n"
    )
    run_pytest(tmp_path, "--recordings", "out")
    (result,) = results_of(tmp_path / "out" / RESULTS_NAME).values()
    first, *rest = result["statusDetails"]["message"].splitlines()
    assert "Chrome" in first and rest[1].strip().startswith("what to do: ")
    assert filed_under(result) == [Cause.BROWSER.category]
    assert result["status"] == "broken"
    (row,) = summarize(tmp_path / "out").rows
    assert row.failures == (
        first,
        "the scenario broke off: 1 of its expectations were not run",
    )
    opened, before, dies, never = result["steps"]
    assert opened["name"] == "open 'page.html'"
    assert (before["status"], never["status"]) == ("passed", "skipped")
    assert dies["status"] in ("failed", "broken")
    lengths = [step["stop"] - step["start"] for step in before["steps"]]
    assert lengths[0] >= 299 and lengths[1] >= 199
    assert before["start"] <= before["steps"][0]["start"]
    assert before["steps"][0]["stop"] <= before["steps"][1]["start"]
    assert before["steps"][1]["stop"] <= before["stop"] <= dies["start"] <= dies["stop"]
    assert 200 <= dies["stop"] - dies["start"] < 20_000  # cut short
    message, trace = (dies["steps"][0]["statusDetails"].get(key) for key in ("message", "trace"))
    assert message.startswith("Chrome ") and trace is None
