"""The report of `harness gpu-check`: Markdown for people, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from .checks import CHECKS
from .model import Finding, Outcome

MARKDOWN, JSON = "gpu-check.md", "gpu-check.json"
FAILED, INCOMPLETE, NO_GPU = 1, 4, 5
"""Exit codes: something failed; nothing failed but not everything ran on a GPU; nothing
ran on a GPU at all. 0 only where every check passed."""

_MEANING = {check.name: check.meaning for check in CHECKS}


def exit_code(findings: Sequence[Finding]) -> int:
    """Of a whole run."""
    outcomes = {finding.outcome for finding in findings}
    if Outcome.FAILED in outcomes:
        return FAILED
    if Outcome.PASSED not in outcomes:
        return NO_GPU
    return 0 if outcomes == {Outcome.PASSED} else INCOMPLETE


def counts(findings: Sequence[Finding]) -> str:
    """One line: '3 passed, 1 failed, 9 not run'."""
    counted = Counter(finding.outcome for finding in findings)
    shown = [o for o in Outcome if counted[o] or o is not Outcome.SOFTWARE]
    return ", ".join(f"{counted[outcome]} {outcome.value}" for outcome in shown)


def _cell(text: object) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def to_markdown(findings: Sequence[Finding], environment: Mapping[str, str]) -> str:
    """The page: machine, one table of all checks, then figures and details of each."""
    lines = ["# GPU check", "", f"**{counts(findings)}.** What was not run is not passed.", ""]
    lines += ["| | |", "|---|---|"]
    lines += [f"| {_cell(key)} | {_cell(value)} |" for key, value in environment.items()]
    lines += ["", "| check | outcome | what was seen, or why it did not run |", "|---|---|---|"]
    for finding in findings:
        lines.append(
            f"| {_cell(finding.title)} (`{finding.name}`) | {finding.outcome.value} "
            f"| {_cell(finding.summary)} |"
        )
    for finding in findings:
        if not finding.figures and not finding.details:
            continue
        lines += ["", f"## {finding.title}", "", _MEANING.get(finding.name, ""), ""]
        lines += [f"{finding.outcome.value} in {finding.seconds:.1f} s", ""]
        if finding.figures:
            lines += ["| figure | value |", "|---|---|"]
            lines += [f"| {_cell(k)} | {_cell(v)} |" for k, v in finding.figures.items()]
        if finding.details:
            lines += ["", *(f"- {_cell(detail)}" for detail in finding.details)]
    return "\n".join(lines) + "\n"


def write_report(
    folder: Path, findings: Sequence[Finding], environment: Mapping[str, str]
) -> list[Path]:
    """Writes both files and returns their paths; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "environment": dict(environment),
        "counts": {o.value: sum(f.outcome is o for f in findings) for o in Outcome},
        "exit_code": exit_code(findings),
        "findings": [finding.to_json() for finding in findings],
    }
    markdown, plain = folder / MARKDOWN, folder / JSON
    markdown.write_text(to_markdown(findings, environment), encoding="utf-8")
    plain.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [markdown, plain]
