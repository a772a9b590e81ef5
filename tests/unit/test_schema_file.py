"""The JSON Schema that ships in the package, and the command that prints it and its like."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli import main
from harness.scenario.schema import to_included_json_schema, to_json_schema

SHIPPED = Path(harness.__file__).parent / "scenario.schema.json"


def test_the_shipped_schema_is_that_of_the_models():
    assert json.loads(SHIPPED.read_text(encoding="utf-8")) == to_json_schema(), "run `make schema`"


@pytest.mark.parametrize(
    ("options", "schema"), [([], to_json_schema), (["--included"], to_included_json_schema)]
)
def test_the_command_prints_and_writes_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    schema: Callable[[], dict[str, Any]],
):
    command = ["schema", *options]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == schema()
    assert main([*command, "--output", str(tmp_path / "s.json")]) == 0
    assert (tmp_path / "s.json").read_text(encoding="utf-8") == printed
    assert main([*command, "--output", str(tmp_path / "none" / "s.json")]) == 2
