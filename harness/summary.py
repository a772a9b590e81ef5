"""One page about a run, as Markdown and HTML: fit for a chat message, a job's summary, an issue.

Read from what the run left: metrics.json of each recording, and Allure's results for what
never came to one. Every text of a scenario is escaped; neither page can be given markup.
"""

from __future__ import annotations

import contextlib
import html
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .allure_report import RESULTS_NAME
from .baseline import METRICS_NAME
from .causes import Cause
from .errors import HarnessError
from .markup import escape_markdown
from .verdict import BROKE_OFF, NOT_REACHED

_MARK = {"passed": "✅", "failed": "❌", "broken": "⚠️", "skipped": "⏭️", "xfailed": "⏭️"}
# For pages, which any font must show.
_SIGN = {"passed": "✔", "failed": "✘", "broken": "!", "skipped": "", "xfailed": ""}
_MOST_FAILURES = 40
"""Lines of what failed; a chat or an issue takes no more, and the report has them all."""


@dataclass(frozen=True)
class Row:
    """One scenario of a run. `outcome` is passed, failed, broken (the machine, not the
    product), skipped or xfailed; `cells` its measures under HEAD; `filed_under` the categories
    of what failed, the most telling first; `failures` a line for each thing that did not pass;
    `headroom` what is to be said where the machine did not keep up; `report` its page, None
    where nothing was recorded."""

    title: str
    outcome: str
    cells: tuple[str, ...] = ("",) * 6
    filed_under: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()
    headroom: str = ""
    report: Path | None = None


HEAD = ("unchanged %", "video only %", "changed %", "Mbit/s", "PSNR-Y dB", "dropped presents")


@dataclass(frozen=True)
class Summary:
    """A run: its scenarios, what it was made with, and `made`: of which commit and when."""

    rows: tuple[Row, ...]
    environment: dict[str, str] = field(default_factory=dict)
    made: str = ""

    @property
    def verdict(self) -> str:
        """`3 failed, 1 broken, 12 passed`, or that nothing ran."""
        outcomes = [row.outcome for row in self.rows]
        counted = [
            f"{outcomes.count(name)} {name}"
            for name in ("failed", "broken", "passed", "xfailed", "skipped")
            if name in outcomes
        ]
        return ", ".join(counted) or "nothing ran"

    @property
    def passed(self) -> bool:
        """At least one scenario passed, and none did otherwise."""
        outcomes = {row.outcome for row in self.rows}
        return "passed" in outcomes and not outcomes & {"failed", "broken"}

    @property
    def wrong(self) -> list[Row]:
        """What failed or broke; what was excused is not told."""
        return [row for row in self.rows if row.outcome in ("failed", "broken")]

    @property
    def reasons(self) -> list[str]:
        """How many scenarios each category has, the most first: `Product: class shares: 2`."""
        counts = Counter(row.filed_under[0] for row in self.wrong if row.filed_under)
        return [f"{category}: {count}" for category, count in counts.most_common()]


def summarize(folder: Path) -> Summary:
    """Reads a run's folder. Raises HarnessError where there is none, or nothing in it."""
    if not folder.is_dir():
        raise HarnessError(
            f"{folder} is no folder", "name the folder of a run's recordings, such as reports/demo"
        )
    results = list(_allure_results(folder / RESULTS_NAME))
    made = _made(folder / RESULTS_NAME, results)
    by_folder = {evidence: result for result in results if (evidence := _evidence(result))}
    by_title = _alone(results)
    rows: list[Row] = []
    environment: dict[str, list[str]] = {}
    for path in sorted(folder.glob(f"**/{METRICS_NAME}")):
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            result = by_folder.get(path.parent.name) or by_title.get(str(data["scenario"]))
            rows.append(_recorded(path, data, result))
            for name, value in data["environment"].items():
                values = environment.setdefault(str(name), [])
                if value and str(value) not in values:
                    values.append(str(value))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"{METRICS_NAME} cannot be read: {type(error).__name__} {error}"
            rows.append(Row(path.parent.name, "broken", failures=(what,)))
    rows += [_unrecorded(result) for result in results if _never_recorded(result)]
    if not rows:
        raise HarnessError(
            f"{folder} holds no {METRICS_NAME} and no results of scenarios",
            "name the folder of a run's recordings, such as reports/demo",
        )
    order = list(_MARK)
    worst = {"failed": 0, "broken": 1}
    rows.sort(key=lambda row: (worst.get(row.outcome, 2 + order.index(row.outcome)), row.title))
    told = {name: "; ".join(values) for name, values in environment.items()}
    return Summary(tuple(_told_apart(rows)), told, made)


def _told_apart(rows: Sequence[Row]) -> Iterable[Row]:
    """Scenarios with one title get the name of their recording's folder behind it."""
    titles = Counter(row.title for row in rows)
    for row in rows:
        if titles[row.title] > 1 and row.report is not None:
            yield replace(row, title=f"{row.title} ({row.report.parent.name})")
        else:
            yield row


def _made(folder: Path, results: Sequence[dict[str, Any]]) -> str:
    """The commit and the times of a run, as far as Allure's results tell."""
    told = []
    with contextlib.suppress(OSError):
        properties = (folder / "environment.properties").read_text(encoding="utf-8")
        if found := re.search(r"^commit = (.+)$", properties, re.M):
            told.append(f"commit {found[1]}")
    times = [float(result[key]) for result in results for key in ("start", "stop") if key in result]
    if times:
        begin, end = (
            datetime.fromtimestamp(t / 1000, timezone.utc) for t in (min(times), max(times))
        )
        told.append(f"{begin:%Y-%m-%d %H:%M} to {end:%H:%M} UTC")
    return ", ".join(told)


def _allure_results(folder: Path) -> Iterable[dict[str, Any]]:
    for path in sorted(folder.glob("*-result.json")):
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # of a run that was killed
        labels = {(label["name"], label["value"]) for label in result.get("labels", ())}
        if ("tag", "scenario") in labels:
            yield result


def _details(result: dict[str, Any], key: str) -> str:
    return str((result.get("statusDetails") or {}).get(key) or "")


def _evidence(result: dict[str, Any]) -> str:
    """The name of the folder that a failed scenario's result points to."""
    found = re.search(r"^evidence: (.+)$", _details(result, "trace"), re.M)
    return Path(found[1]).name if found else ""


def _alone(results: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """By title, where one result has it, those that were recorded and name no folder: what
    passed, and what pytest itself failed (a strict xfail that passed)."""
    titles = Counter(str(result.get("name")) for result in results)
    return {
        str(result["name"]): result
        for result in results
        if titles[str(result.get("name"))] == 1
        and not _evidence(result)
        and not _never_recorded(result)
    }


def _never_recorded(result: dict[str, Any]) -> bool:
    if "nothing was recorded" in _details(result, "trace"):
        return True
    return result.get("status") == "skipped" and not _evidence(result)


def _unrecorded(result: dict[str, Any]) -> Row:
    said = _details(result, "message").split("\n\n")[0]
    return Row(
        str(result["name"]),
        str(result["status"]),
        filed_under=_categories(result),
        failures=(said,) if said else (),
    )


def _categories(result: dict[str, Any]) -> tuple[str, ...]:
    known = {cause.value: cause.category for cause in Cause}
    labels = [label["value"] for label in result.get("labels", ()) if label["name"] == "cause"]
    return tuple(known[value] for value in labels if value in known)


def _recorded(path: Path, data: dict[str, Any], result: dict[str, Any] | None) -> Row:
    total, outcome = data["total"], data["outcome"]
    status = "passed" if outcome["passed"] else "failed"
    ended = "" if result is None else str(result.get("status"))
    if status == "failed":
        status = {"skipped": "xfailed", "": "failed"}.get(ended, ended)
    elif ended in ("failed", "broken"):  # by what is judged behind the recording: a baseline
        status = ended
    psnr = total["psnr_y"]
    cells = (
        *(f"{total['shares'][name]:.1f}" for name in ("unchanged", "video_only", "changed")),
        f"{total['bitrate'] / 1e6:.2f}",
        f"{psnr:.1f}" if psnr is not None else "not measured",
        str(data["frames"]["dropped"]),
    )
    asked = [e for e in data["expectations"] if e["status"] != "passed"]
    # One line for all that was never reached: it has one reason.
    unreached = [e for e in asked if e["measured"] in (BROKE_OFF, NOT_REACHED)]
    failures = [
        f"{e['where']}: {e['name']} {e['limit']}: "
        + ("not run: " if e["status"] == "not run" else "measured ")
        + e["measured"]
        + (f" ({e['look']})" if e["look"] else "")
        for e in asked
        if e not in unreached
    ]
    if unreached:
        failures.append(f"{BROKE_OFF}: {len(unreached)} of its expectations were not run")
    failures += [
        f"{c['name']}: {c['status']}: {c['summary']}"
        for c in data["checks"]
        if c["status"] != "passed"
    ]
    if result is not None and status != "passed":
        # What broke it off is no expectation's; it stands in the result's first line.
        first = _details(result, "message").removeprefix("XFAIL").strip().split("\n")[0]
        if first and not any(line.split(":")[0] in first for line in failures):
            failures.insert(0, first)
    elif status != "passed" and not failures:
        failures = [str(problem).split("\n")[0] for problem in outcome["problems"]]
    # A result knows of baselines, too; there is none where only the recordings are left.
    filed_under = _categories(result) if result is not None else ()
    report = path.with_name("report.html")
    return Row(
        title=str(data["scenario"]),
        outcome=status,
        cells=cells,
        filed_under=filed_under or tuple(map(str, outcome.get("filed_under", ()))),
        failures=tuple(failures),
        headroom=str(outcome.get("headroom") or ""),
        report=report if report.is_file() else None,
    )


def to_markdown(summary: Summary, link: str = "") -> str:
    """GitHub's Markdown. `link` is the address of the full report."""
    escape = escape_markdown
    mark = "✅" if summary.passed else "❌"
    lines = [f"## {mark} UI scenarios: {summary.verdict}", ""]
    if summary.made:
        lines += [escape(summary.made), ""]
    if link:
        lines += [f"[full report](<{quote(link, safe=':/?#&=%+@~,;-._')}>)", ""]
    if len(summary.wrong) > 1 and summary.reasons:
        lines += [f"- {escape(reason)}" for reason in summary.reasons] + [""]
    told = _told(summary)
    if told:
        lines += ["### What did not pass, and where", ""]
        for title, texts in told:
            lines += [f"- **{escape(title)}**" if title else "- " + escape(_left_out(summary))]
            lines += [f"  - {escape(text)}" for text in texts]
        lines += ["", "### Measured", ""]
    lines += [
        f"| | scenario | {' | '.join(HEAD)} |",
        f"|---|---|{'---:|' * len(HEAD)}",
    ]
    lines += [
        f"| {_MARK.get(row.outcome, '❔')} | {escape(row.title)} | "
        + " | ".join(escape(cell) for cell in row.cells)
        + " |"
        for row in summary.rows
    ]
    slow = _slow(summary)
    if slow:
        lines += ["", "### The machine", ""]
        lines += [f"- **{escape(row.title)}**: {escape(row.headroom)}" for row in slow]
    if summary.environment:
        facts = ", ".join(
            f"{escape(name)} {escape(value)}"
            for name, value in summary.environment.items()
            if value and name in _SAID
        )
        lines += ["", facts]
    return "\n".join(lines) + "\n"


_SAID = (
    *("browser", "vulkan device", "vulkan driver", "encoder", "encoder threads"),
    *("encoder warning", "wsi", "encode"),
    *("system", "uisplice"),
)


def _told(summary: Summary) -> list[tuple[str, list[str]]]:
    """Of each scenario that failed or broke its title with the categories, and what is to be
    said; an empty title at the end where some of it was left out."""
    told: list[tuple[str, list[str]]] = []
    room = _MOST_FAILURES
    for row in summary.wrong:
        title = f"{row.title}: {'; '.join(row.filed_under)}" if row.filed_under else row.title
        texts = list(row.failures[:room])
        if texts and row.headroom:
            texts.append(row.headroom)
        room -= len(row.failures[:room])
        if texts or not row.failures:
            told.append((title, texts))
    if _all_failures(summary) > _MOST_FAILURES:
        told.append(("", []))
    return told


def _all_failures(summary: Summary) -> int:
    return sum(len(row.failures) for row in summary.wrong)


def _left_out(summary: Summary) -> str:
    return f"and {_all_failures(summary) - _MOST_FAILURES} more; the report has them all"


def _slow(summary: Summary) -> list[Row]:
    return [row for row in summary.rows if row.headroom and row not in summary.wrong]


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:24px auto;padding:0 16px;
color:#1c2430;background:#fff}h1{font-size:24px}h2{font-size:17px;margin-top:28px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;border-bottom:1px solid #dde2e8;text-align:right}
th{color:#5a6675;font-weight:500}th:nth-child(-n+2),td:nth-child(-n+2){text-align:left}
footer{color:#5a6675;margin-top:28px;overflow-wrap:anywhere}td:nth-child(2),li{overflow-wrap:anywhere}
.wide{overflow-x:auto}.reasons{font-weight:600;list-style:none;padding:0}li ul{margin-bottom:8px}
@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#0f1318}th,footer{color:#93a1b0}
th,td{border-color:#262e38}a{color:#7ab8ff}}"""


# Pages that `make report` writes beside the summary.
_BESIDE = {"allure/index.html": "full report", "trends.html": "trends"}


def to_html(summary: Summary, beside: Path) -> str:
    """One page without scripts. Links to each report lead from the folder `beside`."""
    escape = html.escape
    mark = "✔" if summary.passed else "✘"
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>UI scenarios</title>'
        f"<style>{_STYLE}</style><h1>{mark} UI scenarios: {escape(summary.verdict)}</h1>"
        f"<p>{escape(summary.made)}"
    ]
    pages = [(name, title) for name, title in _BESIDE.items() if (beside / name).is_file()]
    parts += [f' · <a href="{name}">{title}</a>' for name, title in pages]
    parts.append("</p>")
    if len(summary.wrong) > 1 and summary.reasons:
        reasons = "".join(f"<li>{escape(reason)}" for reason in summary.reasons)
        parts.append(f'<ul class="reasons">{reasons}</ul>')
    told = _told(summary)
    if told:
        parts.append("<h2>What did not pass, and where</h2><ul>")
        for title, texts in told:
            head = f"<b>{escape(title)}</b>" if title else escape(_left_out(summary))
            items = "".join(f"<li>{escape(text)}" for text in texts)
            parts.append(f"<li>{head}<ul>{items}</ul>")
        parts.append("</ul><h2>Measured</h2>")
    parts.append(
        '<div class="wide"><table><thead><tr><th>outcome<th>scenario'
        + "".join(f"<th>{escape(head)}" for head in HEAD)
        + "</thead><tbody>"
    )
    for row in summary.rows:
        title = escape(row.title)
        if row.report is not None:
            target = quote(os.path.relpath(row.report, beside))
            title = f'<a href="{escape(target)}">{title}</a>'
        cells = "".join(f"<td>{escape(cell)}" for cell in row.cells)
        parts.append(
            f"<tr><td>{_SIGN.get(row.outcome, '')} {escape(row.outcome)}<td>{title}{cells}"
        )
    parts.append("</tbody></table></div>")
    if slow := _slow(summary):
        items = "".join(f"<li><b>{escape(r.title)}</b>: {escape(r.headroom)}" for r in slow)
        parts.append(f"<h2>The machine</h2><ul>{items}</ul>")
    facts = [f"{n} {v}" for n, v in summary.environment.items() if v and n in _SAID]
    parts.append(f"<footer>{escape(', '.join(facts))}</footer></html>\n")
    return "".join(parts)


def write_summary(folder: Path, output: Path, link: str = "") -> tuple[Path, Path]:
    """Writes summary.md and summary.html of a run into `output`.

    Raises:
        HarnessError: there is no run in `folder`, or `output` cannot be written.
    """
    if link and not re.match(r"https?://", link):
        raise HarnessError(f"'{link}' is no address", "give one that starts with https://")
    summary = summarize(folder)
    markdown, page = output / "summary.md", output / "summary.html"
    try:
        output.mkdir(parents=True, exist_ok=True)
        markdown.write_text(to_markdown(summary, link), encoding="utf-8")
        page.write_text(to_html(summary, output), encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"cannot write to {output}: {error.strerror}", "name a folder that can be written"
        ) from error
    return markdown, page
