"""The command `harness compare`."""

from __future__ import annotations

import argparse
import json
import textwrap
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from .. import options
from ..baseline import Storage, open_run
from ..movement import HEAD, Comparison, Outcome, compare_runs
from ..tolerance import Tolerance, families, parse_option
from .command import command_parser, say

_STYLE = {Outcome.REGRESSED: "bold red", Outcome.IMPROVED: "green"}


def add_command(commands: Any) -> None:
    """Adds `compare` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "compare",
        _compare,
        "compare two runs or baselines: what moved, in which phase",
        "Compares the metrics of two runs, phase by phase. Exit code 1 when something "
        "is worse\nthan its tolerance allows, or a check of the stream fails that passed before.",
        """examples:
  harness compare reports/run1 reports/run2
  harness compare reports/run1/idle/metrics.json reports/run2/idle/metrics.json
  harness compare 0001 0002                          stored baselines, by number
  harness compare 0001 reports/latest --tolerance bytes:10% --tolerance psnr_y:0.5dB

metrics: """
        + textwrap.fill(", ".join(families()), 90, subsequent_indent="  ")
        + "\ndocs/baselines.md says what each tolerates, and why.",
    )
    for name, what in (("before", "what to compare with"), ("now", "what is compared")):
        parser.add_argument(
            name,
            help=f"{what}: a metrics.json, a folder of recordings, or a stored baseline's path, "
            "number or ID",
        )
    options.TOLERANCE.add(parser.add_argument, type=_tolerance)
    options.STORAGE.add(parser.add_argument)
    parser.add_argument(
        "--any-environment",
        action="store_true",
        help="compare also what other browsers, devices, encoders or views recorded",
    )
    parser.add_argument("--all", action="store_true", help="also what stayed within")
    parser.add_argument("--json", action="store_true", help="everything, for programs")


def _tolerance(text: str) -> tuple[str, Tolerance]:
    try:
        return parse_option(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _compare(arguments: argparse.Namespace, console: Console) -> int:
    storage = Storage.at(arguments.storage, Path())
    comparison = compare_runs(
        open_run(arguments.before, storage),
        open_run(arguments.now, storage),
        dict(arguments.tolerance),
        any_environment=arguments.any_environment,
    )
    if arguments.json:
        print(json.dumps(comparison.to_json(), indent=1, ensure_ascii=False))
    else:
        _show_movements(comparison, console, everything=arguments.all)
    return 1 if comparison.regressed else 0


def _show_movements(comparison: Comparison, console: Console, *, everything: bool) -> None:
    shown = comparison.notable
    if everything:
        shown += [m for m in comparison.movements if m.outcome is Outcome.WITHIN]
    if shown:
        table = Table()
        for head in HEAD:
            right = head in ("before", "now", "change")
            # On a narrow terminal a name goes on in the next line; cut off it helps nobody.
            table.add_column(head, justify="right" if right else "left", overflow="fold")
        for movement in shown:
            table.add_row(*movement.row, style=_STYLE.get(movement.outcome))
        console.print(table)
    for line in comparison.broken:
        say(console, line, "bold red")
    for note in comparison.notes:
        say(console, note, "yellow")
    say(console, comparison.summary)
