"""The matrix: which combinations of values one file makes tests of."""

from __future__ import annotations

import itertools
import math

from .findings import Findings
from .located import Mapping, Mark, Node, Scalar, Sequence
from .variables import is_name, named_values

MAX_CASES = 256


def combinations(
    node: Node | None, marks: dict[str, Mark], findings: Findings
) -> list[dict[str, Scalar]]:
    """The combinations; one empty one without a matrix. `marks` gets the parameters."""
    if isinstance(node, Mapping):
        return _product(node, marks, findings)
    if isinstance(node, Sequence):
        return _listed(node, marks, findings) or [{}]
    if node is not None:
        findings.report(node.mark, "matrix: write it as '{fps: [24, 30]}', or as a list of cases")
        findings.unread = True
    return [{}]


def _product(node: Mapping, marks: dict[str, Mark], findings: Findings) -> list[dict[str, Scalar]]:
    choices: list[list[tuple[str, Scalar]]] = []
    findings.refused |= node.left_out
    for name, entry in node.entries.items():
        values = entry.value
        if not is_name(name, entry.key_mark, "parameter", findings):
            continue
        if not isinstance(values, Sequence) or not values.items:
            shown = values.text if isinstance(values, Scalar) else "24, 30"
            findings.report(
                values.mark,
                f"the matrix's '{name}' must be a list of values, such as '[{shown}]'",
            )
            findings.refused.add(name)
            continue
        marks[name] = entry.key_mark
        choices.append([(name, value) for value in _values(name, values, findings)])
    if not node.entries and not node.left_out:
        findings.report(node.mark, "the matrix has no parameter")
    count = math.prod(len(values) for values in choices)
    if _too_many(count, node.mark, findings):
        choices = [values[:1] for values in choices]
    return [dict(combination) for combination in itertools.product(*choices)]


def _values(name: str, values: Sequence, findings: Findings) -> list[Scalar]:
    found: dict[str, Scalar] = {}
    for value in values.items:
        if not isinstance(value, Scalar):
            findings.report(value.mark, f"a value of the matrix's '{name}' must be one value")
        elif value.text in found:
            findings.report(value.mark, f"the matrix's '{name}' has '{value.text}' twice")
        else:
            found[value.text] = value
    if not found:
        findings.refused.add(name)
    return list(found.values())


def _listed(node: Sequence, marks: dict[str, Mark], findings: Findings) -> list[dict[str, Scalar]]:
    if not node.items:
        findings.report(node.mark, "the matrix has no case")
    found: dict[tuple[tuple[str, str], ...], dict[str, Scalar]] = {}
    wanted: set[str] = set()
    for item in node.items:
        if not isinstance(item, Mapping):
            findings.report(item.mark, "a case of the matrix is written as '{fps: 24, size: 720p}'")
            findings.unread = True
            continue
        case = {}
        for name, value, mark in named_values(item, "parameter", findings):
            case[name] = value
            marks.setdefault(name, mark)
        names = {*case, *item.left_out}
        wanted = wanted or names
        key = tuple(sorted((name, value.text) for name, value in case.items()))
        if names != wanted:
            known = ", ".join(sorted(wanted))
            findings.report(item.mark, f"a case of the matrix has other parameters than {known}")
        elif key in found:
            findings.report(item.mark, "a case of the matrix stands twice")
        else:
            found[key] = case
    if _too_many(len(found), node.mark, findings):
        return list(found.values())[:1]
    return list(found.values())


def _too_many(count: int, mark: Mark, findings: Findings) -> bool:
    if count > MAX_CASES:
        findings.report(mark, f"the matrix has {count} cases, over {MAX_CASES}")
    return count > MAX_CASES
