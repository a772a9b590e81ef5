"""What `expect` may hold: short and long forms, as text and as models, and their schema."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.scenario import Expectations, load_scenario, to_json_schema
from harness.scenario.expectations import Latency, PeakBitrate, PhaseExpectations
from harness.scenario.place import Place

DOCS = Path(__file__).resolve().parents[2] / "docs" / "scenarios.md"

EVERYTHING = """\
  shares: {unchanged: 10%, video_only: "55% ± 8%", changed: 10%..50%}
  counts: {unchanged: "> 1", video_only: 3..5, changed: "<= 5"}
  ticks: 120 ± 1%
  duration: 5 s ± 100 ms
  presents: "<= 125"
  coalesced: 0
  dropped: 0
  bitrate: "<= 2 Mbit/s"
  peak_bitrate: {limit: "<= 8 Mbit/s", window: 500ms}
  bytes: "<= 4 MB"
  psnr_y: ">= 38 dB"
  ssim: ">= 0.95"
  latency: {median: "<= 30 ms", p95: "<= 80 ms", max: "<= 200 ms"}
  pictures: {full: "<= 20", spliced: ">= 1", merged: ">= 1"}
  keyframes: 1
  regions: {count: 1..2, place: ["640x360 at 320,180 ± 16", "64 x 64 at 0, 0 +- 8px"]}
"""
OF_THE_STREAM = """\
  decodes: true
  exact: true
  structure: true
  profile: Constrained Baseline
"""


def load(folder: Path, text: str, of_the_stream: str = "") -> Expectations:
    path = folder / "some.yaml"
    path.write_text(f"open: http://127.0.0.1/\nwait: 1s\nexpect:\n{text}{of_the_stream}")
    return load_scenario(path).expect


def test_everything_there_is(tmp_path: Path) -> None:
    expect = load(tmp_path, EVERYTHING, OF_THE_STREAM)
    assert {n for n in type(expect).model_fields if getattr(expect, n) is None} == set()
    assert [name for name, _ in expect.limits()] == [
        *("shares.unchanged", "shares.video_only", "shares.changed"),
        *("counts.unchanged", "counts.video_only", "counts.changed"),
        *("ticks", "duration", "presents", "coalesced", "dropped", "bitrate", "peak_bitrate"),
        *("bytes", "psnr_y", "ssim", "latency.median", "latency.p95", "latency.max"),
        *("pictures.full", "pictures.spliced", "pictures.merged", "keyframes", "regions.count"),
    ]
    assert expect.places == (Place(640, 360, 320, 180, 16), Place(64, 64, 0, 0, 8))
    assert dict(expect.of_the_stream()) == {
        "decodes": "true",
        "exact": "true",
        "structure": "true",
        "profile": "Constrained Baseline",
    }


def test_written_out_it_reads_back_the_same(tmp_path: Path) -> None:
    expect = load(tmp_path, EVERYTHING, OF_THE_STREAM)
    assert Expectations.model_validate(expect.model_dump(exclude_none=True)) == expect
    assert hash(expect) == hash(load(tmp_path, EVERYTHING, OF_THE_STREAM))


def test_what_is_not_written_is_not_asked(tmp_path: Path) -> None:
    expect = load(tmp_path, "  dropped: 0\n")
    assert [name for name, _ in expect.limits()] == ["dropped"]
    assert not expect.places and not list(expect.of_the_stream())


def test_short_forms(tmp_path: Path) -> None:
    expect = load(tmp_path, '  latency: "<= 80 ms"\n  peak_bitrate: "<= 8 Mbit/s"\n')
    assert expect.latency == Latency.model_validate({"p95": "<= 80 ms"})
    assert expect.peak_bitrate == PeakBitrate.model_validate(
        {"limit": "<= 8 Mbit/s", "window": "1s"}
    )
    regions = load(tmp_path, '  regions: {place: "640x360 at 320,180"}\n').regions
    assert regions is not None and regions.place == (Place(640, 360, 320, 180, 0),)


def test_a_phase_takes_all_but_what_is_of_the_stream(tmp_path: Path) -> None:
    path = tmp_path / "some.yaml"
    indented = "".join(f"    {line}\n" for line in EVERYTHING.splitlines())
    path.write_text(
        "open: http://127.0.0.1/\nphases:\n  - phase: Only\n    duration: 1s\n"
        f"    expect:\n{indented}"
    )
    (phase,) = load_scenario(path).phases
    assert type(phase.expect) is PhaseExpectations
    assert dict(phase.expect.limits()) == dict(load(tmp_path, EVERYTHING).limits())


@pytest.mark.parametrize(
    ("rect", "off"),
    [
        ((320, 180, 640, 360), 0),
        ((304, 180, 640, 360), 16),  # moved: two edges are off
        ((320, 180, 640, 400), 40),  # lower edge alone
        ((330, 180, 630, 360), 10),  # left edge alone
        ((0, 0, 1280, 720), 320),
    ],
)
def test_distance_is_that_of_the_farthest_edge(rect: tuple[int, int, int, int], off: int) -> None:
    assert Place.parse("640x360 at 320,180").distance(*rect) == off


def test_schema_of_phases_and_of_the_whole() -> None:
    definitions: dict[str, Any] = to_json_schema()["$defs"]
    phase, whole = (definitions[m.__name__] for m in (PhaseExpectations, Expectations))
    assert phase["properties"].keys() == set(PhaseExpectations.model_fields)
    assert whole["properties"].keys() - phase["properties"].keys() == {
        *("decodes", "exact", "structure", "profile")
    }
    written_out = definitions["phase"]["anyOf"][0]
    assert written_out["properties"]["expect"]["$ref"] == "#/$defs/PhaseExpectations"
    for name in ("PeakBitrate", "Latency"):  # a limit, or a mapping
        short, long = definitions[name]["anyOf"]
        assert short["type"] == ["string", "number"] and long["type"] == "object"
    place = definitions["Regions"]["properties"]["place"]["anyOf"]
    assert "string" in place[0]["type"] and place[1]["type"] == "array"
    assert whole["properties"]["decodes"]["anyOf"][0]["enum"] == [True]


def documented() -> list[tuple[str, str]]:
    """Name and example of each row of the page's tables of expectations; a row may have two."""
    text = DOCS.read_text(encoding="utf-8")
    section = text.split("\n## Expectations\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*?) \| .* \|$", section, re.M)
    return [(name, example) for name, cell in rows for example in re.findall(r"`([^`]+)`", cell)]


def test_the_page_has_every_expectation() -> None:
    assert {name for name, _ in documented()} == Expectations.model_fields.keys() - {"page"}


@pytest.mark.parametrize(("name", "example"), documented())
def test_examples_of_the_page_are_taken(tmp_path: Path, name: str, example: str) -> None:
    expect = load(tmp_path, f"  {name}: {example}\n")
    assert expect.model_fields_set == {name}
    assert list(expect.limits()) or expect.places or list(expect.of_the_stream())
