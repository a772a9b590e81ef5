"""What every command has in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from rich.console import Console

Act = Callable[[argparse.Namespace, Console], int]
"""What a command does with its arguments; gives the exit code. Raises HarnessError."""


def command_parser(
    commands: Any, name: str, act: Act, help: str, description: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """The parser of one more command among `commands`, argparse's subparsers. Line breaks of
    `description` and `epilog` are kept."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        help=help,
        description=description,
        epilog=epilog or None,
    )
    parser.set_defaults(act=act)
    return parser


def say(console: Console, text: object, style: str | None = None) -> None:
    """Prints one line as it is: no markup in it, nothing highlighted, and in a log one line."""
    console.print(str(text), style=style, markup=False, highlight=False, soft_wrap=True)
