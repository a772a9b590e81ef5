"""The model's errors as sentences with a place in the file."""

from __future__ import annotations

import types
from collections.abc import Mapping as Names
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .fields import MisplacedValue
from .located import Mapping, Mark, Node, Problem, Scalar, Sequence
from .model import EXPANDED_KEYS
from .nearest import nearest, unknown
from .normal_form import INTERNAL
from .step import (
    LOCATOR_KEYS,
    STEP_LISTS,
    STEP_TYPES,
    BaseStep,
    WaitingStep,
    no_timeout,
)

Location = tuple[str | int, ...]


def problems_of(error: ValidationError, root: Mapping, model: type[BaseModel]) -> list[Problem]:
    """One problem for each error that pydantic found in `root`."""
    found = [
        (details, _location(details))
        for details in error.errors()
        if not _said_already(details, _location(details), root)
    ]
    unknown_keys: dict[Location, list[str]] = {}
    for details, location in found:
        if details["type"] == "extra_forbidden":
            unknown_keys.setdefault(location[:-1], []).append(str(location[-1]))
    return [
        _problem(details, location, root, model)
        for details, location in found
        if details["type"] != "missing"
        or not _misspelt(str(location[-1]), location[:-1], unknown_keys)
    ]


def _misspelt(missing: str, owner: Location, unknown_keys: Names[Location, list[str]]) -> bool:
    """True where a key that is missing stands there under a name that is reported itself."""
    found = unknown_keys.get(owner, [])
    return bool(found) if owner else any(nearest(name, [missing]) for name in found)


def _location(details: ErrorDetails) -> Location:
    """Where the error is in the tree: without the kind pydantic puts behind a step's number."""
    parts: list[str | int] = []
    for index, part in enumerate(details["loc"]):
        tag = index >= 2 and isinstance(details["loc"][index - 1], int)
        if tag and details["loc"][index - 2] in STEP_LISTS and part in STEP_TYPES:
            continue
        parts.append(part)
    cause = details.get("ctx", {}).get("error")
    return (*parts, *cause.where) if isinstance(cause, MisplacedValue) else tuple(parts)


def _said_already(details: ErrorDetails, location: Location, root: Mapping) -> bool:
    """True for what only follows from a problem that has its own line."""
    owner = _node(root, location[:-1])
    if location and isinstance(owner, Mapping) and location[-1] in owner.left_out:
        return True
    node = _node(root, location)
    # What several keys have to do with one another is not known while one is refused.
    misplaced = isinstance(details.get("ctx", {}).get("error"), MisplacedValue)
    whole = owner if misplaced else node
    if details["type"] == "value_error" and isinstance(whole, Mapping) and whole.left_out:
        return True
    # Items that are wrong do not count for pydantic; they are named themselves.
    return details["type"] == "too_short" and isinstance(node, Sequence) and bool(node.items)


def _problem(
    details: ErrorDetails, location: Location, root: Mapping, model: type[BaseModel]
) -> Problem:
    name = str(location[-1]) if location else ""
    if details["type"] == "extra_forbidden":
        if name in STEP_TYPES and len(location) == 3 and location[0] == "phases":
            text = f"'{name}' is a step; a phase has its steps under 'steps'"
        elif name == "timeout" and (kind := _kind_without_timeout(root, location)):
            text = no_timeout(kind)
        else:
            text = unknown("key", name, _allowed(root, model, location[:-1]))
        return Problem(_key_mark(root, location), text)
    if details["type"] == "missing":
        owner = _describe(root, location[:-1])
        return Problem(_value_mark(root, location[:-1]), f"{owner} needs '{name}'")
    text = _sentence(details, _node(root, location), _subject(root, location))
    return Problem(_value_mark(root, location), text)


def _kind_without_timeout(root: Node, location: Location) -> str:
    """The step that holds what is at `location`, if it takes no timeout; else ""."""
    for end in range(len(location) - 1, 0, -1):
        node = _node(root, location[:end])
        kind = node.get("kind") if isinstance(node, Mapping) else None
        if isinstance(kind, Scalar) and kind.text in STEP_TYPES:
            return "" if issubclass(STEP_TYPES[kind.text], WaitingStep) else kind.text
    return ""


_OWN_SUBJECT = (
    "phase ", "a move ", "a drag ", "a scroll", "a repeat ", "a condition", "an element",
    "an expectation", "'timeout' ",
)  # fmt: skip


def _sentence(details: ErrorDetails, node: Node | None, what: str) -> str:
    kind = details["type"]
    shown = _shown(node)
    if kind == "value_error":
        text = str(details["ctx"]["error"])
        # A sentence that starts with its own subject needs no other.
        return text if text.startswith(_OWN_SUBJECT) else f"{what}: {text}"
    if kind == "literal_error":
        allowed = [word.strip("'") for word in _words(details["ctx"]["expected"])]
        return f"{what}: {unknown('value', str(details['input']), allowed)}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{what}: {shown} is not a mapping of keys{_hint(what)}"
    if kind in ("tuple_type", "list_type"):
        return f"{what}: {shown} is not a list{_hint(what)}"
    if kind == "string_type":
        return f"{what}: {shown} is not a text"
    if kind == "too_short":
        return f"{what}: the list is empty"
    if kind == "string_too_short":
        return f"{what}: is empty"
    if kind == "string_too_long":
        return f"{what}: longer than {details['ctx']['max_length']} characters"
    return f"{what}: {shown}: {details['msg']}"


_ELEMENT = "; write it as '{role: button, name: Play}'"


def _hint(what: str) -> str:
    return {
        "viewport": "; write it as '1280x720'",
        "resize": "; write it as '1280x720'",
        "network": "; write it as '{latency: 50ms}'",
        "encoder": "; write it as '{qp: 23}'",
        **dict.fromkeys(("ready", "visible", "hidden", "reload", "back"), _ELEMENT),
        **dict.fromkeys(("from", "to", "into", "at", "of"), _ELEMENT),
        **dict.fromkeys(("if", "until"), "; write it as '{visible: \"text=Play\"}'"),
        "phases": "; write each phase as '- phase: NAME'",
        "steps": "; write each step as '- click: \"text=Play\"'",
        "clips": "; write it as '[bigbuckbunny]'",
        "phase": "; write it as '- phase: NAME'",
        "shares": "; write it as '{unchanged: \">= 90%\"}'",
        "counts": "; write it as '{changed: \"<= 5\"}'",
        "expect": "; write it as '{dropped: 0}'",
        "tags": "; write it as '[player, slow]'",
        "page": "; write each as '- text: Results'",
        "then": "; write each step as '- click: \"text=Play\"'",
        "else": "; write each step as '- click: \"text=Play\"'",
    }.get(what, "")


def _shown(node: Node | None) -> str:
    if isinstance(node, Scalar):
        return f"'{node.text}'"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def _name(location: Location) -> str:
    """The nearest key above; an entry of a list is named in the singular."""
    words = [part for part in location if isinstance(part, str)]
    if not words:
        return "scenario"
    if isinstance(location[-1], int):
        singular = {"phases": "phase", "clips": "clip", "tags": "tag"} | dict.fromkeys(
            STEP_LISTS, "step"
        )
        return singular.get(words[-1], words[-1])
    return words[-1]


def _words(expected: str) -> list[str]:
    return expected.replace(" or ", ", ").split(", ")


def _subject(root: Node, location: Location) -> str:
    """The key as the file has it: in a step's short form the step's own name."""
    step = _node(root, location[:-1])
    if isinstance(step, Mapping) and isinstance(kind := step.get("kind"), Scalar):
        entry = step.entries.get(str(location[-1]))
        if entry and entry.key_mark == step.mark:
            return kind.text
    return _name(location)


def _node(root: Node, location: Location) -> Node | None:
    node: Node | None = root
    for part in location:
        if isinstance(node, Mapping):
            node = node.get(str(part))
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return None
    return node


def _value_mark(root: Node, location: Location) -> Mark:
    """Of the value, or of the nearest thing around it that stands in the file."""
    for end in range(len(location), -1, -1):
        node = _node(root, location[:end])
        if node is not None:
            return node.mark
    return Mark()


def _key_mark(root: Node, location: Location) -> Mark:
    owner = _node(root, location[:-1])
    entry = owner.entries.get(str(location[-1])) if isinstance(owner, Mapping) else None
    return entry.key_mark if entry else _value_mark(root, location)


def _describe(root: Node, location: Location) -> str:
    if not location:
        return "a scenario"
    node = _node(root, location)
    if isinstance(node, Mapping) and (kind := node.get("kind")) and isinstance(kind, Scalar):
        return f"step '{kind.text}'"
    name = _name(location)
    return f"a {name}" if isinstance(location[-1], int) else f"'{name}'"


def _allowed(root: Node, model: type[BaseModel], location: Location) -> list[str]:
    """The keys that the mapping at `location` may have."""
    owner = _owner(root, model, location)
    names = [name for name in _field_types(owner) if name not in INTERNAL]
    if issubclass(owner, BaseStep):  # the step's own words before what every step has
        names.sort(key=lambda name: (name in WaitingStep.model_fields, name in LOCATOR_KEYS))
    return [*names, "steps", "wait", *EXPANDED_KEYS] if owner is model else names


def _owner(root: Node, model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The model of the mapping at `location`."""
    owner = model
    node: Node | None = root
    for at, part in enumerate(location):
        node = _node(root, location[: at + 1])
        kind = node.get("kind") if isinstance(node, Mapping) else None
        if isinstance(part, int):
            if isinstance(kind, Scalar) and kind.text in STEP_TYPES:
                owner = STEP_TYPES[kind.text]
        else:
            models = _models_in(_field_types(owner)[part])
            owner = models[0] if models else owner
    return owner


def _field_types(model: type[BaseModel]) -> Names[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple):
        return [found for part in get_args(annotation) for found in _models_in(part)]
    return []
