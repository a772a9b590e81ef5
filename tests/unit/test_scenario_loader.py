"""Scenario files: what they mean, and everything the loader says about broken ones."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.cli import main
from harness.errors import ScenarioError
from harness.scenario import (
    Click,
    Locator,
    Move,
    Press,
    Scenario,
    Scroll,
    Type,
    Viewport,
    Wait,
    WaitFor,
    WaitForVideo,
    load_scenario,
    to_json_schema,
)

REPOSITORY = Path(__file__).resolve().parents[2]
BROKEN = sorted((REPOSITORY / "tests" / "broken_scenarios").glob("*.yaml"))

FULL = """\
scenario: Row paging                # title; default: the file's name
description: Three pages of a row.
site: site
open: index.html?profile=ada
clips: [bigbuckbunny, bikes]
viewport: {width: 640, height: 360}
fps: 30
wsi: passthrough
encoder: {qp: 20, preset: fast, guard: 2}
ready: "text=Who's watching?"
timeout: 1.5s
phases:
  - phase: Page the first row
    duration: 20s
    steps:
      - hover: "role=button[name='Next page of Trending']"
      - click: &next "role=button[name='Next page of Trending']"
      - double_click: *next
      - move: {x: 640, y: 400}
      - move: "text=Play"
      - press: ArrowRight
      - press: {key: ArrowRight, times: 3, every: 400ms}
      - type: {text: "space", every: 150ms}
      - scroll: {by: 600, over: 700ms}
      - wait: 800ms
      - wait_for: "text=Results"
      - wait_for: {selector: "#x", state: hidden, timeout: 3s}
      - wait_for_video: playing
      - wait_for_video: {selector: video, state: paused, timeout: 3s}
      - mark: modal open
      - screenshot: home
      - open: other.html
    expect:
      shares: {changed: "40% ± 10%"}
  - phase: Rest
    duration: 1s
expect:
  ticks: "120 ± 1%"
  dropped: 0
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    for name in ("index.html", "idle.html", "other.html"):
        (tmp_path / "site" / name).write_text("<!doctype html>")
    return tmp_path


def load(folder: Path, text: str) -> Scenario:
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return load_scenario(path)


def test_three_lines(site: Path) -> None:
    scenario = load(
        site, 'open: site/idle.html\nwait: 5s\nexpect: {shares: {unchanged: ">= 90%"}}\n'
    )
    assert scenario.title == "some"
    assert scenario.site_folder == site
    assert (scenario.viewport, scenario.fps, scenario.wsi) == (Viewport(), 24, "virtual")
    assert scenario.encode == "recorder"
    assert (scenario.encoder.qp, scenario.encoder.preset, scenario.encoder.guard) == (
        23,
        "superfast",
        3,
    )
    (phase,) = scenario.phases
    assert (phase.name, phase.line, phase.duration) == ("some", 2, None)
    assert phase.steps == (Wait(line=2, seconds=5.0),)
    assert [(name, str(limit)) for name, limit in scenario.expect.limits()] == [
        ("shares.unchanged", ">= 90%")
    ]


def test_who_encodes(site: Path) -> None:
    assert load(site, "open: site/idle.html\nwait: 1s\nencode: layer\n").encode == "layer"


def test_steps_form(site: Path) -> None:
    scenario = load(site, "open: site/idle.html\nsteps:\n  - click: a\n  - wait: 1s\n")
    (phase,) = scenario.phases
    assert phase.steps == (Click(line=3, selector="a"), Wait(line=4, seconds=1.0))


def test_full(site: Path) -> None:
    scenario = load(site, FULL)
    assert scenario.path == site / "some.yaml"
    assert scenario.title == "Row paging"
    assert scenario.site_folder == site / "site"
    assert scenario.clips == ("bigbuckbunny", "bikes")
    assert str(scenario.viewport) == "640x360"
    assert (scenario.fps, scenario.wsi, scenario.timeout) == (30, "passthrough", 1.5)
    assert scenario.ready == Locator(selector="text=Who's watching?")
    assert scenario.pages() == ("index.html?profile=ada", "other.html")
    first, rest = scenario.phases
    assert (first.line, rest.line, rest.steps) == (13, 34 + 1, ())
    assert [step.line for step in first.steps] == list(range(16, 33))
    by_line = {step.line: step for step in first.steps}
    assert by_line[18].subject == "double_click 'role=button[name='Next page of Trending']'"
    assert by_line[19] == Move(line=19, x=640, y=400)
    assert by_line[19].subject == "move (640, 400)"
    assert by_line[22] == Press(line=22, key="ArrowRight", times=3, every=0.4)
    assert by_line[23] == Type(line=23, text="space", every=0.15)
    assert by_line[24] == Scroll(line=24, by=600, over=0.7)
    assert by_line[27] == WaitFor(line=27, selector="#x", state="hidden", timeout=3.0)
    assert by_line[29] == WaitForVideo(line=29, state="paused", timeout=3.0)
    assert by_line[25].subject == "wait 800ms"
    assert first.fixed_seconds == pytest.approx(0.8 + 4 * 0.15 + 0.7 + 0.8)


def test_text_stays_as_written(site: Path) -> None:
    scenario = load(
        site,
        "open: site/idle.html\nscenario: 1.10\nsteps:\n"
        '  - mark: no\n  - mark: 0x10\n  - press: 1\n  - type: 007\n  - type: " "\n',
    )
    values = [getattr(step, step.primary) for step in scenario.phases[0].steps]
    assert values == ["no", "0x10", "1", "007", " "]
    assert scenario.title == "1.10"


def test_models_are_frozen_and_hashable(site: Path) -> None:
    scenario = load(site, FULL)
    assert hash(scenario) == hash(load(site, FULL))
    with pytest.raises(ValueError, match="frozen"):
        scenario.fps = 3  # type: ignore[misc]


def test_byte_order_mark_and_windows_line_ends(site: Path) -> None:
    path = site / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbfopen: site/idle.html\r\nwait: 1s\r\n")
    assert load_scenario(path).open == "site/idle.html"


def test_urls_need_no_site_page(site: Path) -> None:
    assert load(site, "open: https://example.com/none.html\nwait: 1s\n").open.startswith("https")
    assert load(site, "open: site/browse/42\nwait: 1s\n").open == "site/browse/42"


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_broken_scenario(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert caught.value.message + "\n" == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert caught.value.remedy


def test_there_are_many_broken_scenarios_and_no_stray_messages() -> None:
    assert len(BROKEN) >= 60
    folder = REPOSITORY / "tests" / "broken_scenarios"
    assert {path.stem for path in BROKEN} == {path.stem for path in folder.glob("*.txt")}


def test_the_command_line_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    assert main(["validate", *(str(path.relative_to(REPOSITORY)) for path in BROKEN)]) == 2
    said = capsys.readouterr().out.splitlines()
    advice = [line for line in said if line.startswith("  what to do: ")]
    assert len(advice) == len(BROKEN)
    expected = [
        line
        for path in BROKEN
        for line in path.with_suffix(".txt").read_text(encoding="utf-8").splitlines()
    ]
    assert [line for line in said if line not in advice] == expected


def test_missing_file_names_the_nearest(site: Path) -> None:
    load(site, "open: site/idle.html\nwait: 1s\n")
    with pytest.raises(ScenarioError, match=r"sone.yaml: no such file; did you mean 'some.yaml'"):
        load_scenario(site / "sone.yaml")
    with pytest.raises(ScenarioError, match="Is a directory"):
        load_scenario(site)


def test_not_utf8_and_control_characters(site: Path) -> None:
    path = site / "bytes.yaml"
    path.write_bytes(b"open: x\nwait: \xff\n")
    with pytest.raises(ScenarioError, match=r"bytes.yaml:2:1: not UTF-8: byte 0xff"):
        load_scenario(path)
    path.write_bytes(b"open: x\nwait: a\x01\n")
    with pytest.raises(ScenarioError, match=r"bytes.yaml:2:8: not YAML: the character U\+0001"):
        load_scenario(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#" * ((1 << 20) + 1), "larger than 1 MiB"),
        ("[" * 500_000, "nested more than 24 levels deep"),
        ("a: [" + "x," * 60_000 + "]", "more than 20000 values"),
    ],
    ids=["size", "depth", "count"],
)
def test_hostile_files_are_refused_soon(site: Path, text: str, message: str) -> None:
    began = time.process_time()
    with pytest.raises(ScenarioError, match=message):
        load(site, text)
    assert time.process_time() - began < 5


@settings(database=None, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_a_scenario_error(site: Path, data: st.DataObject) -> None:
    lines = FULL.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    what = data.draw(st.sampled_from(["drop", "repeat", "value", "key", "list", "text"]))
    line = lines[at]
    if what == "drop":
        lines[at : at + 1] = []
    elif what == "repeat":
        lines.insert(at, line)
    elif what == "value":
        lines[at] = line.split(":")[0] + ": " + data.draw(st.sampled_from(["[a]", "{b: c}", "~"]))
    elif what == "key":
        lines[at] = line.replace(":", "x:", 1)
    elif what == "list":
        lines[at] = line.replace("- ", "", 1)
    else:
        lines[at] = data.draw(st.text(max_size=30))
    try:
        load(site, "\n".join(lines))
    except ScenarioError as error:
        assert all("some.yaml:" in line for line in error.message.splitlines() if line)


def test_json_schema_has_every_key() -> None:
    schema = to_json_schema()
    assert {"open", "phases", "steps", "wait", "scenario", "expect"} <= schema["properties"].keys()
    assert not {"path", "line"} & schema["properties"].keys()
    press = schema["$defs"]["step_press"]["properties"]["press"]["anyOf"][1]
    assert press["properties"].keys() == {"key", "times", "every", "at", "timeout"}
    assert press["required"] == ["key"]
    assert "line" not in schema["$defs"]["phase"]["anyOf"][0]["properties"]
