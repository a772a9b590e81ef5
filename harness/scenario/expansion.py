"""Variables, matrix, includes and templates: one file becomes one tree a case.

Expansion comes before the short forms are written out and the model reads anything, so
`${name}` may stand wherever a value may. Places are kept, also those in included files.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .located import MAX_BYTES, Entry, Mark, Node, Problem, Scalar, Sequence, Unreadable, read_tree
from .located import Mapping as Tree
from .nearest import nearest, unknown

MAX_CASES = 256
MAX_INCLUDES = 32
MAX_TEXT = 1 << 14
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USE = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|(?P<open>\$\{)")
EXPANDED_KEYS = ("variables", "matrix", "include", "templates")
_INCLUDED_KEYS = ("variables", "include", "templates")
_USE_KEYS = ("use", "with", "phase", "duration", "expect")


@dataclass(frozen=True)
class Case:
    """One combination of the matrix: its values by parameter (none without a matrix), what
    every variable stood for, and the tree with all of it filled in."""

    values: tuple[tuple[str, str], ...]
    variables: tuple[tuple[str, str], ...]
    tree: Tree


def expand(
    root: Tree, path: Path, overrides: Mapping[str, str]
) -> tuple[list[Case], list[Problem]]:
    """The scenario's cases in the matrix's order, and what is wrong. Never raises.

    `path` is the scenario's file, absolute. `overrides` replaces variables and, for a
    matrix parameter, all of its values; names that the scenario does not have are ignored.
    """
    return _Expander(path, overrides).cases(root)


@dataclass
class _Template:
    """A phase to be used, and what its own file says its variables stand for."""

    tree: Tree
    defaults: dict[str, Scalar]


@dataclass
class _Expander:
    path: Path
    overrides: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    templates: dict[str, _Template] = field(default_factory=dict)
    included: set[Path] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    in_file: dict[str, Mark] = field(default_factory=dict)

    def report(self, mark: Mark, text: str) -> None:
        self.problems.append(Problem(mark, text))

    def cases(self, root: Tree) -> tuple[list[Case], list[Problem]]:
        defaults = self._include(root, self.path, (self.path,))
        own = self._variables(root.get("variables"))
        self._collect_templates(root.get("templates"), {**defaults, **own})
        rest = Tree(
            {key: entry for key, entry in root.entries.items() if key not in EXPANDED_KEYS},
            root.mark,
            root.left_out,
        )
        found = []
        parameters: dict[str, Mark] = {}
        for values in self._matrix(root.get("matrix"), parameters):
            replaced = {name: Scalar(text, Mark()) for name, text in self.overrides.items()}
            scope = {**defaults, **own, **values}
            scope |= {name: value for name, value in replaced.items() if name in scope}
            scope = self._resolved(scope)
            tree = self._tree(rest, scope)
            case = tuple((name, scope[name].text) for name in values)
            found.append(
                Case(case, tuple((name, value.text) for name, value in scope.items()), tree)
            )
        for name, mark in parameters.items():
            if name not in self.used:
                self.report(
                    mark,
                    f"the matrix's '{name}' is used nowhere; write ${{{name}}} where its "
                    "value goes",
                )
        return _distinct(found), self.problems

    # --- files ---

    def _include(self, root: Tree, path: Path, above: tuple[Path, ...]) -> dict[str, Scalar]:
        """Reads what `root` includes, templates first; the variables' values from there."""
        node = root.get("include")
        if node is None:
            return {}
        names = node.items if isinstance(node, Sequence) else (node,)
        found: dict[str, Scalar] = {}
        for name in names:
            if not isinstance(name, Scalar):
                self.report(name.mark, "include: write it as a file's name, or a list of names")
                continue
            found |= self._included(name, path, above)
        return found

    def _included(self, name: Scalar, path: Path, above: tuple[Path, ...]) -> dict[str, Scalar]:
        if not name.text.strip() or Path(name.text).is_absolute() or "\0" in name.text:
            self.report(name.mark, f"include: '{name.text}' must be a file beside this one")
            return {}
        file = (path.parent / name.text).resolve()
        if file in above:
            self.report(name.mark, f"include: '{name.text}' includes itself")
            return {}
        if file in self.included:
            return {}
        self.included.add(file)
        if len(self.included) > MAX_INCLUDES:
            self.report(name.mark, f"include: more than {MAX_INCLUDES} files")
            return {}
        tree = self._read(file, name)
        if tree is None:
            return {}
        for key, entry in tree.entries.items():
            if key not in _INCLUDED_KEYS:
                hint = "; an included file has no pages of its own" if key == "open" else ""
                self.report(entry.key_mark, unknown("key", key, _INCLUDED_KEYS) + hint)
        inherited = self._include(tree, file, (*above, file))
        own = {**inherited, **self._variables(tree.get("variables"))}
        self._collect_templates(tree.get("templates"), own)
        return own

    def _read(self, file: Path, name: Scalar) -> Tree | None:
        try:
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
        except FileNotFoundError:
            folder = file.parent
            names = [p.name for p in folder.glob("*.y*ml")] if folder.is_dir() else []
            near = nearest(file.name, names)
            hint = f"; did you mean '{near}'?" if near else ""
            self.report(name.mark, f"include: there is no file '{name.text}'{hint}")
            return None
        except OSError as error:
            self.report(name.mark, f"include: '{name.text}': {error.strerror}")
            return None
        try:
            if len(data) > MAX_BYTES:
                raise Unreadable(
                    Problem(Mark(file=str(file)), f"larger than {MAX_BYTES >> 20} MiB")
                )
            root, problems = read_tree(data.decode("utf-8-sig"), str(file))
        except UnicodeDecodeError:
            self.report(name.mark, f"include: '{name.text}' is not UTF-8")
            return None
        except Unreadable as unreadable:
            self.problems.append(unreadable.problem)
            return None
        self.problems += problems
        if not isinstance(root, Tree):
            self.report(root.mark, f"an included file has the keys {', '.join(_INCLUDED_KEYS)}")
            return None
        return root

    # --- variables and matrix ---

    def _variables(self, node: Node | None) -> dict[str, Scalar]:
        if node is None:
            return {}
        if not isinstance(node, Tree):
            self.report(node.mark, "variables: write them as '{profile: Ada}'")
            return {}
        return {name: value for name, value, _ in self._named(node, "variable")}

    def _named(self, node: Tree, what: str) -> Iterator[tuple[str, Scalar, Mark]]:
        for name, entry in node.entries.items():
            if _NAME.fullmatch(name) is None:
                self.report(
                    entry.key_mark,
                    f"'{name}' is not a {what}'s name; names have letters, digits and '_'",
                )
            elif not isinstance(entry.value, Scalar):
                self.report(entry.value.mark, f"the {what} '{name}' must be one value")
            else:
                yield name, entry.value, entry.key_mark

    def _matrix(self, node: Node | None, marks: dict[str, Mark]) -> list[dict[str, Scalar]]:
        """The combinations; one empty one without a matrix. `marks` gets the parameters."""
        if node is None:
            return [{}]
        if isinstance(node, Tree):
            combinations = self._product(node, marks)
        elif isinstance(node, Sequence):
            combinations = self._listed(node, marks)
        else:
            self.report(node.mark, "matrix: write it as '{fps: [24, 30]}', or as a list of cases")
            return [{}]
        if len(combinations) > MAX_CASES:
            self.report(node.mark, f"the matrix has {len(combinations)} cases, over {MAX_CASES}")
            return combinations[:1]
        seen: list[dict[str, Scalar]] = []
        texts: set[tuple[str, ...]] = set()
        for combination in combinations:
            kept = {
                name: Scalar(self.overrides[name], value.mark) if name in self.overrides else value
                for name, value in combination.items()
            }
            key = tuple(value.text for value in kept.values())
            if key not in texts:  # values that are overridden leave one case of several
                texts.add(key)
                seen.append(kept)
        return seen or [{}]

    def _product(self, node: Tree, marks: dict[str, Mark]) -> list[dict[str, Scalar]]:
        choices: list[list[tuple[str, Scalar]]] = []
        for name, entry in node.entries.items():
            values = entry.value
            if _NAME.fullmatch(name) is None:
                self.report(
                    entry.key_mark,
                    f"'{name}' is not a parameter's name; names have letters, digits and '_'",
                )
                continue
            marks[name] = entry.key_mark
            if not isinstance(values, Sequence) or not values.items:
                self.report(values.mark, f"the matrix's '{name}' must be a list of values")
                continue
            choices.append([(name, value) for value in self._values(name, values)])
        if not node.entries:
            self.report(node.mark, "the matrix has no parameter")
        return [dict(combination) for combination in itertools.product(*choices)]

    def _values(self, name: str, values: Sequence) -> list[Scalar]:
        found: list[Scalar] = []
        for value in values.items:
            if not isinstance(value, Scalar):
                self.report(value.mark, f"a value of the matrix's '{name}' must be one value")
            elif any(value.text == other.text for other in found):
                self.report(value.mark, f"the matrix's '{name}' has '{value.text}' twice")
            else:
                found.append(value)
        return found

    def _listed(self, node: Sequence, marks: dict[str, Mark]) -> list[dict[str, Scalar]]:
        found: list[dict[str, Scalar]] = []
        for item in node.items:
            if not isinstance(item, Tree):
                self.report(item.mark, "a case of the matrix is written as '{fps: 24, size: 720p}'")
                continue
            case = {}
            for name, value, mark in self._named(item, "parameter"):
                case[name] = value
                marks.setdefault(name, mark)
            if found and set(case) != set(found[0]):
                wanted = ", ".join(found[0])
                self.report(item.mark, f"a case of the matrix has other parameters than {wanted}")
                continue
            if any(_texts(case) == _texts(other) for other in found):
                self.report(item.mark, "a case of the matrix stands twice")
                continue
            found.append(case)
        return found

    def _resolved(self, scope: dict[str, Scalar]) -> dict[str, Scalar]:
        """Values that name other variables, filled in."""
        done: dict[str, Scalar] = {}
        open_: list[str] = []

        def value_of(name: str) -> str | None:
            if name in done:
                return done[name].text
            if name not in scope:
                return None
            if name in open_:
                self.report(scope[name].mark, f"the variable '{name}' is made of itself")
                done[name] = Scalar("", scope[name].mark)
                return ""
            open_.append(name)
            filled = self._fill(scope[name], value_of, scope)
            open_.pop()
            done.setdefault(name, filled)
            return done[name].text

        for name in scope:
            value_of(name)
        return {name: done[name] for name in scope}

    def _fill(
        self, scalar: Scalar, value_of: Callable[[str], str | None], known: Mapping[str, Scalar]
    ) -> Scalar:
        if "${" not in scalar.text:
            return scalar

        def replace(match: re.Match[str]) -> str:
            if match[0] == "$${":
                return "${"
            if match["open"]:
                self.report(
                    scalar.mark, "'${' is not closed by '}'; write '$${' for the characters"
                )
                return match[0]
            name = match["name"].strip()
            value = value_of(name)
            if value is None:
                near = nearest(name, known)
                hint = f"did you mean '{near}'?" if near else f"known: {', '.join(known) or 'none'}"
                self.report(scalar.mark, f"unknown variable '{name}'; {hint}")
                return match[0]
            self.used.add(name)
            return value

        text = _USE.sub(replace, scalar.text)
        if len(text) > MAX_TEXT:  # variables that are made of variables grow without bound
            self.report(scalar.mark, f"longer than {MAX_TEXT} characters with its variables")
            text = text[:MAX_TEXT]
        return Scalar(text, scalar.mark)

    # --- trees ---

    def _collect_templates(self, node: Node | None, defaults: dict[str, Scalar]) -> None:
        if node is None:
            return
        if not isinstance(node, Sequence):
            self.report(node.mark, "templates: write each as '- phase: NAME', as phases are")
            return
        for item in node.items:
            name = item.get("phase") if isinstance(item, Tree) else None
            if not isinstance(item, Tree) or not isinstance(name, Scalar):
                self.report(item.mark, "a template is a phase; write it as '- phase: NAME'")
            elif name.text in self.templates:
                self.report(name.mark, f"the template '{name.text}' exists already")
            else:
                self.templates[name.text] = _Template(item, defaults)

    def _tree(self, root: Tree, scope: dict[str, Scalar]) -> Tree:
        """The scenario with templates in their places and variables filled in."""
        entries = dict(root.entries)
        phases = root.get("phases")
        if isinstance(phases, Sequence):
            items = tuple(self._phase(item, scope) for item in phases.items)
            entries["phases"] = Entry(entries["phases"].key_mark, Sequence(items, phases.mark))
        return Tree(
            {
                key: entry if key == "phases" else self._entry(entry, scope)
                for key, entry in entries.items()
            },
            root.mark,
            root.left_out,
        )

    def _phase(self, node: Node, scope: dict[str, Scalar]) -> Node:
        if not isinstance(node, Tree) or "use" not in node.entries:
            return self._filled(node, scope)
        used = node.get("use")
        name = self._filled(used, scope) if used is not None else None
        for key, entry in node.entries.items():
            if key not in _USE_KEYS:
                self.report(
                    entry.key_mark,
                    f"'{key}' beside 'use'; a used template takes {', '.join(_USE_KEYS[1:])}",
                )
        template = self.templates.get(name.text) if isinstance(name, Scalar) else None
        if template is None:
            shown = name.text if isinstance(name, Scalar) else "?"
            known = list(self.templates)
            near = nearest(shown, known)
            hint = f"did you mean '{near}'?" if near else f"known: {', '.join(known) or 'none'}"
            self.report(node.entries["use"].value.mark, f"no template is named '{shown}'; {hint}")
            left_out = node.left_out | {"steps", "duration"}
            kept = {"phase": node.entries.get("phase", node.entries["use"])}
            return self._filled(Tree(kept, node.mark, left_out), scope)
        given = self._given(node.get("with"), template, scope)
        inner = {**template.defaults, **scope, **given}
        # A template's own defaults may be made of one another.
        inner = self._resolved(inner) if template.defaults else inner
        body = self._filled(template.tree, inner)
        own = {
            key: self._entry(entry, scope)
            for key, entry in node.entries.items()
            if key in ("phase", "duration", "expect")
        }
        assert isinstance(body, Tree)
        return Tree({**body.entries, **own}, node.mark, body.left_out | node.left_out)

    def _given(
        self, node: Node | None, template: _Template, scope: dict[str, Scalar]
    ) -> dict[str, Scalar]:
        if node is None:
            return {}
        if not isinstance(node, Tree):
            self.report(node.mark, "with: write it as '{profile: Ada}'")
            return {}
        takes = sorted(_names_in(template.tree))
        found = {}
        for name, value, mark in self._named(node, "variable"):
            if name not in takes:
                near = nearest(name, takes)
                hint = f"did you mean '{near}'?" if near else f"it has {', '.join(takes) or 'none'}"
                self.report(mark, f"the template does not use '{name}'; {hint}")
                continue
            filled = self._filled(value, scope)
            assert isinstance(filled, Scalar)
            found[name] = filled
        return found

    def _entry(self, entry: Entry, scope: dict[str, Scalar]) -> Entry:
        return Entry(entry.key_mark, self._filled(entry.value, scope))

    def _filled(self, node: Node, scope: dict[str, Scalar]) -> Node:
        if isinstance(node, Scalar):
            return self._fill(node, lambda name: scope[name].text if name in scope else None, scope)
        if isinstance(node, Sequence):
            return Sequence(tuple(self._filled(item, scope) for item in node.items), node.mark)
        return Tree(
            {key: self._entry(entry, scope) for key, entry in node.entries.items()},
            node.mark,
            node.left_out,
        )


def _texts(case: dict[str, Scalar]) -> dict[str, str]:
    return {name: value.text for name, value in case.items()}


def _names_in(node: Node) -> set[str]:
    """The variables that a tree uses."""
    if isinstance(node, Scalar):
        return {
            match["name"].strip() for match in _USE.finditer(node.text) if match["name"] is not None
        }
    children = (
        node.items if isinstance(node, Sequence) else [e.value for e in node.entries.values()]
    )
    return {name for child in children for name in _names_in(child)}


def _distinct(cases: list[Case]) -> list[Case]:
    """The cases, each values' text once: overrides may make several alike."""
    found: dict[tuple[tuple[str, str], ...], Case] = {}
    for case in cases:
        found.setdefault(case.values, case)
    return list(found.values())
