"""The JSON schemas that editors check scenarios and included files with, held against the
loader's own opinion."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.examples import read

from harness.errors import ScenarioError
from harness.scenario import (
    STEP_TYPES,
    load_scenario,
    to_included_json_schema,
    to_json_schema,
)
from harness.scenario.model import EXPANDED_KEYS, INCLUDED_KEYS, Scenario
from harness.scenario.step import WaitingStep

REPOSITORY = Path(__file__).resolve().parents[2]
SCENARIOS = sorted((REPOSITORY / "scenarios").rglob("*.yaml"))
BROKEN = REPOSITORY / "tests" / "broken_scenarios"
SCHEMA = to_json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
INCLUDED_SCHEMA = to_included_json_schema()
INCLUDED_VALIDATOR = jsonschema.Draft202012Validator(INCLUDED_SCHEMA)
PARTS = sorted((REPOSITORY / "scenarios" / "parts").glob("*.yaml"))

# Broken scenarios that a schema can refuse: wrong keys, wrong values, wrong forms.
REFUSED = [
    "clips", "encoder", "encoder_as_text", "expect_form", "expect_names",
    "locator_nth", "locator_role", "matrix_form", "no_body", "no_open", "not_a_mapping",
    "phase_keys", "phases", "phases_as_mapping", "skip_and_xfail", "step_call", "step_crash",
    "step_drag",
    "step_expect", "step_if", "step_if_dashes", "step_if_inside", "step_keys_beside",
    "step_network", "step_open", "step_press", "step_reload", "step_repeat", "step_resize_form",
    "step_screenshot", "step_scroll", "step_type", "step_wait_for_video", "step_without_colon",
    "steps_as_mapping", "steps_form", "storage_state_form", "tags", "tags_as_text",
    "template_beside_use", "templates_as_mapping", "timeouts", "timeout_without_meaning",
    "two_bodies", "unknown_keys",
    "unknown_step", "variables_as_list", "viewport_text", "empty_values",
]  # fmt: skip


def errors(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(read(text))]


def included_errors(text: str) -> list[str]:
    return [error.message for error in INCLUDED_VALIDATOR.iter_errors(read(text))]


both = pytest.mark.parametrize("schema", [SCHEMA, INCLUDED_SCHEMA], ids=["scenario", "included"])


@both
def test_is_a_schema_of_2020_12(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@both
def test_every_reference_leads_somewhere_and_every_definition_is_used(
    schema: dict[str, Any],
) -> None:
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                found.add(part["$ref"].removeprefix("#/$defs/"))
            for value in part.values():
                walk(value)
        elif isinstance(part, list):
            for value in part:
                walk(value)

    walk(schema)
    assert found == schema["$defs"].keys()


def test_has_every_key_and_step() -> None:
    written = {f.alias or name for name, f in Scenario.model_fields.items()}
    written -= {"path", "case", "variables"}
    assert SCHEMA["properties"].keys() == written | {"steps", "wait", *EXPANDED_KEYS}
    for name, step in STEP_TYPES.items():
        schema = SCHEMA["$defs"][f"step_{name}"]
        assert schema["description"]
        assert schema["properties"].keys() == {name, *step.companions}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_accepts_the_suite(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "open" in read(text):  # others are included
        assert errors(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "open: a\nwait: 5s",
        "open: a\nwait: ${pause}\nvariables: {pause: 1s, times: 3, on: true}",
        "open: a\nfps: ${fps}\nmatrix: {fps: [24, 30]}\nsteps: [{wait: 1s}]",
        "open: a\nmatrix: [{a: 1}, {a: x}]\nsteps: [{mark: 5}, {mark: no}, {press: 1}]",
        "open: a\nviewport: 640x360\nnetwork: 3g\nwait: 1s\ninclude: a.yaml",
        "open: a\nviewport: {width: 640, height: 360}\nnetwork: {latency: 20ms}\nwait: 1s",
        "open: a\nxfail: it stalls\nskip: no codec\nreduced_motion: true\nwait: 1s",
        "open: a\nphases: [{use: T, with: {a: 1}}, {phase: 2, duration: 1s}]\n"
        "templates: [{phase: T, steps: [{wait: 1s}]}]",
        "open: a\nready: {role: button, name: x}\nsteps: [{click: {role: button, nth: 1}}]",
        "open: a\nsteps: [{repeat: 3, steps: [{if: x, then: [{wait: 1s}], else: [{wait: 1s}]}]}]",
        "open: a\nsteps: [{repeat: {times: 3, until: {video: ended}, steps: [{wait: 1s}]}}]",
        "open: a\nsteps: [{repeat: '${n}', steps: [{wait: 1s}]}, {reload: x, timeout: 9s}]",
        "open: a\nsteps: [{expect: {text: a, to: not be visible}}, {expect: x}]",
        "open: a\nsteps: [{drag: {from: a, right: 5}}, {move: {x: 1, y: 2}}, {scroll: 600}]",
        "open: a\nsteps: [{call: {name: a, with: {n: 1}}}, {network: offline}, {crash: page}]",
        "open: a\nwait: 1s\nexpect: {page: [x, {text: a, to: be hidden}], dropped: 0}",
    ],
)  # fmt: skip
def test_accepts_what_the_loader_takes(text: str) -> None:
    assert errors(text) == []


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    assert errors((BROKEN / f"{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", STEP_TYPES)
def test_has_a_timeout_just_where_a_step_waits_for_the_page(name: str) -> None:
    waits = issubclass(STEP_TYPES[name], WaitingStep)
    assert ('"timeout"' in json.dumps(SCHEMA["$defs"][f"step_{name}"])) == waits
    assert waits == (name not in ("wait", "wait_until", "mark", "resize", "network", "crash", "if"))


def test_refuses_null() -> None:
    assert errors("open: a\nwait: 1s\nready:")
    assert errors("open: a\nsteps: [{click:}]")


def test_an_included_file_has_the_scenarios_own_keys_and_steps() -> None:
    assert INCLUDED_SCHEMA["properties"] == {
        key: SCHEMA["properties"][key] for key in INCLUDED_KEYS
    }
    assert {f"step_{name}" for name in STEP_TYPES} <= INCLUDED_SCHEMA["$defs"].keys()


def test_every_file_that_the_suite_includes_is_looked_at() -> None:
    named = {
        (path.parent / name).resolve()
        for path in SCENARIOS
        for name in re.findall(r"^include: (\S+)", path.read_text(encoding="utf-8"), re.M)
    }
    assert named == set(PARTS)


@pytest.mark.parametrize("path", PARTS, ids=lambda path: path.stem)
def test_accepts_what_the_suite_includes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert included_errors(text) == []
    assert errors(text), "it is no scenario"


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_an_included_file_is_no_scenario(path: Path) -> None:
    assert bool(included_errors(path.read_text(encoding="utf-8"))) == (path not in PARTS)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("login", True),
        ("round", True),  # what it includes is none of the schema's business
        ("round_again", True),
        ("foreign_keys", False),
        ("mistakes", False),
    ],
)
def test_of_the_included_files_of_broken_scenarios(name: str, taken: bool) -> None:
    text = (BROKEN / "parts" / f"{name}.yaml").read_text(encoding="utf-8")
    assert (included_errors(text) == []) == taken


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("variables: {profile: Ada, times: 3, on: true}", True),
        ("include: other.yaml", True),
        ("include: [other.yaml]\nvariables: {a: b}", True),
        ("templates:\n- {phase: T, duration: 1s}\n- phase: U\n  steps: [{click: '${a}'}]", True),
        ("templates: [{phase: T, steps: [{wait: 1s}], expect: {counts: {changed: 0}}}]", True),
        ("open: https://example.com/\nwait: 1s", False),
        ("variables: {a: 1}\nmatrix: {a: [1, 2]}", False),
        ("templates: [{use: T}]", False),
        ("templates: {phase: T, duration: 1s}", False),
        ("templates: [{phase: T, steps: [{clik: a}]}]", False),
        ("templates: [{phase: T, steps: [{wait: {seconds: 1s, timeout: 2s}}]}]", False),
        ("variables: [a]", False),
        ("- variables", False),
    ],
)  # fmt: skip
def test_of_an_included_file_the_loader_thinks_the_same(
    tmp_path: Path, text: str, taken: bool
) -> None:
    assert (included_errors(text) == []) == taken
    (tmp_path / "other.yaml").write_text("variables: {a: x}")
    (tmp_path / "part.yaml").write_text(text)
    # Each template is used, for only then the loader looks into it.
    uses = "".join(
        f"- {{use: {name}, phase: {name} 1}}\n" for name in re.findall("phase: (T|U)", text)
    )
    (tmp_path / "some.yaml").write_text(
        "open: https://example.com/\ninclude: part.yaml\nvariables: {a: x}\n"
        f"phases:\n{uses}- {{phase: Rest, duration: 1s}}\n"
    )
    if taken:
        load_scenario(tmp_path / "some.yaml")
    else:
        with pytest.raises(ScenarioError):
            load_scenario(tmp_path / "some.yaml")
