"""Everything that did not pass as one table: what, by how much, and where to look."""

from __future__ import annotations

from collections.abc import Sequence

from .checks import CheckResult, Status
from .scenario.model import WHOLE
from .text_table import aligned, column_widths
from .verdict import Verdict

FAILURE_HEAD = ("phase", "expectation", "measured", "limit", "margin", "ticks", "where to look")
MUST_PASS = "must pass"
"""The limit of a check, as a row has it."""
_NOT_RUN = "not run: "


def failure_rows(verdicts: Sequence[Verdict], checks: Sequence[CheckResult]) -> list[list[str]]:
    """A row of text under FAILURE_HEAD for each one that failed or was not run."""
    rows = [
        [v.where, v.name, _measured(v), v.limit, v.margin, _ticks(v), v.look]
        for v in verdicts
        if v.status is not Status.PASSED
    ]
    rows += [
        [
            WHOLE,
            c.name,
            c.status.value,
            MUST_PASS,
            "",
            "" if c.tick is None else str(c.tick),
            c.summary,
        ]
        for c in checks
        if not c.passed
    ]
    return rows


def finding(rows: Sequence[Sequence[str]]) -> str:
    """The first of `failure_rows` as one line, with how many more there are."""
    phase, name, measured, limit, *_, look = rows[0]
    more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
    if limit == MUST_PASS:  # a check: it has a finding rather than a measure
        return f"{name} {measured}: {look}{more}"
    if not measured.startswith(_NOT_RUN):
        measured = f"measured {measured}"
    return f"{phase}: {name} {limit}: {measured}{more}"


def failure_table(verdicts: Sequence[Verdict], checks: Sequence[CheckResult]) -> str:
    """The table as plain text with aligned columns; empty when everything passed."""
    rows = failure_rows(verdicts, checks)
    if not rows:
        return ""
    rule = ["-" * width for width in column_widths([FAILURE_HEAD, *rows])]
    rule[-1] = "-" * len(FAILURE_HEAD[-1])
    return aligned([FAILURE_HEAD, rule, *rows])


def _measured(verdict: Verdict) -> str:
    not_run = verdict.status is Status.NOT_RUN
    return _NOT_RUN + verdict.measured if not_run else verdict.measured


def _ticks(verdict: Verdict) -> str:
    if verdict.end_tick <= verdict.first_tick:
        return ""
    last = verdict.end_tick - 1
    return str(last) if last == verdict.first_tick else f"{verdict.first_tick}..{last}"
