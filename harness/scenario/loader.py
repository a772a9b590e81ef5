"""Loads a scenario file, or says everything that is wrong with it at once."""

from __future__ import annotations

import argparse
import functools
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from ..errors import ScenarioError
from ..site_folder import links_out
from .expansion import Case, expand
from .files import Links, file_problems, near_file
from .located import (
    MAX_BYTES,
    Mark,
    Problem,
    Unreadable,
    plain,
    read_tree,
)
from .located import Mapping as Tree
from .model import Scenario
from .nearest import unknown
from .normal_form import normal_form
from .problems import problems_of

REMEDY = "correct the file; docs/scenarios.md describes every key"
MOST_PROBLEMS = 100  # lines of one error
LONGEST_NAME = 150  # bytes of a case's folder


def load_scenario(path: Path, overrides: Mapping[str, str] | None = None) -> Scenario:
    """The one scenario in `path`, with every short form written out.

    Raises ScenarioError as load_scenarios does, and where a matrix makes several.
    """
    scenarios = load_scenarios(path, overrides)
    if len(scenarios) > 1:
        raise ScenarioError(
            f"{display_path(path)}: its matrix makes {len(scenarios)} scenarios, one is wanted",
            "load them with load_scenarios, or set the matrix's parameters",
        )
    return scenarios[0]


def load_scenarios(path: Path, overrides: Mapping[str, str] | None = None) -> tuple[Scenario, ...]:
    """The scenario in `path`: one, or one for each case of its matrix.

    `overrides` sets variables; those that the scenario does not have are ignored.

    Raises ScenarioError with one line for each problem, as
    `scenarios/x.yaml:12:9: unknown step 'clik'; did you mean 'click'? ...`.
    """
    try:
        root, problems = read_tree(_read(path))
    except Unreadable as unreadable:
        raise _error(path, [unreadable.problem]) from None
    absolute = path.resolve()
    if not isinstance(root, Tree):
        raise _error(path, problems + normal_form(root, absolute)[1])
    expansion = expand(root, absolute, overrides or {})
    problems += expansion.problems
    scenarios = []
    links = functools.cache(links_out)  # most cases have one site
    said: set[Mark] = set()
    for case in expansion.cases:
        scenario, found = _scenario_of(case, absolute, links)
        # One place is wrong in many cases, and its sentence may name each case's values.
        problems += [problem for problem in found if problem.mark not in said]
        said |= {problem.mark for problem in found}
        if scenario is not None:
            scenarios.append(scenario)
    problems += _name_problems(root, scenarios)
    if problems or expansion.unused:
        raise _error(path, problems or expansion.unused)
    return tuple(scenarios)


def _scenario_of(case: Case, path: Path, links: Links) -> tuple[Scenario | None, list[Problem]]:
    tree, problems = normal_form(case.tree, path)
    scenario = None
    given = {**plain(tree), "case": case.values, "variables": case.variables}
    try:
        scenario = Scenario.model_validate(given, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += problems_of(error, tree, Scenario)
    return scenario, problems + file_problems(tree, path, links)


def _name_problems(root: Tree, scenarios: list[Scenario]) -> list[Problem]:
    """Cases are told apart by names that must do for tests and folders."""
    matrix = root.get("matrix") or root
    names: dict[str, Scenario] = {}
    problems = []
    for scenario in scenarios if len(scenarios) > 1 else []:
        name = scenario.folder_name
        values = ", ".join(f"{parameter}={value}" for parameter, value in scenario.case)
        if name in names:
            other = ", ".join(f"{parameter}={value}" for parameter, value in names[name].case)
            problem = (
                f"the cases {other} and {values} would have one name, '{name}'; "
                "let them differ in letters or digits"
            )
        elif len(os.fsencode(name)) > LONGEST_NAME:
            problem = (
                f"the case {values[:60]}... has a name of more than {LONGEST_NAME} bytes; "
                "give the parameter short values, and put long ones under 'variables'"
            )
        else:
            names[name] = scenario
            continue
        problems.append(Problem(matrix.mark, problem))
    return problems


def require_own_folders(scenarios: Iterable[Scenario]) -> None:
    """Raises ScenarioError where two files' scenarios have one name: the second one's recording,
    or tape, would replace the first one's."""
    paths: dict[str, Path] = {}
    for scenario in scenarios:
        other = paths.setdefault(scenario.folder_name, scenario.path)
        if other != scenario.path:
            raise ScenarioError(
                f"{display_path(other)} and {display_path(scenario.path)} would both be recorded "
                f"in the folder '{scenario.folder_name}'",
                "rename one of the files, or run them apart",
            )


def assignment(text: str) -> tuple[str, str]:
    """Name and value of `NAME=VALUE`, as the command line gives variables.

    Raises ArgumentTypeError: of a ValueError argparse would not say what it says.
    """
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=VALUE")
    return name, value


def unknown_variable(names: Iterable[str], scenarios: Iterable[Scenario]) -> str | None:
    """A sentence about the first of `names` that is a variable of no scenario, or None."""
    known = sorted({name for scenario in scenarios for name, _ in scenario.variables})
    for name in names:
        if name not in known:
            if not known:
                return f"'{name}' is set, but there are no variables"
            return unknown("variable", name, known)
    return None


def display_path(path: Path) -> str:
    """`path` as messages print it: relative to the working directory when inside it."""
    absolute = path.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


def _read(path: Path) -> str:
    """Raises ScenarioError when there is no such file, Unreadable when it is no text."""
    shown = display_path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = near_file(path, "*.yaml")
        raise ScenarioError(f"{shown}: no such file{hint}", "name a scenario file") from None
    except OSError as error:
        raise ScenarioError(f"{shown}: {error.strerror}", "name a readable scenario file") from None
    if len(data) > MAX_BYTES:
        raise Unreadable(Problem(Mark(), f"larger than {MAX_BYTES >> 20} MiB"))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise Unreadable(
            Problem(Mark(line), f"not UTF-8: byte 0x{data[error.start]:02x}")
        ) from None


def _error(path: Path, problems: list[Problem]) -> ScenarioError:
    lines = []
    for problem in sorted(set(problems), key=lambda p: (p.mark.file, p)):
        file = Path(problem.mark.file) if problem.mark.file else path
        where = f"{display_path(file)}:{problem.mark.line}:{problem.mark.column}"
        lines.append(f"{where}: {problem.text}")
    if len(lines) > MOST_PROBLEMS:
        lines[MOST_PROBLEMS:] = [f"{display_path(path)}: and {len(lines) - MOST_PROBLEMS} more"]
    return ScenarioError("\n".join(lines), REMEDY)
