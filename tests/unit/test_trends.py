"""Curves over what was kept: baselines and benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.baseline import Storage
from harness.errors import HarnessError
from harness.trends import Point, Series, baseline_series, benchmark_series, to_html, write_trends

HOSTILE = '<img src=x onerror=alert(1)>"&amp;</svg>'


def baseline(folder: Path, number: int, bitrate: float, title: str = "Menu") -> None:
    total = {"bitrate": bitrate, "psnr_y": None, "shares": {"changed": 25.0}, "dropped": 0}
    data = {
        "format": 1,
        "datetime": f"2026-11-{number:02}T02:17:00+00:00",
        "commit": {"id": f"{number:040x}", "uncommitted_changes": False},
        "scenarios": [{"title": title, "view": "1280x720@24", "total": total}],
    }
    path = folder / "Chrome-156" / f"{number:04}_night.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def benchmark(folder: Path, number: int, seconds: float, name: str = "test_diff[720p]") -> None:
    data = {
        "datetime": f"2026-11-{number:02}",
        "commit_info": {"id": f"{number:040x}"},
        "benchmarks": [{"name": name, "stats": {"median": seconds}}],
    }
    path = folder / "Linux-CPython" / f"{number:04}_night.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_a_point_a_run_in_order(tmp_path: Path) -> None:
    for number, bitrate in ((2, 3e6), (1, 2e6), (10, 1e6)):
        baseline(tmp_path, number, bitrate)
    series, unread = baseline_series(Storage(tmp_path))
    assert unread == []
    assert [one.name for one in series] == ["bitrate", "CHANGED", "dropped"]
    assert series[0].group == "Menu (1280x720@24) on Chrome-156"
    assert [point.value for point in series[0].points] == [2.0, 3.0, 1.0]
    assert series[0].points[2].commit == "0" * 12
    assert series[0].points[2].when == "2026-11-10T02:17:00+00:00"


def test_benchmarks_are_medians_in_ms(tmp_path: Path) -> None:
    benchmark(tmp_path, 1, 0.002)
    benchmark(tmp_path, 2, 0.003)
    (series,), unread = benchmark_series(tmp_path)
    assert unread == []
    assert (series.group, series.name) == ("benchmarks on Linux-CPython", "test_diff[720p]")
    assert [point.value for point in series.points] == pytest.approx([2.0, 3.0])


def test_the_page_is_drawn_and_holds_no_markup_of_others(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        baseline(tmp_path / "b", number, number * 1e6, HOSTILE)
        benchmark(tmp_path / "t", number, 0.001, HOSTILE)
    (tmp_path / "b" / "Chrome-156" / f"0004_{HOSTILE.replace('/', '')}.json").write_text("{")
    output = tmp_path / "trends.html"
    assert write_trends(Storage(tmp_path / "b"), tmp_path / "t", output) == 4
    page = output.read_text(encoding="utf-8")
    assert "<img" not in page and "<script" not in page and "http" not in page
    assert "cannot be read" in page
    pictures = page.split("<svg")[1:]
    assert len(pictures) == 4
    first = ElementTree.fromstring("<svg" + pictures[0].split("</svg>")[0] + "</svg>")
    circles = first.findall("circle")
    heights = [float(circle.get("cy", "")) for circle in circles]
    assert heights == sorted(heights, reverse=True) and len(set(heights)) == 3
    assert circles[2].findtext("title") == ("3 Mbit/s at 000000000000, 2026-11-03T02:17:00+00:00")
    assert "bitrate: 3 Mbit/s (+50.0 %)" in page
    texts = [text.text for text in first.findall("text")]
    assert texts == ["2026-11-01", "2026-11-03", "3", "1"]
    assert "3 runs, lower is better" in page
    # What is seen by pointing can be read without.
    values = page.split("<details>")[1]
    assert values.index("<td>2026-11-03 02:17<td>000000000000<td>3") < values.index(
        "<td>2026-11-01"
    )


@pytest.mark.parametrize(
    ("unit", "values", "change"),
    [
        ("%", (20.0, 25.0), "+5.0 points"),
        ("dB", (40.0, 39.5), "-0.50 dB"),
        ("ms", (2, 1), "-50.0 %"),
        # From nothing a part is none.
        ("%", (0.0, 12.0), "+12.0 points"),
        ("presents", (0.0, 3.0), "+3"),
    ],
)
def test_a_change_is_told_in_its_unit(unit: str, values: tuple[float, float], change: str) -> None:
    points = tuple(Point(v, "c", f"2026-11-26T0{n}:17") for n, v in enumerate(values))
    page = to_html([Series("g", "n", unit, "", points)])
    assert f"{unit} ({change})" in page
    assert ">2026-11-26 00:17<" in page and ">2026-11-26 01:17<" in page  # of one day


def test_nothing_kept_and_nowhere_to_write(tmp_path: Path) -> None:
    assert "Nothing was kept yet" in to_html([])
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="cannot write"):
        write_trends(Storage(tmp_path), tmp_path, tmp_path / "file" / "trends.html")
