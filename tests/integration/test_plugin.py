"""The plugin as people use it: an inner pytest in a folder of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

PAGE = "<!doctype html><title>t</title><body style='background:#246'><h1>Quiet</h1>"
QUIET = 'open: page.html\nwait: 2s\nexpect: {shares: {unchanged: ">= 90%"}}\n'


@pytest.fixture
def own_folder(pytester: pytest.Pytester) -> Path:
    (pytester.path / "page.html").write_text(PAGE)
    return pytester.path


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # A process of its own: Playwright does not run twice in one thread.
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)


def test_yaml_is_collected_where_it_is_a_scenario(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "quiet.yaml").write_text(QUIET)
    (own_folder / "docker-compose.yml").write_text("services:\n  a: {image: b}\n")
    result = run(pytester, "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["quiet.yaml::quiet"])
    result.stdout.no_fnmatch_line("*docker-compose*")


def test_a_folder_named_scenarios_is_taken_whole(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "scenarios").mkdir()
    (own_folder / "scenarios" / "wrong.yaml").write_text("opne: page.html\nwait: 1s\n")
    result = run(pytester)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*wrong.yaml:1:1: *opne*did you mean 'open'?*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_markers_and_names_select(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "quiet.yaml").write_text(QUIET)
    (own_folder / "test_other.py").write_text("def test_other(): pass\n")
    result = run(pytester, "--collect-only", "-q", "-m", "scenario", "-k", "quiet")
    result.stdout.fnmatch_lines(["quiet.yaml::quiet", "*1/2 tests collected*"])


def test_help_has_a_group_of_its_own(pytester: pytest.Pytester):
    result = run(pytester, "--help")
    result.stdout.fnmatch_lines(["recording UI scenarios:", "*--browser-path=PATH*"])


@pytest.mark.chrome
def test_a_passing_and_a_failing_scenario(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "quiet.yaml").write_text(QUIET)
    (own_folder / "loud.yaml").write_text(QUIET.replace("unchanged", "changed"))
    result = run(pytester, "--recordings", "out", "--alluredir", "allure", "--junitxml", "j.xml")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "loud.yaml: loud",
            "whole recording: shares.changed expected >= 90%, measured *failed; ticks 0..*",
            "evidence: *out/loud",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    metrics = json.loads((own_folder / "out/quiet/metrics.json").read_text())
    assert metrics["outcome"] == {"passed": True, "problems": []}
    assert (own_folder / "out/quiet/live_spliced.mkv").stat().st_size > 1000
    # The failing one keeps what a diagnosis needs, the passing one does not.
    assert (own_folder / "out/loud/live_spliced.digests").exists()
    assert not (own_folder / "out/quiet/live_spliced.digests").exists()
    reports = [json.loads(p.read_text()) for p in (own_folder / "allure").glob("*-result.json")]
    assert {(r["name"], r["status"]) for r in reports} == {("quiet", "passed"), ("loud", "failed")}
    attached = {a["name"] for r in reports for a in r["attachments"]}
    assert {"report", "metrics", "stream"} <= attached
    assert [s["name"] for s in reports[0]["steps"]], "phases are Allure steps"


@pytest.mark.chrome
def test_the_recording_fixture(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "test_own.py").write_text(
        """
import pytest
from harness.errors import StepError

def test_click(recording):
    with recording(open="page.html", site=".", fps=24) as session:
        with session.phase("still"):
            session.wait(1)
        with session.phase("grow"):
            session.page.evaluate("document.body.style.background = '#900'")
            session.wait(0.5)
        with pytest.raises(RuntimeError, match="still runs"):
            session.result
    total = session.result.metrics.total
    assert total.counts["changed"] >= 2
    assert [p.name for p in session.result.metrics.phases] == ["still", "grow"]
    assert session.result.passed

def test_breaks(recording):
    with recording(open="page.html", site=".") as session:
        session.wait(0.3)
        assert session.page.title() == "something else"
"""
    )
    result = run(pytester, "--recordings", "out")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*assert 't' == 'something else'*"])
    assert (own_folder / "out/test_breaks/report.html").exists(), "evidence of a failed test"
