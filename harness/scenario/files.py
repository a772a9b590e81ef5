"""What a scenario needs to find beside it: its site, the pages it opens, its logins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import ScenarioError
from .address import is_url, path_of
from .located import Mapping, Mark, Node, Problem, Scalar, Sequence
from .model import KEYS
from .nearest import nearest
from .step import STEP_LISTS
from .storage_state import StorageState

PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
MEDIA_PREFIX = "media/"  # served by the harness, not from the site's folder


def file_problems(root: Mapping, path: Path) -> list[Problem]:
    """What the scenario in `path` (absolute) names, and what is not there. Never raises."""
    return [*_site_problems(root, path), *_storage_problems(root, path)]


def near_file(path: Path, pattern: str) -> str:
    """`; did you mean 'home.yaml'?` where a file beside `path` is named like it, else ""."""
    try:
        names = [other.name for other in path.parent.glob(pattern)]
    except OSError:  # a name that is too long for a folder
        return ""
    near = nearest(path.name, names)
    return f"; did you mean '{near}'?" if near else ""


def _site_problems(root: Mapping, path: Path) -> list[Problem]:
    """A missing site folder, or a page that is opened and not in it."""
    written = root.get("site")
    if written is not None and (not isinstance(written, Scalar) or not written.text.strip()):
        return []
    misspelt = any(nearest(key, ["site"]) for key in root.entries if key not in KEYS)
    if misspelt or "site" in root.left_out:
        return []
    name = written.text if isinstance(written, Scalar) else "."
    if Path(name).is_absolute():
        return []
    folder = path.parent / name
    if not _is(folder, Path.is_dir):
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


def _storage_problems(root: Mapping, path: Path) -> list[Problem]:
    written = root.get("storage_state")
    if not isinstance(written, Scalar) or not written.text.strip():
        return []
    file = path.parent / written.text
    if not _is(file, Path.is_file):
        hint = near_file(file, "*.json")
        text = f"there is no file '{written.text}' beside the scenario{hint}"
        return [Problem(written.mark, f"storage_state: {text}")]
    try:
        StorageState.read(file)
    except ScenarioError as error:
        return [Problem(written.mark, f"storage_state: {error.message}; {error.remedy}")]
    return []


def _is(path: Path, asked: Callable[[Path], bool]) -> bool:
    try:
        return asked(path)
    except (OSError, ValueError, RuntimeError):  # a name too long, a link to itself
        return False


def _addresses(root: Mapping) -> list[Scalar]:
    """What the scenario opens, as written."""
    found = [root.get("open")]
    for phase in _items(root.get("phases")):
        found += _opened(phase.get("steps") if isinstance(phase, Mapping) else None)
    return [address for address in found if isinstance(address, Scalar)]


def _opened(steps: Node | None) -> list[Node | None]:
    found = []
    for step in _items(steps):
        if isinstance(step, Mapping):
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
    if _is(folder / name, Path.is_file):
        return None
    hint = near_file(folder / name, "*.html")
    return Problem(address.mark, f"open: the site has no page '{name}'{hint}")
