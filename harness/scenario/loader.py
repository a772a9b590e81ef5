"""Loads a scenario file, or says everything that is wrong with it at once."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from ..errors import ScenarioError
from .address import is_url, path_of
from .located import (
    MAX_BYTES,
    Mapping,
    Mark,
    Node,
    Problem,
    Scalar,
    Sequence,
    Unreadable,
    plain,
    read_tree,
)
from .model import Scenario
from .nearest import nearest
from .normal_form import normal_form
from .problems import problems_of

REMEDY = "correct the file; docs/scenarios.md describes every key"
PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
MEDIA_PREFIX = "media/"  # served by the harness, not from the site's folder


def load_scenario(path: Path) -> Scenario:
    """The scenario in `path`, with every short form written out.

    Raises ScenarioError with one line for each problem, as
    `scenarios/x.yaml:12:9: unknown step 'clik'; did you mean 'click'? ...`.
    """
    try:
        root, problems = read_tree(_read(path))
    except Unreadable as unreadable:
        raise _error(path, [unreadable.problem]) from None
    scenario_tree, more = normal_form(root, path.resolve())
    problems += more
    scenario = None
    if not isinstance(root, Mapping):
        raise _error(path, problems)
    try:
        scenario = Scenario.model_validate(plain(scenario_tree))
    except ValidationError as error:
        problems += problems_of(error, scenario_tree, Scenario)
    problems += _site_problems(scenario_tree, path.resolve())
    if problems or scenario is None:
        raise _error(path, problems)
    return scenario


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
    shown = display_path(path)
    lines = [f"{shown}:{p.mark.line}:{p.mark.column}: {p.text}" for p in sorted(set(problems))]
    return ScenarioError("\n".join(lines), REMEDY)


def _site_problems(root: Mapping, path: Path) -> list[Problem]:
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


def _addresses(root: Mapping) -> list[Scalar]:
    """What the scenario opens, as written."""
    found = [root.get("open")]
    phases = _items(root.get("phases"))
    for phase in phases:
        steps = _items(phase.get("steps")) if isinstance(phase, Mapping) else []
        found += [step.get("url") for step in steps if isinstance(step, Mapping)]
    return [address for address in found if isinstance(address, Scalar)]


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
