"""The command `harness validate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import HarnessError
from ..scenario import load_scenarios
from .command import command_parser, say


def add_command(commands: Any) -> None:
    """Adds `validate` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "validate",
        _validate,
        "check scenario files without running them",
        "Says everything that is wrong with scenario files, by file, line and column. Exit code 0\n"
        "when nothing is, else 2.",
        "example:\n  harness validate scenarios/*.yaml",
    )
    parser.add_argument("scenario", nargs="+", type=Path, help="scenario files (YAML)")


def _validate(arguments: argparse.Namespace, console: Console) -> int:
    code = 0
    for path in arguments.scenario:
        try:
            scenarios = load_scenarios(path)
        except HarnessError as error:
            say(console, error)
            code = error.exit_code
        else:
            phases = len(scenarios[0].phases)
            cases = f", {len(scenarios)} cases" if len(scenarios) > 1 else ""
            say(console, f"{path}: ok, {phases} phase{'s' if phases != 1 else ''}{cases}")
    return code
