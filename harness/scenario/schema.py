"""The scenario language as a JSON schema, for editors that complete and check YAML."""

from __future__ import annotations

import copy
from typing import Any

from .model import EXPANDED_KEYS, INCLUDED_KEYS, Phase, Scenario
from .normal_form import INTERNAL
from .step import STEP_LISTS, STEP_TYPES, BaseStep

_Schema = dict[str, Any]
_VARIABLE: _Schema = {"type": "string", "pattern": r"\$\{"}  # ${name} may stand for any value
_VALUE: _Schema = {"type": ["string", "number", "boolean"]}
_FROM_TEXT = {  # models that a short text stands for
    "Viewport": {"type": "string", "pattern": r"^\d+\s*[xX]\s*\d+$"},
    "Network": {"type": "string"},
    "Xfail": {"type": "string"},
    "EncoderSettings": {"enum": ["x264", "nvenc", "auto"]},
    "Locator": {"type": "string"},
    "PageExpectation": {"type": "string"},
    "Condition": {"type": "string"},
}


def to_json_schema() -> _Schema:
    """JSON schema (2020-12) of a scenario as it is written, short forms included.

    Looser than the loader: it knows no rule that spans several keys.
    """
    return _standalone("uisplice scenario", _scenario())


def to_included_json_schema() -> _Schema:
    """JSON schema (2020-12) of a file that scenarios include: variables, templates, includes."""
    whole = _scenario()
    return _standalone(
        "uisplice included file",
        {
            "description": "Variables and templates that several scenarios include.",
            "type": "object",
            "properties": {key: whole["properties"][key] for key in INCLUDED_KEYS},
            "additionalProperties": False,
            "$defs": whole["$defs"],
        },
    )


def _standalone(title: str, schema: _Schema) -> _Schema:
    """The schema as a file of its own, with the definitions that it needs and no other."""
    result = copy.deepcopy(schema)  # parts of it are constants, here and in annotations
    definitions = result.pop("$defs")
    _as_written([result, definitions])
    needed: set[str] = set()
    waiting = _references(result)
    while waiting:
        needed |= waiting
        waiting = {name for one in waiting for name in _references(definitions[one])} - needed
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **{key: value for key, value in result.items() if key != "title"},
        "$defs": {name: part for name, part in definitions.items() if name in needed},
    }


def _references(part: Any) -> set[str]:
    """Names of the definitions that a part of a schema refers to."""
    if isinstance(part, list):
        return {name for item in part for name in _references(item)}
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"].removeprefix("#/$defs/")} if "$ref" in part else set()
    return own | {name for value in part.values() for name in _references(value)}


def _scenario() -> _Schema:
    """The models' schemas as one, with the forms that a file may have."""
    schema = Scenario.model_json_schema(by_alias=True)
    definitions: _Schema = schema.pop("$defs")
    steps = {"type": "array", "items": {"$ref": "#/$defs/step"}}
    for step in STEP_TYPES.values():
        definitions.pop(step.__name__, None)
    for name, step in STEP_TYPES.items():
        fields = step.model_json_schema(by_alias=True)
        shared_definitions = fields.pop("$defs", {})
        if "$ref" in fields:  # a step that holds steps refers to itself
            fields = shared_definitions[step.__name__]
        for shared, definition in shared_definitions.items():
            if shared not in {other.__name__ for other in STEP_TYPES.values()}:
                definitions.setdefault(shared, definition)
        definitions[f"step_{name}"] = _step_schema(name, step, fields, steps)
    definitions["step"] = {"oneOf": [{"$ref": f"#/$defs/step_{name}"} for name in STEP_TYPES]}
    phase = definitions[Phase.__name__]
    _hide(phase)
    phase["properties"]["steps"] = steps
    for name, text in _FROM_TEXT.items():
        definitions[name] = {"anyOf": [text, definitions[name]]}
    template = {**phase}
    used = _used_phase(phase)
    definitions["phase"] = {"anyOf": [template, used]}
    definitions.pop(Phase.__name__)
    _hide(schema)
    properties = schema["properties"]
    properties["phases"] = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/phase"}}
    properties["steps"] = steps
    properties["wait"] = definitions["step_wait"]["properties"]["wait"]
    properties |= _expanded(template)
    schema["required"] = ["open"]
    schema["oneOf"] = [{"required": [body]} for body in ("phases", "steps", "wait")]
    return {**schema, "$defs": definitions}


def _expanded(template: _Schema) -> _Schema:
    values = {"type": "object", "additionalProperties": _VALUE}
    properties = {
        "variables": {**values, "description": "what ${name} stands for"},
        "matrix": {
            "description": "one test for each combination, or for each listed case",
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": "array", "items": _VALUE}},
                {"type": "array", "items": values},
            ],
        },
        "include": {
            "description": "files with variables and templates, beside this one",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        },
        "templates": {
            "description": "phases to be placed with 'use'",
            "type": "array",
            "items": template,
        },
    }
    assert set(properties) == set(EXPANDED_KEYS)
    return properties


def _used_phase(phase: _Schema) -> _Schema:
    kept = {name: phase["properties"][name] for name in ("phase", "duration", "expect")}
    return {
        "type": "object",
        "description": "a template in its place",
        "properties": {
            "use": {"type": "string", "description": "the template's name"},
            "with": {"type": "object", "additionalProperties": _VALUE},
            **kept,
        },
        "required": ["use"],
        "additionalProperties": False,
    }


def _step_schema(name: str, step: type[BaseStep], fields: _Schema, steps: _Schema) -> _Schema:
    _hide(fields)
    for key in STEP_LISTS:
        if key in fields["properties"]:
            fields["properties"][key] = steps
    short = fields["properties"][step.primary]
    companions = {key: fields["properties"][key] for key in step.companions}
    if companions and "required" in fields:  # they may stand beside the step's name instead
        fields["required"] = [key for key in fields["required"] if key not in companions]
    value = short if step.primary_is_all else {"anyOf": [short, fields]}
    return {
        "type": "object",
        "description": " ".join((step.__doc__ or "").split("\n\n")[0].split()),
        "properties": {name: value, **companions},
        "required": [name],
        "additionalProperties": False,
    }


def _hide(schema: _Schema) -> None:
    """Drops what only the written-out form has."""
    for name in INTERNAL:
        schema["properties"].pop(name, None)
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name not in INTERNAL]


def _as_written(schema: Any) -> None:
    """YAML has `5` and `true` where the loader reads texts, and `${name}` for any value."""
    if isinstance(schema, list):
        for item in schema:
            _as_written(item)
        return
    if not isinstance(schema, dict):
        return
    for item in schema.values():
        _as_written(item)
    if "anyOf" in schema:  # a key without a value is refused
        schema["anyOf"] = [part for part in schema["anyOf"] if part != {"type": "null"}]
    if "default" in schema and schema["default"] is None:
        del schema["default"]
    kind = schema.get("type")
    if kind in ("integer", "number", "boolean") and "anyOf" not in schema:
        schema["type"] = [kind, "string"]
    elif kind == "string" and not {"pattern", "enum", "const"} & set(schema):
        schema["type"] = ["string", "number", "boolean"]
    elif kind == "string":
        rest = {key: schema.pop(key) for key in list(schema) if key not in ("default", "title")}
        schema["anyOf"] = [rest, dict(_VARIABLE)]
