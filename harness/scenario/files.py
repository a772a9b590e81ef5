"""What a scenario needs to find beside it: its site, the pages it opens, its logins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import ScenarioError
from ..site_folder import file_at, leads_out, links_out
from .address import is_url, path_of
from .located import Mapping, Mark, Node, Problem, Scalar, Sequence
from .model import KEYS
from .nearest import nearest
from .step import STEP_LISTS
from .storage_state import StorageState

PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
MEDIA_PREFIX = "media/"  # served by the harness, not from the site's folder
_NOT_FOLLOWED = "which the server does not follow"
Links = Callable[[Path], tuple[str, ...]]


def file_problems(root: Mapping, path: Path, links: Links = links_out) -> list[Problem]:
    """What the scenario in `path` (absolute) names, and what is not there or not served.
    `links` gives the links that lead out of a site's folder. Never raises."""
    return [*_site_problems(root, path, links), *_storage_problems(root, path)]


def near_file(path: Path, pattern: str) -> str:
    """`; did you mean 'home.yaml'?` where a file beside `path` is named like it, else ""."""
    try:
        names = [other.name for other in path.parent.glob(pattern) if other.name != path.name]
    except OSError:  # a name that is too long for a folder
        return ""
    near = nearest(path.name, names)
    return f"; did you mean '{near}'?" if near else ""


def _site_problems(root: Mapping, path: Path, links: Links) -> list[Problem]:
    """A missing site folder, a page that is opened and not in it, what a link keeps out of it."""
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
    site = folder.resolve()
    # A folder that holds the scenario itself is not the site's alone: of its links only those
    # matter that the scenario opens.
    out = () if written is None or path.is_relative_to(site) else links(site)
    problems = [
        Problem(
            written.mark if written else Mark(),
            f"site: '{link}' in it is a link that leads out of it, {_NOT_FOLLOWED}; "
            "put what it names into the folder",
        )
        for link in out
    ]
    for address in _addresses(root):
        problem = _page_problem(address, site, linked=not out)
        problems += [problem] if problem else []
    return problems


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


def _page_problem(address: Scalar, site: Path, *, linked: bool) -> Problem | None:
    """Only for names that must be files; other paths may be the site's own routes. `linked`:
    also for one behind a link that leads out."""
    try:
        if is_url(address.text):
            return None
        name = path_of(address.text)
    except ValueError:
        return None
    if not name.endswith(PAGE_SUFFIXES) or name.startswith(MEDIA_PREFIX) or "\0" in name:
        return None
    if file_at(site, name) is not None:
        return None
    if leads_out(site, name):
        text = f"open: '{name}' is behind a link that leads out of the site, {_NOT_FOLLOWED}"
        return Problem(address.mark, f"{text}; put the page itself there") if linked else None
    hint = near_file(site / name, "*.html")
    return Problem(address.mark, f"open: the site has no page '{name}'{hint}")
