"""The command `harness trends`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import options
from ..baseline import Storage
from ..trends import write_trends
from .command import command_parser, say


def add_command(commands: Any) -> None:
    """Adds `trends` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "trends",
        _trends,
        "baselines and benchmarks as curves over the runs that were kept",
        "Writes one page of HTML with a curve for each scenario and metric, and each benchmark.",
        "example:\n  harness trends --output reports/trends.html",
    )
    options.STORAGE.add(parser.add_argument)
    parser.add_argument(
        "--benchmarks",
        type=Path,
        default=Path(".benchmarks"),
        metavar="DIR",
        help="folder of pytest-benchmark (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/trends.html"),
        metavar="FILE",
        help="default: %(default)s",
    )


def _trends(arguments: argparse.Namespace, console: Console) -> int:
    storage = Storage.at(arguments.storage, Path())
    curves = write_trends(storage, arguments.benchmarks, arguments.output)
    say(console, f"written: {arguments.output}, {curves} curves")
    return 0
