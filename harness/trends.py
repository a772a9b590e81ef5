"""Baselines and benchmarks as curves over commits and nights: one page of HTML and SVG.

What is drawn is what was kept: `pytest --baseline-autosave` and `make bench-save`. A point is
a run; hovering shows its commit, date and value.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .baseline import Storage
from .errors import HarnessError

_LOWER, _HIGHER = "lower is better", "higher is better"
# What tells most about a recording; unit and factor for showing it, and which way is good.
_METRICS = (
    ("bitrate", "bitrate", "Mbit/s", 1e-6, _LOWER),
    ("psnr_y", "PSNR-Y", "dB", 1.0, _HIGHER),
    ("shares.unchanged", "UNCHANGED", "%", 1.0, ""),
    ("shares.video_only", "VIDEO_ONLY", "%", 1.0, ""),
    ("shares.changed", "CHANGED", "%", 1.0, ""),
    ("latency.median", "latency, median", "ms", 1.0, _LOWER),
    ("dropped", "dropped", "presents", 1.0, _LOWER),
)
_WIDTH, _HEIGHT, _MARGIN = 320, 118, 8
_LEFT, _BELOW = 44, 18  # room for the values and the dates of the axes


@dataclass(frozen=True)
class Point:
    """One value of one run. `commit` is shortened, `when` an ISO date and time."""

    value: float
    commit: str
    when: str


@dataclass(frozen=True)
class Series:
    """A curve: whose (`group`, a scenario and its environment, or the benchmarks of a
    machine), of what, in which unit, which way is `better`, oldest point first."""

    group: str
    name: str
    unit: str
    better: str
    points: tuple[Point, ...]


def baseline_series(storage: Storage) -> tuple[list[Series], list[str]]:
    """A curve for each environment, scenario and metric; and files that cannot be read."""
    found: dict[tuple[str, str, str, str], list[Point]] = {}
    unread = []
    for run in storage.runs():
        try:
            data = json.loads(run.path.read_text(encoding="utf-8"))
            commit, when = _short(data["commit"]["id"]), str(data["datetime"])
            for scenario in data["scenarios"]:
                title = f"{scenario['title']} ({scenario['view']}) on {run.environment_id}"
                for key, name, unit, factor, better in _METRICS:
                    value = _at(scenario["total"], key)
                    if value is not None:
                        point = Point(value * factor, commit, when)
                        found.setdefault((title, name, unit, better), []).append(point)
        except (OSError, ValueError, KeyError, TypeError) as error:
            unread.append(f"{run.path}: {type(error).__name__} {error}")
    return [Series(*key, tuple(points)) for key, points in found.items()], unread


def benchmark_series(folder: Path) -> tuple[list[Series], list[str]]:
    """A curve of the medians for each benchmark that pytest-benchmark kept, by machine."""
    found: dict[tuple[str, str, str, str], list[Point]] = {}
    unread = []
    for path in sorted(folder.glob("*/*.json"), key=lambda path: (path.parent.name, path.name)):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            commit, when = _short(data["commit_info"]["id"]), str(data["datetime"])
            for entry in data["benchmarks"]:
                group = f"benchmarks on {path.parent.name}"
                key = (group, str(entry["name"]), "ms, median", _LOWER)
                value = float(entry["stats"]["median"]) * 1000
                found.setdefault(key, []).append(Point(value, commit, when))
        except (OSError, ValueError, KeyError, TypeError) as error:
            unread.append(f"{path}: {type(error).__name__} {error}")
    return [Series(*key, tuple(points)) for key, points in found.items()], unread


def _short(commit: Any) -> str:
    return str(commit or "unversioned")[:12]


def _at(measures: Any, key: str) -> float | None:
    """A value by its path, such as `shares.changed`; None where it was not measured."""
    for part in key.split("."):
        measures = measures.get(part) if isinstance(measures, dict) else None
    return float(measures) if isinstance(measures, (int, float)) else None


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 10_000 else f"{value:.0f}"


def _curve(series: Series) -> str:
    """One small picture: line, a dot a run, lowest and highest value and the first and last
    day at the axes; and its values as a table, which needs no pointer."""
    values = [point.value for point in series.points]
    low, high = min(values), max(values)
    inner_w, inner_h = _WIDTH - _LEFT - _MARGIN, _HEIGHT - _BELOW - 2 * _MARGIN
    step = inner_w / max(len(values) - 1, 1)
    # A curve that does not move is a line in the middle, not noise blown up.
    span = high - low or 1.0
    middle = high == low

    def place(number: int, value: float) -> tuple[float, float]:
        share = 0.5 if middle else (value - low) / span
        return _LEFT + number * step, _MARGIN + (1 - share) * inner_h

    places = [place(number, value) for number, value in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"><title>'
        f"{html.escape(f'{_number(p.value)} {series.unit} at {p.commit}, {p.when}')}"
        "</title></circle>"
        for (x, y), p in zip(places, series.points, strict=True)
    )
    last = series.points[-1]
    days = [point.when.replace("T", " ") for point in (series.points[0], last)]
    length = 16 if days[0][:10] == days[1][:10] else 10  # of one day the times
    first_day, last_day = (html.escape(day[:length]) for day in days)
    axes = f'<text x="{_LEFT}" y="{_HEIGHT - 4}">{first_day}</text>'
    if len(values) > 1:
        axes += f'<text x="{_WIDTH - _MARGIN}" y="{_HEIGHT - 4}" class="end">{last_day}</text>'
    marks = (
        [(low, _MARGIN + inner_h / 2)] if middle else [(high, _MARGIN), (low, _MARGIN + inner_h)]
    )
    axes += "".join(
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" class="end">{_number(value)}</text>'
        for value, y in marks
    )
    change = _change(values[-2], values[-1], series.unit) if len(values) > 1 else ""
    label = f"{series.name}: {_number(last.value)} {series.unit}" + (change and f" ({change})")
    return (
        f"<figure><figcaption><b>{html.escape(label)}</b> "
        f"<small>{html.escape(_told(series))}</small></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(label)}">'
        f'{axes}<polyline points="{line}"/>{dots}</svg>{_values(series)}</figure>'
    )


def _change(before: float, now: float, unit: str) -> str:
    """In percent, but where a unit is a ratio already: percent of percent mislead. Empty where
    nothing can be said: percent of nothing."""
    if unit == "%":
        return f"{now - before:+.1f} points"
    if unit == "dB":
        return f"{now - before:+.2f} dB"
    if unit == "presents":
        return f"{now - before:+.0f}"
    return f"{(now / before - 1) * 100:+.1f} %" if before else ""


def _told(series: Series) -> str:
    count = len(series.points)
    runs = f"{count} run{'' if count == 1 else 's'}"
    return f"{runs}, {series.better}" if series.better else runs


def _values(series: Series) -> str:
    """The newest first."""
    rows = "".join(
        f"<tr><td>{html.escape(p.when[:16].replace('T', ' '))}<td>{html.escape(p.commit)}"
        f"<td>{_number(p.value)}"
        for p in reversed(series.points)
    )
    return (
        "<details><summary>values</summary><table><tr><th>run, UTC<th>commit"
        f"<th>{html.escape(series.unit)}{rows}</table></details>"
    )


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:24px auto;padding:0 16px;
color:#1c2430;background:#fff}h1{font-size:24px}h2{font-size:16px;margin:28px 0 8px}
.row{display:grid;grid-template-columns:repeat(auto-fill,minmax(320px,1fr));gap:14px}
figure{margin:0;border:1px solid #dde2e8;border-radius:6px;padding:8px 10px}
h2{overflow-wrap:anywhere}small,summary,th,.hint{color:#5a6675}small{display:block}svg{display:block;width:100%}
text{font-size:10.5px;fill:#5a6675}.end{text-anchor:end}summary{font-size:13px;cursor:pointer}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;width:100%}
th{font-weight:500;text-align:left}td:last-child,th:last-child{text-align:right}
polyline{fill:none;stroke:#0072b2;stroke-width:1.5}circle{fill:#0072b2}circle:hover{fill:#d55e00}
@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#0f1318}small,summary,th,.hint{color:#93a1b0}text{fill:#93a1b0}
figure{border-color:#262e38}polyline{stroke:#56b4e9}circle{fill:#56b4e9}}"""


def to_html(series: Sequence[Series], unread: Sequence[str] = ()) -> str:
    """The page, without scripts; says so where there is nothing to draw."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Trends</title>'
        f"<style>{_STYLE}</style><h1>Trends</h1>"
    ]
    if series:
        parts.append(
            '<p class="hint">A point is a run that was kept, the change is since the run before. '
            "Point at it for its commit and value, or open the values. "
            "<code>harness compare</code> says of two runs what moved, in which phase.</p>"
        )
    if not series:
        parts.append(
            "<p>Nothing was kept yet: <code>pytest scenarios --baseline-autosave</code> and "
            "<code>make bench-save</code> keep a run.</p>"
        )
    for group, members in _grouped(series):
        curves = "".join(_curve(one) for one in members)
        parts.append(f'<h2>{html.escape(group)}</h2><div class="row">{curves}</div>')
    if unread:
        items = "".join(f"<li>{html.escape(text)}" for text in unread)
        parts.append(f"<h2>Left out, because they cannot be read</h2><ul>{items}</ul>")
    return "".join(parts) + "</html>\n"


def _grouped(series: Sequence[Series]) -> Iterator[tuple[str, list[Series]]]:
    for group in dict.fromkeys(one.group for one in series):
        yield group, [one for one in series if one.group == group]


def write_trends(storage: Storage, benchmarks: Path, output: Path) -> int:
    """Writes the page; returns how many curves it has. Raises HarnessError where it cannot
    be written."""
    recorded, unread = baseline_series(storage)
    timed, more = benchmark_series(benchmarks)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(to_html([*recorded, *timed], [*unread, *more]), encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"cannot write {output}: {error.strerror}",
            "name a file in a folder that can be written",
        ) from error
    return len(recorded) + len(timed)
