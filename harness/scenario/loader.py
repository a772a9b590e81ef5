"""Loads a scenario file, or says everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from ..errors import ScenarioError
from .address import is_url, path_of
from .expansion import Case, expand
from .located import (
    MAX_BYTES,
    Mark,
    Node,
    Problem,
    Scalar,
    Sequence,
    Unreadable,
    plain,
    read_tree,
)
from .located import Mapping as Tree
from .model import Scenario
from .nearest import nearest
from .normal_form import normal_form
from .problems import problems_of
from .step import STEP_LISTS

REMEDY = "correct the file; docs/scenarios.md describes every key"
PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
MEDIA_PREFIX = "media/"  # served by the harness, not from the site's folder


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
    cases, more = expand(root, absolute, overrides or {})
    problems += more
    scenarios = []
    for case in cases:
        scenario, found = _scenario_of(case, absolute)
        problems += found
        if scenario is not None:
            scenarios.append(scenario)
    if problems:
        raise _error(path, problems)
    return tuple(scenarios)


def _scenario_of(case: Case, path: Path) -> tuple[Scenario | None, list[Problem]]:
    tree, problems = normal_form(case.tree, path)
    scenario = None
    given = {**plain(tree), "case": case.values, "variables": case.variables}
    try:
        scenario = Scenario.model_validate(given)
    except ValidationError as error:
        problems += problems_of(error, tree, Scenario)
    return scenario, problems + _site_problems(tree, path) + _file_problems(tree, path)


def assignment(text: str) -> tuple[str, str]:
    """Name and value of `NAME=VALUE`, as the command line gives variables.

    Raises ValueError, which argparse turns into its own message.
    """
    name, sign, value = text.partition("=")
    if not sign or not name.isidentifier():
        raise ValueError(f"'{text}' is not NAME=VALUE")
    return name, value


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
        names = [p.name for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        near = nearest(path.name, names)
        hint = f"; did you mean '{near}'?" if near else ""
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
    return ScenarioError("\n".join(lines), REMEDY)


def _site_problems(root: Tree, path: Path) -> list[Problem]:
    """A missing site folder, or a page that is opened and not in it."""
    written = root.get("site")
    if written is not None and (not isinstance(written, Scalar) or not written.text.strip()):
        return []
    name = written.text if isinstance(written, Scalar) else "."
    if Path(name).is_absolute() or "\0" in name:
        return []
    folder = (path.parent / name).resolve()
    if not folder.is_dir():
        mark = written.mark if written else Mark()
        siblings = [entry.name for entry in path.parent.iterdir() if entry.is_dir()]
        near = nearest(name, siblings)
        hint = f"; did you mean '{near}'?" if near else ""
        return [Problem(mark, f"site: there is no folder '{name}' beside the scenario{hint}")]
    return [
        problem
        for address in _addresses(root)
        if (problem := _page_problem(address, folder)) is not None
    ]


def _file_problems(root: Tree, path: Path) -> list[Problem]:
    """Files that the scenario names and that are not there."""
    written = root.get("storage_state")
    if not isinstance(written, Scalar) or not written.text.strip():
        return []
    file = path.parent / written.text
    if file.is_file():
        return []
    near = nearest(file.name, [p.name for p in file.parent.glob("*.json")])
    hint = f"; did you mean '{near}'?" if near else ""
    text = f"storage_state: there is no file '{written.text}' beside the scenario{hint}"
    return [Problem(written.mark, text)]


def _addresses(root: Tree) -> list[Scalar]:
    """What the scenario opens, as written."""
    found = [root.get("open")]
    for phase in _items(root.get("phases")):
        found += _opened(phase.get("steps") if isinstance(phase, Tree) else None)
    return [address for address in found if isinstance(address, Scalar)]


def _opened(steps: Node | None) -> list[Node | None]:
    found = []
    for step in _items(steps):
        if isinstance(step, Tree):
            found.append(step.get("url"))
            for inner in STEP_LISTS:
                found += _opened(step.get(inner))
    return found


def _items(node: Node | None) -> list[Node]:
    """A sequence's items; nothing for anything else."""
    return list(node.items) if isinstance(node, Sequence) else []


def _page_problem(address: Scalar, folder: Path) -> Problem | None:
    """Only for names that must be files; other paths may be the site's own routes."""
    try:
        if is_url(address.text):
            return None
        name = path_of(address.text)
    except ValueError:
        return None
    if not name.endswith(PAGE_SUFFIXES) or name.startswith(MEDIA_PREFIX) or "\0" in name:
        return None
    if (folder / name).is_file():
        return None
    pages = [page.name for page in (folder / name).parent.glob("*.html")]
    near = nearest(Path(name).name, pages)
    hint = f"; did you mean '{near}'?" if near else ""
    return Problem(address.mark, f"open: the site has no page '{name}'{hint}")
