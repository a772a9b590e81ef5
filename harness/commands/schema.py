"""The command `harness schema`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from ..errors import HarnessError
from ..scenario import to_included_json_schema, to_json_schema
from .command import command_parser, say


def add_command(commands: Any) -> None:
    """Adds `schema` to argparse's subparsers."""
    parser = command_parser(
        commands,
        "schema",
        _schema,
        "print the JSON Schema of scenarios, for editors",
        "Prints the JSON Schema of scenario files, or of those that they include.",
        """examples:
  harness schema --output scenarios/scenario.schema.json
  harness schema --included --output scenarios/parts/included.schema.json
  and as the first line of a file, for editors with the YAML language server:
  # yaml-language-server: $schema=./scenario.schema.json""",
    )
    parser.add_argument(
        "--included",
        action="store_true",
        help="of included files: variables, templates and further includes",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write it to a file")


def _schema(arguments: argparse.Namespace, console: Console) -> int:
    schema = to_included_json_schema() if arguments.included else to_json_schema()
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
        return 0
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(
            f"cannot write {arguments.output}: {error.strerror}",
            "name a file in a folder that exists",
        ) from error
    say(console, f"written: {arguments.output}")
    return 0
