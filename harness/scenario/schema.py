"""The scenario language as a JSON schema, for editors that complete and check YAML."""

from __future__ import annotations

from typing import Any

from .model import Phase, Scenario
from .step import STEP_TYPES, BaseStep

_INTERNAL = ("kind", "line", "path")


def to_json_schema() -> dict[str, Any]:
    """JSON schema (2020-12) of a scenario as it is written, short forms included.

    Looser than the loader: it knows no rule that spans several keys.
    """
    schema = Scenario.model_json_schema(by_alias=True)
    definitions: dict[str, Any] = schema.pop("$defs")
    for name, step in STEP_TYPES.items():
        definitions.pop(step.__name__, None)
        definitions[f"step_{name}"] = _step_schema(name, step)
    definitions["step"] = {"oneOf": [{"$ref": f"#/$defs/step_{name}"} for name in STEP_TYPES]}
    steps = {"type": "array", "items": {"$ref": "#/$defs/step"}}
    definitions[Phase.__name__]["properties"]["steps"] = steps
    viewport = definitions["Viewport"]
    definitions["Viewport"] = {
        "anyOf": [{"type": "string", "pattern": r"^\d+\s*[xX]\s*\d+$"}, viewport]
    }
    for owner in (schema, definitions[Phase.__name__]):
        _hide(owner)
    properties = schema["properties"]
    properties["steps"] = steps
    properties["wait"] = definitions["step_wait"]["properties"]["wait"]
    schema["required"] = ["open"]
    schema["oneOf"] = [{"required": [body]} for body in ("phases", "steps", "wait")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "uisplice scenario",
        **{key: value for key, value in schema.items() if key != "title"},
        "$defs": definitions,
    }


def _step_schema(name: str, step: type[BaseStep]) -> dict[str, Any]:
    fields = step.model_json_schema(by_alias=True)
    _hide(fields)
    short = fields["properties"][step.primary]
    return {
        "type": "object",
        "description": (step.__doc__ or "").split("\n")[0] if step.__doc__ else "",
        "properties": {name: {"anyOf": [short, fields]}},
        "required": [name],
        "additionalProperties": False,
    }


def _hide(schema: dict[str, Any]) -> None:
    """Drops what only the written-out form has."""
    for name in _INTERNAL:
        schema["properties"].pop(name, None)
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name not in _INTERNAL]
