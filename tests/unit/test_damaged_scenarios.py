"""Whatever is done to a scenario, it is loaded or refused in words, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import ScenarioError
from harness.scenario import load_scenarios

BIG = """\
scenario: Everything for ${who}
description: All of it.
tags: [player, nightly]
xfail: {reason: it stalls, strict: false}
include: parts.yaml
variables: {who: Ada, pause: 400ms, tile: "role=button[name='${who}']"}
matrix: {fps: [24, 30], key: [Enter, Space]}
templates:
  - phase: Search
    duration: 9s
    steps:
      - type: {text: "${query}", into: {placeholder: Titles}, every: 100ms}
      - wait_for: {text: "/^Results/", timeout: 3s}
site: site
open: index.html?profile=ada
clips: [bigbuckbunny]
viewport: 1280x720
device_pixel_ratio: 2
fps: ${fps}
encoder: {qp: 20, preset: fast, guard: 2, keyframe_every: 10s}
storage_state: ada.json
network: {latency: 20ms, download: 9 Mbit/s}
reduced_motion: true
ready: {role: main, name: "/home/i"}
timeout: 5s
phases:
  - phase: Home
    duration: 40s
    steps:
      - click: ${tile}
      - double_click: {role: button, name: Play, exact: true}
      - hover: {label: Name, nth: 0}
      - move: {x: 10, y: 20}
      - drag: {from: {alt: Cover}, right: 200, over: 300ms}
      - press: {key: "${key}", times: 2, at: "#field"}
      - scroll: {by: 600, across: 10, at: main}
      - scroll: {keys: PageDown, times: 2}
      - wait: ${pause}
      - wait_for_video: {state: playing, past: 1s}
      - expect: {to: have url, value: "/ada/"}
      - expect: {title: Play, to: have attribute, of: href, value: x}
      - mark: costs $${5}
      - screenshot: {name: home, of: {test_id: main}}
      - resize: 640x360
      - network: offline
      - crash: page
      - reload: "text=Home"
        timeout: 9s
      - back: {text: Home}
      - repeat: {times: 3, every: 1s, until: {video: ended}}
        steps:
          - press: ArrowRight
          - if: {visible: {role: dialog}}
            then:
              - click: "text=Close"
            else:
              - open: other.html
    expect:
      shares: {changed: "<= 60%"}
      page: [{text: Results, to: be hidden}, "text=Home"]
  - use: Search
    with: {query: "${who}"}
  - use: Rest
    phase: The end
    expect: {dropped: 0}
expect:
  dropped: 0
"""
PARTS = """\
variables: {rest: 2s, word: none}
templates:
  - phase: Rest
    duration: ${rest}
    steps:
      - mark: ${word}
"""
VALUES = [
    "[a]", "{b: c}", "~", "${who}", "${", "$${", "${nope}", "''", "-1", "99999999999", "!!int 3",
    "*a", "&a b", "[[[]]]", '"\\ud800"', '"\\0"', "/(/", "/a/g", "x" * 5000, "yes", "1e9", "<<",
    "- a",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "site").mkdir()
    for name in ("index.html", "other.html"):
        (folder / "site" / name).write_text("<!doctype html>")
    (folder / "ada.json").write_text('{"cookies": [], "origins": []}')
    return folder


def problems(folder: Path, text: str, parts: str = PARTS) -> list[str]:
    """The lines with which it is refused; none when it loads."""
    lines: list[str] = []
    (folder / "parts.yaml").write_text(parts, encoding="utf-8", errors="replace")
    path = folder / "some.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    began = time.process_time()
    try:
        assert load_scenarios(path)
    except ScenarioError as error:
        lines = error.message.splitlines()
        assert lines and len(lines) == len(set(lines))
        assert all(("some.yaml:" in line or "parts.yaml:" in line) for line in lines), lines
        # No word of pydantic's own gets through.
        assert not any("Input should" in line or "type=" in line for line in lines), lines
    assert time.process_time() - began < 5
    return lines


def test_whole_it_loads(folder: Path) -> None:
    assert problems(folder, BIG) == []


def damaged(data: st.DataObject, text: str) -> str:
    lines = text.splitlines()
    at = data.draw(st.integers(0, len(lines) - 1), label="line")
    line = lines[at]
    indent = line[: len(line) - len(line.lstrip())]
    what = data.draw(
        st.sampled_from(["drop", "repeat", "value", "key", "list", "text", "swap", "deeper", "cut"])
    )
    if what == "drop":
        lines[at : at + 1] = []
    elif what == "repeat":
        lines.insert(at, line)
    elif what == "value":
        lines[at] = line.split(":")[0] + ": " + data.draw(st.sampled_from(VALUES))
    elif what == "key":
        lines[at] = line.replace(":", "x:", 1)
    elif what == "list":
        lines[at] = line.replace("- ", "", 1)
    elif what == "swap":
        other = data.draw(st.integers(0, len(lines) - 1))
        lines[at], lines[other] = lines[other], lines[at]
    elif what == "deeper":
        lines[at] = "  " + line
    elif what == "cut":
        lines[at] = line[: data.draw(st.integers(0, len(line)))]
    else:
        lines[at] = indent + data.draw(st.text(max_size=30))
    return "\n".join(lines)


@settings(
    database=None,
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_damage_is_refused_in_words(folder: Path, data: st.DataObject) -> None:
    text, parts = BIG, PARTS
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.integers(0, 5)):
            text = damaged(data, text)
        else:
            parts = damaged(data, parts)
    problems(folder, text, parts)


def test_one_mistake_is_one_line(folder: Path) -> None:
    """Each line's key misspelt, and each line's value left out."""
    lines = BIG.splitlines()
    for at, line in enumerate(lines):
        problems(folder, "\n".join(lines[:at] + lines[at + 1 :]))
        if ":" not in line:
            continue

        def count(instead: str, at: int = at) -> int:
            return len(problems(folder, "\n".join([*lines[:at], instead, *lines[at + 1 :]])))

        assert count(line.replace(":", "x:", 1)) == 1, line
        below = lines[at + 1] if at + 1 < len(lines) else ""
        if len(below) - len(below.lstrip()) > len(line) - len(line.lstrip()) or "query" in line:
            continue  # its value is the lines below; or a template's only use of a variable
        assert count(line.split(":")[0] + ":") == 1, line
