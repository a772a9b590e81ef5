"""Files that a scenario includes: their variables and templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .files import near_file
from .findings import Findings
from .located import (
    MAX_BYTES,
    Mapping,
    Mark,
    Problem,
    Scalar,
    Sequence,
    Unreadable,
    read_tree,
)
from .model import INCLUDED_KEYS
from .nearest import unknown
from .templates import Templates
from .variables import variables_of

MAX_INCLUDES = 32
_SCENARIO_KEYS = ("open", "phases", "steps", "wait")


@dataclass
class Includes:
    """Reads included files, each once; their templates go into `templates`."""

    findings: Findings
    templates: Templates
    _files: set[Path] = field(default_factory=set, init=False)

    def variables(
        self, root: Mapping, path: Path, above: tuple[Path, ...] = ()
    ) -> dict[str, Scalar]:
        """Reads what `root`, the tree of the file `path`, includes: the variables' values from
        there. `above` are the files that include it."""
        node = root.get("include")
        if node is None:
            return {}
        names = node.items if isinstance(node, Sequence) else (node,)
        found: dict[str, Scalar] = {}
        for name in names:
            if not isinstance(name, Scalar):
                self.findings.report(
                    name.mark, "include: write it as a file's name, or a list of names"
                )
                self.findings.unread = True
                continue
            found |= self._included(name, path, (*above, path))
        return found

    def _included(self, name: Scalar, path: Path, above: tuple[Path, ...]) -> dict[str, Scalar]:
        problem, tree, file = "", None, path
        if not name.text.strip() or Path(name.text).is_absolute():
            problem = f"include: '{name.text}' must be a file beside this one"
        else:
            try:
                file = (path.parent / name.text).resolve()
            except (OSError, RuntimeError) as error:  # a link that leads to itself
                problem = f"include: '{name.text}': {error}"
        if not problem:
            if file in above:
                problem = f"include: '{name.text}' includes itself"
            elif file in self._files:
                return {}
            elif len(self._files) >= MAX_INCLUDES:
                problem = f"include: more than {MAX_INCLUDES} files"
        if problem:
            self.findings.report(name.mark, problem)
        else:
            self._files.add(file)
            tree = self._read(file, name)
        if tree is None:
            self.findings.unread = True
            return {}
        if set(INCLUDED_KEYS) & tree.left_out:
            self.findings.unread = True
        inherited = self.variables(tree, file, above)
        own = {**inherited, **variables_of(tree.get("variables"), self.findings)}
        self.templates.collect(tree.get("templates"))
        return own

    def _read(self, file: Path, name: Scalar) -> Mapping | None:
        try:
            if file.exists() and not file.is_file():  # a pipe would be waited for
                self.findings.report(name.mark, f"include: '{name.text}' is no file")
                return None
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
        except FileNotFoundError:
            hint = near_file(file, "*.y*ml")
            self.findings.report(name.mark, f"include: there is no file '{name.text}'{hint}")
            return None
        except OSError as error:
            self.findings.report(name.mark, f"include: '{name.text}': {error.strerror}")
            return None
        try:
            if len(data) > MAX_BYTES:
                raise Unreadable(
                    Problem(Mark(file=str(file)), f"larger than {MAX_BYTES >> 20} MiB")
                )
            root, problems = read_tree(data.decode("utf-8-sig"), str(file))
        except UnicodeDecodeError:
            self.findings.report(name.mark, f"include: '{name.text}' is not UTF-8")
            return None
        except Unreadable as unreadable:
            self.findings.problems.append(unreadable.problem)
            return None
        keys = ", ".join(INCLUDED_KEYS)
        if not isinstance(root, Mapping):
            self.findings.report(root.mark, f"an included file has the keys {keys}")
            return None
        foreign = [key for key in root.entries if key not in INCLUDED_KEYS]
        if set(foreign) & set(_SCENARIO_KEYS):
            text = f"include: '{name.text}' is a scenario; an included file has only {keys}"
            self.findings.report(name.mark, text)
            return None
        self.findings.problems += problems
        for key in foreign:
            self.findings.report(root.entries[key].key_mark, unknown("key", key, INCLUDED_KEYS))
        return root
