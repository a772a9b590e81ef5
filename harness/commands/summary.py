"""The command `harness summary`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from ..summary import write_summary
from .command import command_parser, say


def add_command(commands: Any) -> None:
    """Adds `summary` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "summary",
        _summary,
        "one page about a run, for a chat message, a job's summary or an issue",
        "Writes summary.md and summary.html: outcome, shares, bitrate and drops of "
        "each scenario,\nwhat failed and where, and whether the machine kept up.",
        "examples:\n  harness summary reports/latest\n"
        "  harness summary reports/demo --output reports --link https://ci.example/report",
    )
    parser.add_argument("folder", type=Path, help="folder of a run's recordings")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where to (default: the run's folder)"
    )
    parser.add_argument("--link", default="", metavar="URL", help="address of the full report")


def _summary(arguments: argparse.Namespace, console: Console) -> int:
    output = arguments.output or arguments.folder
    for path in write_summary(arguments.folder, output, arguments.link):
        say(console, f"written: {path}")
    return 0
