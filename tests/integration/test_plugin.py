"""The plugin as people use it: an inner pytest in a folder of their own."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.server import SiteServer

REPOSITORY = Path(__file__).resolve().parents[2]

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


def test_without_allure(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "quiet.yaml").write_text("skip: no need\n" + QUIET)
    result = run(pytester, "-p", "no:allure_pytest", "--recordings", "out")
    result.assert_outcomes(skipped=1)
    assert not (own_folder / "out").exists()


def test_help_has_a_group_of_its_own(pytester: pytest.Pytester):
    result = run(pytester, "--help")
    result.stdout.fnmatch_lines(["recording UI scenarios:", "*--browser-path=PATH*"])


FAMILY = """\
open: page.html
tags: [still, smoke]
matrix: {colour: [red, blue]}
phases:
  - phase: Rest
    steps: [{wait: 500ms}]
    expect: {shares: {unchanged: ">= 50%"}}
  - phase: Look
    steps:
      - expect: {text: Quiet}
      - wait: 300ms
    expect: {page: [{role: heading, to: have text, value: Quiet}]}
  - phase: Colour ${colour}
    steps: [{wait: 100ms}]
"""


def test_cases_tags_and_reasons_are_pytest_s_own(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "family.yaml").write_text(FAMILY)
    (own_folder / "skipped.yaml").write_text("skip: no need\n" + QUIET)
    run_ = functools.partial(run, pytester, "--collect-only", "-q", "--strict-markers")
    cases = ["family.yaml::family[[]red[]]", "family.yaml::family[[]blue[]]"]
    run_().stdout.fnmatch_lines([*cases, "skipped.yaml::skipped"])
    result = run_("-m", "still and scenario")
    result.stdout.fnmatch_lines([*cases, "*2/3 tests collected*"])
    whole = run(pytester, "--collect-only", "family.yaml")
    whole.stdout.fnmatch_lines(["family.yaml::family[[]red[]]: *still*smoke*"])
    run_("-k", "blue").stdout.fnmatch_lines([cases[1], "*1/3 tests collected*"])
    result = run_("--scenario-set", "colour=green")
    result.stdout.fnmatch_lines(["family.yaml::family[[]green[]]"])
    result.stdout.no_fnmatch_line("*blue*")
    result = run_("--scenario-set", "color=green")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unknown variable 'color'; did you mean 'colour'?*"])
    result = run(pytester, "-n", "1", "--scenario-set", "color=green", "family.yaml")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*--scenario-set: unknown variable 'color'*'colour'?*"])
    result = run(pytester, "-rs", "skipped.yaml")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*no need"])


@pytest.mark.chrome
def test_two_workers_report_every_phase(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "family.yaml").write_text(FAMILY)
    (own_folder / "breaks.yaml").write_text(
        "open: page.html\nxfail: known\nphases:\n"
        "  - phase: Wrong\n    duration: 500ms\n"
        '    expect: {shares: {changed: ">= 90%"}}\n'
        "  - phase: Breaks\n    steps: [{click: {text: Nothing, timeout: 300ms}}]\n"
        "  - phase: Never\n    duration: 1s\n"
    )
    result = run(pytester, "-n", "2", "-v", "--recordings", "out", "--junitxml", "j.xml")
    result.assert_outcomes(passed=2, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "*= phases =*",
            "*passed*family.yaml::family[[]red[]][[]Colour red[]]",
            "*skipped*breaks.yaml::breaks[[]Never[]]",
            "*xfailed*breaks.yaml::breaks[[]Wrong[]]",
            "*xfailed*breaks.yaml::breaks[[]Breaks[]]",
            "*6 phases passed*",
        ]
    )
    # One folder for both workers, and every recording in it.
    folders = {path.name for path in (own_folder / "out").iterdir()}
    assert folders == {"family-red", "family-blue", "breaks", "allure-results"}
    cases = ElementTree.parse(own_folder / "j.xml").iter("testcase")
    names = [case.get("name") for case in cases]
    assert names.count("family[red]") == 1
    assert {"family[red][Rest]", "family[blue][Colour blue]", "breaks[Wrong]"} <= set(names)


@pytest.mark.chrome
def test_what_failed_last_runs_first_and_alone(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "quiet.yaml").write_text(QUIET)
    (own_folder / "loud.yaml").write_text(QUIET.replace("unchanged", "changed"))
    pytester.runpytest_subprocess("--recordings", "out").assert_outcomes(passed=1, failed=1)
    (own_folder / "loud.yaml").write_text(QUIET)
    result = pytester.runpytest_subprocess("--recordings", "out", "--lf")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*rerun previous 1 failure*", "loud.yaml*"])
    # The phases' own failures are forgotten with the scenario's.
    result = pytester.runpytest_subprocess("--collect-only", "--lf", "-q")
    result.stdout.fnmatch_lines(["*2 tests collected*"])


@pytest.mark.chrome
def test_only_a_yaml_file(pytester: pytest.Pytester):
    """A page that somebody else serves, and nothing in the folder but the scenario."""
    with SiteServer(REPOSITORY / "scenarios" / "site") as server:
        (pytester.path / "own.yaml").write_text(f"open: {server.url}/idle.html\nwait: 1s\n")
        result = run(pytester, "--recordings", "out")
    result.assert_outcomes(passed=1)


@pytest.mark.chrome
def test_the_play_fixture(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "one.yaml").write_text("variables: {long: 5s}\nopen: page.html\nwait: ${long}\n")
    (own_folder / "test_own.py").write_text(
        """
import pytest
from harness.errors import ScenarioError

def test_short(play):
    result = play("one.yaml", long="500ms")
    assert result.passed, result.problems
    assert result.metrics.total.ticks < 24

def test_typo(play):
    with pytest.raises(ScenarioError, match="did you mean 'long'"):
        play("one.yaml", lnog="500ms")
"""
    )
    result = run(pytester, "--recordings", "out", "test_own.py")
    result.assert_outcomes(passed=2)
    assert (own_folder / "out/test_short/one/metrics.json").exists()


@pytest.mark.chrome
def test_override_points(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "test_own.py").write_text(
        """
import pytest

@pytest.fixture
def recorder_settings():
    return {"width": 640, "height": 360}

@pytest.fixture
def session_settings():
    return {"site": ".", "reduced_motion": True}

def test_it(recording):
    with recording(open="page.html", fps=12) as session:
        assert session.page.evaluate("[innerWidth, innerHeight]") == [640, 360]
        assert session.page.evaluate("matchMedia('(prefers-reduced-motion)').matches")
        session.wait(0.5)
    assert session.result.metrics.fps == 12

def test_typo(recording):
    with pytest.raises(TypeError, match="did you mean 'width'"):
        with recording(open="page.html", widht=640):
            pass
"""
    )
    run(pytester, "--recordings", "out").assert_outcomes(passed=2)


@pytest.mark.chrome
def test_a_passing_and_a_failing_scenario(pytester: pytest.Pytester, own_folder: Path):
    (own_folder / "quiet.yaml").write_text(QUIET)
    (own_folder / "loud.yaml").write_text(QUIET.replace("unchanged", "changed"))
    result = run(pytester, "--recordings", "out", "--alluredir", "allure", "--junitxml", "j.xml")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "loud.yaml: whole recording: shares.changed >= 90%: measured *",
            "whole recording  shares.changed *  >= 90% *",
            "evidence: *out/loud",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    metrics = json.loads((own_folder / "out/quiet/metrics.json").read_text())
    assert metrics["outcome"].items() >= {"passed": True, "problems": []}.items()
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
