"""Variables, matrix, includes and templates: one file becomes one tree a case.

Expansion comes before the short forms are written out and the model reads anything, so
`${name}` may stand wherever a value may. Places are kept, also those in included files: a
value that is nothing but `${name}` has the place of what the variable stands for, for that
is what has to be corrected.

What is wrong is reported once, and what hangs on it is left out without a word.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .files import near_file
from .located import (
    MAX_BYTES,
    MAX_DEPTH,
    Entry,
    Mark,
    Node,
    Problem,
    Scalar,
    Sequence,
    Unreadable,
    read_tree,
)
from .located import Mapping as Tree
from .model import EXPANDED_KEYS, INCLUDED_KEYS, KEYS
from .nearest import meant, nearest, unknown

MAX_CASES = 256
MAX_INCLUDES = 32
MAX_TEXT = 1 << 14  # characters of one value
MAX_VALUES = 100_000  # of all cases together, with templates in their places
MAX_CHARACTERS = 1 << 22  # the same
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USE = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|(?P<open>\$\{)")
_SCENARIO_KEYS = ("open", "phases", "steps", "wait")
_USE_KEYS = ("use", "with", "phase", "duration", "expect")


@dataclass(frozen=True)
class Case:
    """One combination of the matrix: its values by parameter (none without a matrix), what
    every variable stood for, and the tree with all of it filled in."""

    values: tuple[tuple[str, str], ...]
    variables: tuple[tuple[str, str], ...]
    tree: Tree


@dataclass(frozen=True)
class Expansion:
    """The cases in the matrix's order, what is wrong, and what is there and does nothing:
    wrong as well, where nothing else is that may be the reason."""

    cases: list[Case]
    problems: list[Problem]
    unused: list[Problem]


def expand(root: Tree, path: Path, overrides: Mapping[str, str]) -> Expansion:
    """Fills in what the scenario's own file and those that it includes define. Never raises.

    `path` is the scenario's file, absolute. `overrides` replaces variables and, for a
    matrix parameter, all of its values; names that the scenario does not have are ignored.
    """
    return _Expander(path, overrides).expansion(root)


class _TooLarge(Exception):
    """Variables, templates and cases multiply beyond all use."""


@dataclass(frozen=True)
class _Template:
    """A phase to be placed, and the variables that stand in it."""

    tree: Tree
    names: frozenset[str]


@dataclass
class _Scope:
    """What names stand for. `raw` is as written, `done` filled in; None: refused, and said."""

    raw: Mapping[str, Scalar]
    done: dict[str, Scalar | None] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)  # names whose values are being filled in

    def names(self) -> list[str]:
        return [*self.raw, *(name for name in self.done if name not in self.raw)]


@dataclass
class _Expander:
    path: Path
    overrides: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    templates: dict[str, _Template] = field(default_factory=dict)
    included: set[Path] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # variables
    placed: set[str] = field(default_factory=set)  # templates
    refused: set[str] = field(default_factory=set)  # variables that stand there with no value
    unread: bool = False  # a file or a whole key was refused: it may have held any name
    values: int = 0
    characters: int = 0

    def report(self, mark: Mark, text: str) -> None:
        self.problems.append(Problem(mark, text))

    def expansion(self, root: Tree) -> Expansion:
        misspelt = {nearest(key, EXPANDED_KEYS) for key in root.entries if key not in KEYS}
        if {*EXPANDED_KEYS} & (root.left_out | misspelt):
            self.unread = True
        defaults = self._include(root, self.path, (self.path,))
        own = self._variables(root.get("variables"))
        inherited = set(self.templates)
        self._collect_templates(root.get("templates"))
        rest = Tree(
            {key: entry for key, entry in root.entries.items() if key not in EXPANDED_KEYS},
            root.mark,
            root.left_out,
        )
        found: dict[tuple[tuple[str, str], ...], Case] = {}
        parameters: dict[str, Mark] = {}
        try:
            for values in self._matrix(root.get("matrix"), parameters):
                raw = {**defaults, **own, **values}
                for name in self.overrides.keys() & raw.keys():
                    raw[name] = Scalar(self.overrides[name], raw[name].mark)
                case = self._case(rest, _Scope(raw), tuple(values))
                found.setdefault(case.values, case)  # overrides may make several alike
        except _TooLarge as error:
            self.report(root.mark, str(error))
            return Expansion([], self.problems, [])
        unused = []
        for name, mark in parameters.items():
            if name not in self.used:
                where = f"write ${{{name}}} where its value goes"
                unused.append(Problem(mark, f"the matrix's '{name}' is used nowhere; {where}"))
        for name, template in self.templates.items():
            if name not in self.placed | inherited:
                mark = template.tree.entries["phase"].value.mark
                where = f"place it among the phases with '- use: {name}'"
                unused.append(Problem(mark, f"the template '{name}' is used nowhere; {where}"))
        return Expansion(list(found.values()), self.problems, unused)

    def _case(self, rest: Tree, scope: _Scope, parameters: tuple[str, ...]) -> Case:
        resolved = {name: self._value(name, scope) for name in scope.raw}
        texts = {name: value.text for name, value in resolved.items() if value is not None}
        values = tuple((name, texts.get(name, "")) for name in parameters)
        return Case(values, tuple(texts.items()), self._tree(rest, scope))

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
                self.unread = True
                continue
            found |= self._included(name, path, above)
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
            elif file in self.included:
                return {}
            elif len(self.included) >= MAX_INCLUDES:
                problem = f"include: more than {MAX_INCLUDES} files"
        if problem:
            self.report(name.mark, problem)
        else:
            self.included.add(file)
            tree = self._read(file, name)
        if tree is None:
            self.unread = True
            return {}
        if set(INCLUDED_KEYS) & tree.left_out:
            self.unread = True
        inherited = self._include(tree, file, (*above, file))
        own = {**inherited, **self._variables(tree.get("variables"))}
        self._collect_templates(tree.get("templates"))
        return own

    def _read(self, file: Path, name: Scalar) -> Tree | None:
        try:
            if file.exists() and not file.is_file():  # a pipe would be waited for
                self.report(name.mark, f"include: '{name.text}' is no file")
                return None
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
        except FileNotFoundError:
            hint = near_file(file, "*.y*ml")
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
        keys = ", ".join(INCLUDED_KEYS)
        if not isinstance(root, Tree):
            self.report(root.mark, f"an included file has the keys {keys}")
            return None
        foreign = [key for key in root.entries if key not in INCLUDED_KEYS]
        if set(foreign) & set(_SCENARIO_KEYS):
            text = f"include: '{name.text}' is a scenario; an included file has only {keys}"
            self.report(name.mark, text)
            return None
        self.problems += problems
        for key in foreign:
            self.report(root.entries[key].key_mark, unknown("key", key, INCLUDED_KEYS))
        return root

    # --- variables and matrix ---

    def _variables(self, node: Node | None) -> dict[str, Scalar]:
        if node is None:
            return {}
        if not isinstance(node, Tree):
            self.report(node.mark, "variables: write them as '{profile: Ada}'")
            self.unread = True
            return {}
        return {name: value for name, value, _ in self._named(node, "variable")}

    def _named(self, node: Tree, what: str) -> Iterator[tuple[str, Scalar, Mark]]:
        self.refused |= node.left_out
        for name, entry in node.entries.items():
            if not self._is_name(name, entry.key_mark, what):
                continue
            if not isinstance(entry.value, Scalar):
                self.report(entry.value.mark, f"the {what} '{name}' must be one value")
                self.refused.add(name)
            else:
                yield name, entry.value, entry.key_mark

    def _is_name(self, name: str, mark: Mark, what: str) -> bool:
        if _NAME.fullmatch(name) is not None:
            return True
        self.report(mark, f"'{name}' is not a {what}'s name; names have letters, digits and '_'")
        self.refused.add(name)
        return False

    def _matrix(self, node: Node | None, marks: dict[str, Mark]) -> list[dict[str, Scalar]]:
        """The combinations; one empty one without a matrix. `marks` gets the parameters."""
        if isinstance(node, Tree):
            return self._product(node, marks)
        if isinstance(node, Sequence):
            return self._listed(node, marks) or [{}]
        if node is not None:
            self.report(node.mark, "matrix: write it as '{fps: [24, 30]}', or as a list of cases")
            self.unread = True
        return [{}]

    def _product(self, node: Tree, marks: dict[str, Mark]) -> list[dict[str, Scalar]]:
        choices: list[list[tuple[str, Scalar]]] = []
        self.refused |= node.left_out
        for name, entry in node.entries.items():
            values = entry.value
            if not self._is_name(name, entry.key_mark, "parameter"):
                continue
            if not isinstance(values, Sequence) or not values.items:
                shown = values.text if isinstance(values, Scalar) else "24, 30"
                self.report(
                    values.mark,
                    f"the matrix's '{name}' must be a list of values, such as '[{shown}]'",
                )
                self.refused.add(name)
                continue
            marks[name] = entry.key_mark
            choices.append([(name, value) for value in self._values(name, values)])
        if not node.entries and not node.left_out:
            self.report(node.mark, "the matrix has no parameter")
        count = math.prod(len(values) for values in choices)
        if self._too_many(count, node.mark):
            choices = [values[:1] for values in choices]
        return [dict(combination) for combination in itertools.product(*choices)]

    def _values(self, name: str, values: Sequence) -> list[Scalar]:
        found: dict[str, Scalar] = {}
        for value in values.items:
            if not isinstance(value, Scalar):
                self.report(value.mark, f"a value of the matrix's '{name}' must be one value")
            elif value.text in found:
                self.report(value.mark, f"the matrix's '{name}' has '{value.text}' twice")
            else:
                found[value.text] = value
        if not found:
            self.refused.add(name)
        return list(found.values())

    def _listed(self, node: Sequence, marks: dict[str, Mark]) -> list[dict[str, Scalar]]:
        if not node.items:
            self.report(node.mark, "the matrix has no case")
        found: dict[tuple[tuple[str, str], ...], dict[str, Scalar]] = {}
        wanted: set[str] = set()
        for item in node.items:
            if not isinstance(item, Tree):
                self.report(item.mark, "a case of the matrix is written as '{fps: 24, size: 720p}'")
                self.unread = True
                continue
            case = {}
            for name, value, mark in self._named(item, "parameter"):
                case[name] = value
                marks.setdefault(name, mark)
            names = {*case, *item.left_out}
            wanted = wanted or names
            key = tuple(sorted((name, value.text) for name, value in case.items()))
            if names != wanted:
                known = ", ".join(sorted(wanted))
                self.report(item.mark, f"a case of the matrix has other parameters than {known}")
            elif key in found:
                self.report(item.mark, "a case of the matrix stands twice")
            else:
                found[key] = case
        if self._too_many(len(found), node.mark):
            return list(found.values())[:1]
        return list(found.values())

    def _too_many(self, count: int, mark: Mark) -> bool:
        if count > MAX_CASES:
            self.report(mark, f"the matrix has {count} cases, over {MAX_CASES}")
        return count > MAX_CASES

    # --- values ---

    def _value(self, name: str, scope: _Scope) -> Scalar | None:
        """What a name stands for, with the names in it filled in; None where that was refused.

        Raises KeyError for a name that is not there.
        """
        if name not in scope.done:
            raw = scope.raw[name]
            if name in scope.open:
                self.report(raw.mark, f"the variable '{name}' is made of itself")
                return None
            if len(scope.open) >= MAX_DEPTH:
                self.report(raw.mark, f"variables name variables more than {MAX_DEPTH} deep")
                return None
            scope.open.append(name)
            filled = self._fill(raw, scope)
            scope.open.pop()
            scope.done[name] = filled
        return scope.done[name]

    def _fill(self, scalar: Scalar, scope: _Scope) -> Scalar | None:
        self._count(len(scalar.text))
        if "${" not in scalar.text:
            return scalar
        parts: list[str] = []
        mark, length, at, refused = scalar.mark, 0, 0, False
        for match in _USE.finditer(scalar.text):
            part = self._replacement(match, scalar, scope)
            if part is None:
                refused = True
                continue
            name = (match["name"] or "").strip()
            if name and match[0] == scalar.text and name not in self.overrides:
                mark = part.mark
            parts += [scalar.text[at : match.start()], part.text]
            at = match.end()
            length += len(parts[-2]) + len(parts[-1])
            if length > MAX_TEXT:  # variables that are made of variables grow without bound
                self.report(scalar.mark, f"longer than {MAX_TEXT} characters with its variables")
                return None
        if refused:
            return None
        self._count(length)
        return Scalar("".join(parts) + scalar.text[at:], mark)

    def _replacement(self, match: re.Match[str], scalar: Scalar, scope: _Scope) -> Scalar | None:
        if match[0] == "$${":
            return Scalar("${", scalar.mark)
        if match["open"]:
            text = "'${' is not closed by '}'; write '$${' for the characters themselves"
            self.report(scalar.mark, text)
            return None
        name = match["name"].strip()
        self.used.add(name)
        try:
            return self._value(name, scope)
        except KeyError:
            pass
        if not name:
            self.report(scalar.mark, f"'{match[0]}' names no variable")
        elif name not in self.refused and not self.unread:
            known = scope.names()
            self.report(scalar.mark, f"unknown variable '{name}'; {meant(name, known)}")
        return None

    def _count(self, characters: int) -> None:
        self.values += 1
        self.characters += characters
        for count, limit, what in (
            (self.values, MAX_VALUES, "values"),
            (self.characters, MAX_CHARACTERS, "characters"),
        ):
            if count > limit:
                raise _TooLarge(
                    f"more than {limit} {what} with its variables, templates and cases filled in"
                )

    # --- trees ---

    def _collect_templates(self, node: Node | None) -> None:
        if node is None:
            return
        if not isinstance(node, Sequence):
            self.report(node.mark, "templates: write each as '- phase: NAME', as phases are")
            self.unread = True
            return
        for item in node.items:
            name = item.get("phase") if isinstance(item, Tree) else None
            if not isinstance(item, Tree) or not isinstance(name, Scalar):
                if not isinstance(item, Tree) or "phase" not in item.left_out:
                    self.report(item.mark, "a template is a phase; write it as '- phase: NAME'")
                self.unread = True
            elif "${" in name.text:
                text = "a template's name has no variables; name the phase where it is used"
                self.report(name.mark, text)
                self.unread = True
            elif name.text in self.templates:
                self.report(name.mark, f"the template '{name.text}' exists already")
            else:
                self.templates[name.text] = _Template(item, frozenset(_names_in(item)))

    def _tree(self, root: Tree, scope: _Scope) -> Tree:
        """The scenario with templates in their places and variables filled in."""
        phases = root.entries.get("phases")
        rest = {key: entry for key, entry in root.entries.items() if key != "phases"}
        filled = self._filled_tree(Tree(rest, root.mark, root.left_out), scope)
        if phases is None:
            return filled
        if isinstance(phases.value, Sequence):
            found = [self._phase(item, scope) for item in phases.value.items]
            items = tuple(item for item in found if item is not None)
            value: Node | None = Sequence(items, phases.value.mark)
        else:
            value = self._filled(phases.value, scope)
        if value is None:
            return Tree(filled.entries, root.mark, filled.left_out | {"phases"})
        entries = {**filled.entries, "phases": Entry(phases.key_mark, value)}
        return Tree(
            {key: entries[key] for key in root.entries if key in entries},
            root.mark,
            filled.left_out,
        )

    def _phase(self, node: Node, scope: _Scope) -> Node | None:
        if not isinstance(node, Tree):
            return self._filled(node, scope)
        if "use" not in node.entries.keys() | node.left_out:
            return self._phase_without_use(node, scope)
        foreign = [key for key in node.entries if key not in _USE_KEYS]
        for key, entry in node.entries.items():
            if key in foreign:
                self.report(
                    entry.key_mark,
                    f"'{key}' beside 'use'; a used template takes {', '.join(_USE_KEYS[1:])}",
                )
        own = {key: entry for key, entry in node.entries.items() if key in _USE_KEYS[2:]}
        written = self._filled_tree(Tree(own, node.mark, node.left_out), scope)
        template = self._template(node, scope)
        if template is None:
            left_out = written.left_out | {"phase", "steps", "duration"}
            return Tree(written.entries, node.mark, left_out)
        given = self._given(node.get("with"), template, scope)
        # What is missing may stand under a key that was refused.
        silent = bool(foreign) or "with" in node.left_out
        self._require(template, node.entries["use"].value, given, scope, silent)
        body = self._filled_tree(template.tree, _Scope(scope.raw, dict(given)))
        entries = {**body.entries, **written.entries}
        if "phase" not in written.entries:  # two uses with one name are told apart by place
            used = node.entries["use"]
            name = body.entries["phase"].value
            assert isinstance(name, Scalar)
            entries["phase"] = Entry(used.key_mark, Scalar(name.text, used.value.mark))
        left_out = (body.left_out | node.left_out) - written.entries.keys()
        return Tree(entries, node.mark, left_out | written.left_out)

    def _phase_without_use(self, node: Tree, scope: _Scope) -> Tree:
        """An ordinary phase, or one whose `use` is missing or misspelt."""
        if "with" not in node.entries:
            return self._filled_tree(node, scope)
        misspelt = next((key for key in node.entries if nearest(key, ["use"])), "")
        if misspelt:
            text = f"unknown key '{misspelt}'; did you mean 'use'?"
        else:
            text = "'with' without 'use' in the same phase"
        self.report(node.entries[misspelt or "with"].key_mark, text)
        rest = {key: entry for key, entry in node.entries.items() if key not in (misspelt, "with")}
        left_out = node.left_out | {"phase", "steps", "duration"}
        return self._filled_tree(Tree(rest, node.mark, left_out), scope)

    def _template(self, node: Tree, scope: _Scope) -> _Template | None:
        """The template that a phase uses; None where that was refused."""
        used = node.get("use")
        if not isinstance(used, Scalar):
            if used is not None:
                self.report(used.mark, "use: write it as a template's name")
            return None
        name = self._fill(used, scope)
        if name is None:
            return None
        if name.text not in self.templates and not self.unread:
            known = meant(name.text, self.templates)
            self.report(used.mark, f"no template is named '{name.text}'; {known}")
        self.placed.add(name.text)
        return self.templates.get(name.text)

    def _given(
        self, node: Node | None, template: _Template, scope: _Scope
    ) -> dict[str, Scalar | None]:
        if node is None:
            return {}
        if not isinstance(node, Tree):
            self.report(node.mark, "with: write it as '{profile: Ada}'")
            return dict.fromkeys(template.names - set(scope.raw))
        found: dict[str, Scalar | None] = dict.fromkeys(node.left_out)
        takes = _reached(template.names, scope.raw)
        for name, value, mark in self._named(node, "variable"):
            found[name] = self._fill(value, scope)
            if name not in takes:
                hint = meant(name, sorted(template.names), "it has")
                self.report(mark, f"the template does not use '{name}'; {hint}")
                # Most likely one that is missing was meant.
                found |= dict.fromkeys(template.names - set(scope.raw) - set(found))
        return found

    def _require(
        self,
        template: _Template,
        used: Node,
        given: dict[str, Scalar | None],
        scope: _Scope,
        silent: bool,
    ) -> None:
        """Says what a template needs and is not given, where it is used; `given` then has it,
        as refused."""
        known = scope.names()
        for name in sorted(template.names - set(known) - set(given) - self.refused):
            if name and not self.unread and not nearest(name, known):
                given[name] = None
                if not silent:
                    example = f"'{{{name}: ...}}'"
                    text = f"this template needs '{name}'; give it under 'with', as {example}"
                    self.report(used.mark, text)

    def _filled(self, node: Node, scope: _Scope) -> Node | None:
        """None where a value was refused."""
        if isinstance(node, Scalar):
            return self._fill(node, scope)
        if isinstance(node, Tree):
            return self._filled_tree(node, scope)
        self._count(0)
        items = [self._filled(item, scope) for item in node.items]
        if node.items and all(item is None for item in items):
            return None
        return Sequence(tuple(item for item in items if item is not None), node.mark)

    def _filled_tree(self, node: Tree, scope: _Scope) -> Tree:
        self._count(0)
        entries: dict[str, Entry] = {}
        refused: set[str] = set()
        for key, entry in node.entries.items():
            value = self._filled(entry.value, scope)
            if value is None:
                refused.add(key)
            else:
                entries[key] = Entry(entry.key_mark, value)
        return Tree(entries, node.mark, node.left_out | refused)


def _names_in(node: Node) -> set[str]:
    """The variables that a tree names."""
    if isinstance(node, Scalar):
        if "${" not in node.text:
            return set()
        return {
            match["name"].strip() for match in _USE.finditer(node.text) if match["name"] is not None
        }
    children = (
        node.items if isinstance(node, Sequence) else [e.value for e in node.entries.values()]
    )
    return {name for child in children for name in _names_in(child)}


def _reached(names: frozenset[str], raw: Mapping[str, Scalar]) -> set[str]:
    """The names, and all that their values name."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        found |= waiting
        values = [raw[name] for name in waiting if name in raw]
        waiting = {name for value in values for name in _names_in(value)} - found
    return found
