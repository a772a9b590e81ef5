"""docs/scenarios.md says everything that the language has, and nothing that it has not."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from support.examples import PAGE, blocks, install_steps, lay_out, read, whole

from harness.scenario import (
    STEP_TYPES,
    Condition,
    EncoderSettings,
    Locator,
    Network,
    PageExpectation,
    Scenario,
    Xfail,
    load_scenarios,
    to_included_json_schema,
    to_json_schema,
)
from harness.scenario.model import EXPANDED_KEYS
from harness.scenario.network import PROFILES
from harness.scenario.page_expectation import WORDS
from harness.scenario.step import BaseStep, every_step

TEXT = PAGE.read_text(encoding="utf-8")
YAML = "\n".join(block.text for block in blocks("yaml"))


def keys(model: type) -> set[str]:
    fields = model.model_fields.items()  # type: ignore[attr-defined]
    internal = {"kind", "line", "file", "path", "case"}
    return {field.alias or name for name, field in fields} - internal


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    install_steps(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("my_steps", None)


def test_every_yaml_block_is_a_scenario_a_part_or_a_file() -> None:
    for block in blocks("yaml"):
        assert block.is_scenario != (block.is_part or bool(block.file)), f"line {block.line}"
    assert sum(block.is_scenario for block in blocks("yaml")) >= 10


def test_every_scenario_loads(folder: Path) -> None:
    for path in lay_out(folder):
        assert load_scenarios(path)


def test_every_part_loads_in_a_scenario(folder: Path) -> None:
    lay_out(folder)
    parts = [block for block in blocks("yaml") if block.is_part]
    assert parts
    for block in parts:
        path = folder / "whole.yaml"
        path.write_text(whole(block), encoding="utf-8")
        assert load_scenarios(path), f"line {block.line}"


def test_every_example_is_one_for_the_schema(folder: Path) -> None:
    validator = jsonschema.Draft202012Validator(to_json_schema())
    for path in [*lay_out(folder), *folder.glob("example_*.yaml")]:
        errors = list(validator.iter_errors(read(path.read_text(encoding="utf-8"))))
        assert errors == [], path.name


def test_every_included_file_is_one_for_its_schema(folder: Path) -> None:
    validator = jsonschema.Draft202012Validator(to_included_json_schema())
    lay_out(folder)
    files = [block.file for block in blocks("yaml") if block.file]
    assert files
    for name in files:
        errors = list(validator.iter_errors(read((folder / name).read_text(encoding="utf-8"))))
        assert errors == [], name


def test_the_scenarios_have_every_step_and_every_setting(folder: Path) -> None:
    scenarios = [load_scenarios(path)[0] for path in lay_out(folder)]
    steps = [step for s in scenarios for phase in s.phases for step in every_step(phase.steps)]
    assert {step.kind for step in steps} == STEP_TYPES.keys()
    written = "\n".join(block.text for block in blocks("yaml") if block.is_scenario)
    settings = keys(Scenario) | set(EXPANDED_KEYS) - {"templates"} | {"wait", "steps"}
    assert {key for key in settings if not re.search(rf"^{key}:", written, re.M)} == set()


@pytest.mark.parametrize("name", STEP_TYPES)
def test_every_step_is_described_and_shown_with_every_field(name: str) -> None:
    step = STEP_TYPES[name]
    rows = [line for line in TEXT.splitlines() if re.match(rf"\| [^|]*`{name}`[^|]* \|", line)]
    assert rows, f"no row of a table has `{name}`"
    assert re.search(rf"\b{name}:", YAML), "no example"
    fields = keys(step) - keys(BaseStep) - set(Locator.model_fields)
    for field in fields - {"condition", "ready", "what"}:  # what stands behind the step's name
        assert f"`{field}`" in TEXT, field
        if field != step.primary:
            assert re.search(rf"\b{field}:", YAML), f"no example has {field}"


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            *Locator.model_fields,
            *keys(Condition),
            *keys(EncoderSettings),
            *keys(Network),
            *keys(PageExpectation),
            *keys(Xfail),
            *(keys(Scenario) - {"scenario"}),
            *EXPANDED_KEYS,
            "use",
            "with",
            "steps",
            "wait",
            "duration",
        }
    ),
)
def test_every_key_is_described(name: str) -> None:
    assert re.search(rf"`(\{{|[^`\n]*[{{ ])?{name}\b[^`\n]*`|^{name}:|[ {{]{name}:", TEXT, re.M)


def test_every_word_of_expect_and_every_network_is_named() -> None:
    for words in [*WORDS, *PROFILES]:
        assert f"`{words}`" in TEXT


def test_links_inside_the_page_lead_to_headings() -> None:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", TEXT, flags=re.M | re.S), re.M)
    known = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(#([\w-]+)\)", TEXT):
        assert target in known
    for name in re.findall(r"\]\(([\w./-]+\.md)", TEXT):
        assert (PAGE.parent / name).is_file()


def test_every_picture_of_the_documentation_is_made_and_shown() -> None:
    """Those that `make screenshots` makes, those that lie there, those that pages show."""
    script = (PAGE.parents[1] / "scripts" / "report_screenshots.py").read_text(encoding="utf-8")
    made = set(re.findall(r'folder / "([\w-]+\.webp)"', script))
    lying = {path.name for path in (PAGE.parent / "pictures").iterdir()}
    pages = [path.read_text(encoding="utf-8") for path in PAGE.parent.glob("*.md")]
    shown = {name for text in pages for name in re.findall(r"\]\(pictures/([\w.-]+)\)", text)}
    assert made == lying == shown and len(made) == 8
