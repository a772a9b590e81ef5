"""A recording's result on the terminal: tables, checks, and where its files are."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from ..checks import Status
from ..report import MEASURES_HEAD, measures_row
from ..result import Result
from .command import say

_STYLE = {Status.PASSED: "green", Status.FAILED: "bold red", Status.NOT_RUN: "yellow"}


def show(result: Result, console: Console) -> None:
    """Prints a result as tables, and where its files are."""
    if result.metrics is not None:
        metrics = result.metrics
        table = Table(title=result.title, title_justify="left")
        for number, head in enumerate(MEASURES_HEAD):
            # On a narrow terminal a name goes on in the next line; cut off it helps nobody.
            table.add_column(head, justify="left" if number == 0 else "right", overflow="fold")
        for phase in metrics.phases:
            table.add_row(*measures_row(phase.name, phase.measures))
        table.add_section()
        table.add_row(*measures_row("whole recording", metrics.total), style="bold")
        console.print(table)
        console.print(f"frames: {metrics.frames}")
        console.print(
            f"pictures: {metrics.total.pictures['full']} full, "
            f"{metrics.total.pictures['spliced']} spliced, "
            f"{metrics.total.pictures['merged']} merged, {metrics.total.keyframes} keyframe, "
            f"{metrics.total.region_idrs} region restarts "
            f"({metrics.total.region_leaks} leaks found by the vector check), "
            f"{metrics.total.patched_mbs} macroblocks patched, "
            f"{metrics.total.fallbacks} fallbacks"
        )
        times = Table(title="times, ms", title_justify="left")
        for head in ("", "median", "p95", "max"):
            times.add_column(head, justify="left" if not head else "right")
        for name, s in metrics.times.items():
            times.add_row(
                name.replace("_", ", "), f"{s.median:.2f}", f"{s.p95:.2f}", f"{s.max:.2f}"
            )
        console.print(times)
    if result.verdicts:
        table = Table(title="expectations", title_justify="left")
        for head in ("", "where", "what", "limit", "measured", "margin"):
            table.add_column(head, overflow="fold")
        for v in result.verdicts:
            table.add_row(
                v.status.value,
                v.where,
                v.name,
                v.limit,
                v.measured,
                v.margin,
                style=_STYLE[v.status],
            )
        console.print(table)
    for check in result.checks:
        line = f"{check.status.value:>8}  {check.name}: {check.summary}"
        say(console, line, _STYLE[check.status])
    if result.missing:
        say(console, f"the site has no {', '.join(result.missing)}", "yellow")
    console.print()
    files = [
        ("stream", result.folder / "live_spliced.mkv"),
        ("metrics", result.folder / "metrics.json"),
        ("report", result.folder / "report.html"),
    ]
    if result.failure is not None:
        # Taken last, where Chrome could still give one.
        files += [("page", path) for path in result.screenshots if "at-failure" in path.name]
    for label, path in files:
        say(console, f"{label:>8}  {path}")
    for text in (str(result.failure) if result.failure else "", result.failure_table):
        if text:
            console.print()
            say(console, text, "bold red")
    if result.headroom:  # last: what failed may be the machine's doing
        say(console, result.headroom, "yellow")
