"""The command `harness new`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from ..starter import write_starter
from .command import command_parser, say


def add_command(commands: Any) -> None:
    """Adds `new` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "new",
        _new,
        "write a commented scenario to begin with",
        "Writes DIR/NAME.yaml, a scenario that passes as it is. Without --url it opens "
        "the site in\nDIR/site, or a small page that is written beside it. Never overwrites.",
        "examples:\n  harness new checkout\n"
        "  harness new checkout --url https://localhost:8443/checkout",
    )
    parser.add_argument("name", metavar="NAME", help="of the scenario's file, without .yaml")
    parser.add_argument(
        "--dir", type=Path, default=Path("scenarios"), help="folder (default: %(default)s)"
    )
    parser.add_argument("--url", help="http(s):// or file:// address to open")


def _new(arguments: argparse.Namespace, console: Console) -> int:
    written = write_starter(arguments.name, arguments.dir, arguments.url)
    for path in written:
        say(console, f"written: {path}")
    say(console, f"run it: harness run {written[-1]}")
    return 0
