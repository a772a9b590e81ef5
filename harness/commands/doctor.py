"""The command `harness doctor`."""

from __future__ import annotations

import argparse
import contextlib
import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .. import doctor, options
from ..errors import EnvironmentProblem
from .command import command_parser, say

_STYLE = {
    doctor.Status.OK: "green",
    doctor.Status.MISSING: "bold red",
    doctor.Status.BROKEN: "bold red",
    doctor.Status.OPTIONAL: "yellow",
    doctor.Status.NOT_RUN: "yellow",
}


def add_command(commands: Any) -> None:
    """Adds `doctor` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "doctor",
        _doctor,
        "what a recording needs: what is there, what is missing, what to install",
        "Looks at browser, Vulkan, layer, encoders, decoders and the rest, and records "
        "a page for\nthree seconds. Exit code 0 when recordings can be made, else 3.",
        "examples:\n  harness doctor\n  harness doctor --quick --json\n"
        "  harness doctor --browser /opt/google/chrome/chrome",
    )
    options.BROWSER.add(parser.add_argument)
    parser.add_argument("--quick", action="store_true", help="do not try to record")
    parser.add_argument("--json", action="store_true", help="for programs")


def _doctor(arguments: argparse.Namespace, console: Console) -> int:
    findings = []
    table = Table("", "what")
    for head in ("found", "what to do"):
        table.add_column(head, overflow="fold")  # a path that is cut helps nobody
    as_table = console.is_terminal and not arguments.json
    with console.status("looking …") if as_table else contextlib.nullcontext():
        for finding in doctor.examine(arguments.browser, quick=arguments.quick):
            findings.append(finding)
            status = finding.status.value
            if as_table:
                texts = map(escape, (finding.name, finding.found, finding.remedy))
                table.add_row(f"[{_STYLE[finding.status]}]{status}[/]", *texts)
            elif not arguments.json:
                remedy = f"; what to do: {finding.remedy}" if finding.remedy else ""
                print(f"{status}: {finding.name}: {finding.found}{remedy}", flush=True)
    blocking = [finding.name for finding in findings if finding.blocks]
    if arguments.json:
        data = {"can_record": not blocking, "findings": [f.to_json() for f in findings]}
        print(json.dumps(data, indent=1, ensure_ascii=False))
        return EnvironmentProblem.exit_code if blocking else 0
    if as_table:
        console.print(table)
    if blocking:
        verdict = f"no recording can be made: {', '.join(blocking)}"
    elif findings[-1].status is doctor.Status.OK:
        verdict = "recordings can be made"
    else:
        verdict = "nothing is missing; whether frames arrive was not tried"
    say(console, verdict)
    return EnvironmentProblem.exit_code if blocking else 0
