"""One file becomes one tree a case: includes, matrix, templates, variables.

Expansion comes before the short forms are written out and the model reads anything. Places
are kept, also those in included files. What is wrong is reported once, and what hangs on it is
left out without a word.
"""

from __future__ import annotations

from collections.abc import Mapping as Names
from dataclasses import dataclass
from pathlib import Path

from .findings import Findings
from .includes import Includes
from .located import Entry, Mapping, Mark, Node, Problem, Scalar, Sequence
from .matrix import combinations
from .model import EXPANDED_KEYS, KEYS
from .nearest import nearest
from .templates import Templates
from .variables import Filler, Scope, TooLarge, variables_of


@dataclass(frozen=True)
class Case:
    """One combination of the matrix: its values by parameter (none without a matrix), what
    every variable stood for, and the tree with all of it filled in."""

    values: tuple[tuple[str, str], ...]
    variables: tuple[tuple[str, str], ...]
    tree: Mapping


@dataclass(frozen=True)
class Expansion:
    """The cases in the matrix's order, what is wrong, and what is there and does nothing:
    wrong as well, where nothing else is that may be the reason."""

    cases: list[Case]
    problems: list[Problem]
    unused: list[Problem]


def expand(root: Mapping, path: Path, overrides: Names[str, str]) -> Expansion:
    """Fills in what the scenario's own file and those that it includes define. Never raises.

    `path` is the scenario's file, absolute. `overrides` replaces variables and, for a
    matrix parameter, all of its values; names that the scenario does not have are ignored.
    """
    findings = Findings()
    misspelt = {nearest(key, EXPANDED_KEYS) for key in root.entries if key not in KEYS}
    if {*EXPANDED_KEYS} & (root.left_out | misspelt):
        findings.unread = True
    templates = Templates(findings)
    defaults = Includes(findings, templates).variables(root, path)
    own = variables_of(root.get("variables"), findings)
    inherited = set(templates.found)
    templates.collect(root.get("templates"))
    rest = Mapping(
        {key: entry for key, entry in root.entries.items() if key not in EXPANDED_KEYS},
        root.mark,
        root.left_out,
    )
    filler = Filler(findings, overrides)
    cases: dict[tuple[tuple[str, str], ...], Case] = {}
    parameters: dict[str, Mark] = {}
    try:
        for values in combinations(root.get("matrix"), parameters, findings):
            raw = {**defaults, **own, **values}
            for name in overrides.keys() & raw.keys():
                raw[name] = Scalar(overrides[name], raw[name].mark)
            case = _case(rest, Scope(raw), tuple(values), templates, filler)
            cases.setdefault(case.values, case)  # overrides may make several alike
    except TooLarge as error:
        findings.report(root.mark, str(error))
        return Expansion([], findings.problems, [])
    unused = []
    for name, mark in parameters.items():
        if name not in filler.used:
            where = f"write ${{{name}}} where its value goes"
            unused.append(Problem(mark, f"the matrix's '{name}' is used nowhere; {where}"))
    for name, template in templates.found.items():
        if name not in templates.placed | inherited:
            mark = template.tree.entries["phase"].value.mark
            where = f"place it among the phases with '- use: {name}'"
            unused.append(Problem(mark, f"the template '{name}' is used nowhere; {where}"))
    return Expansion(list(cases.values()), findings.problems, unused)


def _case(
    rest: Mapping,
    scope: Scope,
    parameters: tuple[str, ...],
    templates: Templates,
    filler: Filler,
) -> Case:
    resolved = {name: filler.value(name, scope) for name in scope.raw}
    texts = {name: value.text for name, value in resolved.items() if value is not None}
    values = tuple((name, texts.get(name, "")) for name in parameters)
    return Case(values, tuple(texts.items()), _tree(rest, scope, templates, filler))


def _tree(root: Mapping, scope: Scope, templates: Templates, filler: Filler) -> Mapping:
    """The scenario with templates in their places and variables filled in."""
    phases = root.entries.get("phases")
    rest = {key: entry for key, entry in root.entries.items() if key != "phases"}
    filled = filler.filled_tree(Mapping(rest, root.mark, root.left_out), scope)
    if phases is None:
        return filled
    if isinstance(phases.value, Sequence):
        found = [templates.placed_phase(item, scope, filler) for item in phases.value.items]
        items = tuple(item for item in found if item is not None)
        value: Node | None = Sequence(items, phases.value.mark)
    else:
        value = filler.filled(phases.value, scope)
    if value is None:
        return Mapping(filled.entries, root.mark, filled.left_out | {"phases"})
    entries = {**filled.entries, "phases": Entry(phases.key_mark, value)}
    return Mapping(
        {key: entries[key] for key in root.entries if key in entries},
        root.mark,
        filled.left_out,
    )
