"""The `harness` command: its commands are in commands/."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.console import Console

from . import __version__
from .commands import compare, doctor, new, pipelines, run, schema, summary, trends, validate
from .errors import HarnessError
from .gpu_check import command as gpu_check

# In the order of `harness --help`.
_COMMANDS = (run, pipelines, validate, compare, summary, trends, schema, doctor, gpu_check, new)


def parser() -> argparse.ArgumentParser:
    """The command line of `harness`, all commands included."""
    parser = argparse.ArgumentParser(
        prog="harness",
        description="Records a cloud-rendered UI as one spliced H.264 stream, and proves it.",
    )
    parser.add_argument("--version", action="version", version=f"uisplice {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for module in _COMMANDS:
        module.add_command(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point. Exit codes: 0 passed, 1 failed, 2 bad input, 3 the machine
    lacks something, 130 interrupted."""
    parsed = parser().parse_args(arguments)
    # Piped into a file or a CI log there is no width to fit: let the tables breathe.
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        return int(parsed.act(parsed, console))
    except HarnessError as error:
        print(f"harness: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        place = f" in {parsed.output}" if parsed.command == "run" else ""
        print(f"harness: interrupted; what was recorded until then is kept{place}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
