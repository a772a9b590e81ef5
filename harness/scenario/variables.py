"""Variables: what `${name}` stands for, and a tree with all of it filled in.

`${name}` may stand wherever a value may. A value that is nothing but `${name}` has the place of
what the variable stands for, for that is what has to be corrected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Names
from dataclasses import dataclass, field

from .findings import Findings
from .located import MAX_DEPTH, Entry, Mapping, Mark, Node, Scalar, Sequence
from .nearest import meant

MAX_TEXT = 1 << 14  # characters of one value
MAX_VALUES = 100_000  # of all cases together, with templates in their places
MAX_CHARACTERS = 1 << 22  # the same
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USE = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|(?P<open>\$\{)")


class TooLarge(Exception):
    """Variables, templates and cases multiply beyond all use."""


@dataclass
class Scope:
    """What names stand for. `raw` is as written, `done` filled in; None: refused, and said."""

    raw: Names[str, Scalar]
    done: dict[str, Scalar | None] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)  # names whose values are being filled in

    def names(self) -> list[str]:
        """All that have a meaning here."""
        return [*self.raw, *(name for name in self.done if name not in self.raw)]


def variables_of(node: Node | None, findings: Findings) -> dict[str, Scalar]:
    """The variables that stand under `variables`, as written."""
    if node is None:
        return {}
    if not isinstance(node, Mapping):
        findings.report(node.mark, "variables: write them as '{profile: Ada}'")
        findings.unread = True
        return {}
    return {name: value for name, value, _ in named_values(node, "variable", findings)}


def named_values(
    node: Mapping, what: str, findings: Findings
) -> Iterator[tuple[str, Scalar, Mark]]:
    """Names with their values, and each name's place; `what` they are, for messages."""
    findings.refused |= node.left_out
    for name, entry in node.entries.items():
        if not is_name(name, entry.key_mark, what, findings):
            continue
        if not isinstance(entry.value, Scalar):
            findings.report(entry.value.mark, f"the {what} '{name}' must be one value")
            findings.refused.add(name)
        else:
            yield name, entry.value, entry.key_mark


def is_name(name: str, mark: Mark, what: str, findings: Findings) -> bool:
    """False, and said, for what cannot be a name."""
    if _NAME.fullmatch(name) is not None:
        return True
    findings.report(mark, f"'{name}' is not a {what}'s name; names have letters, digits and '_'")
    findings.refused.add(name)
    return False


@dataclass
class Filler:
    """Fills variables in. `overrides` are those that were set from outside; `used` gets the
    names that stood somewhere. What one filler has filled in is bounded: TooLarge beyond that."""

    findings: Findings
    overrides: Names[str, str]
    used: set[str] = field(default_factory=set)
    _values: int = field(default=0, init=False)
    _characters: int = field(default=0, init=False)

    def value(self, name: str, scope: Scope) -> Scalar | None:
        """What a name stands for, with the names in it filled in; None where that was refused.

        Raises KeyError for a name that is not there.
        """
        if name not in scope.done:
            raw = scope.raw[name]
            if name in scope.open:
                self.findings.report(raw.mark, f"the variable '{name}' is made of itself")
                return None
            if len(scope.open) >= MAX_DEPTH:
                self.findings.report(
                    raw.mark, f"variables name variables more than {MAX_DEPTH} deep"
                )
                return None
            scope.open.append(name)
            filled = self.fill(raw, scope)
            scope.open.pop()
            scope.done[name] = filled
        return scope.done[name]

    def fill(self, scalar: Scalar, scope: Scope) -> Scalar | None:
        """One value with its variables filled in; None where that was refused."""
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
                self.findings.report(
                    scalar.mark, f"longer than {MAX_TEXT} characters with its variables"
                )
                return None
        if refused:
            return None
        self._count(length)
        return Scalar("".join(parts) + scalar.text[at:], mark)

    def _replacement(self, match: re.Match[str], scalar: Scalar, scope: Scope) -> Scalar | None:
        if match[0] == "$${":
            return Scalar("${", scalar.mark)
        if match["open"]:
            text = "'${' is not closed by '}'; write '$${' for the characters themselves"
            self.findings.report(scalar.mark, text)
            return None
        name = match["name"].strip()
        self.used.add(name)
        try:
            return self.value(name, scope)
        except KeyError:
            pass
        if not name:
            self.findings.report(scalar.mark, f"'{match[0]}' names no variable")
        elif name not in self.findings.refused and not self.findings.unread:
            known = scope.names()
            self.findings.report(scalar.mark, f"unknown variable '{name}'; {meant(name, known)}")
        return None

    def filled(self, node: Node, scope: Scope) -> Node | None:
        """Any part of a tree with its variables filled in; None where a value was refused, and
        of a list every one."""
        if isinstance(node, Scalar):
            return self.fill(node, scope)
        if isinstance(node, Mapping):
            return self.filled_tree(node, scope)
        self._count(0)
        items = [self.filled(item, scope) for item in node.items]
        if node.items and all(item is None for item in items):
            return None
        return Sequence(tuple(item for item in items if item is not None), node.mark)

    def filled_tree(self, node: Mapping, scope: Scope) -> Mapping:
        """The same of a mapping; keys whose values were refused are left out."""
        self._count(0)
        entries: dict[str, Entry] = {}
        refused: set[str] = set()
        for key, entry in node.entries.items():
            value = self.filled(entry.value, scope)
            if value is None:
                refused.add(key)
            else:
                entries[key] = Entry(entry.key_mark, value)
        return Mapping(entries, node.mark, node.left_out | refused)

    def _count(self, characters: int) -> None:
        self._values += 1
        self._characters += characters
        for count, limit, what in (
            (self._values, MAX_VALUES, "values"),
            (self._characters, MAX_CHARACTERS, "characters"),
        ):
            if count > limit:
                raise TooLarge(
                    f"more than {limit} {what} with its variables, templates and cases filled in"
                )


def names_in(node: Node) -> set[str]:
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
    return {name for child in children for name in names_in(child)}


def reached(names: frozenset[str], raw: Names[str, Scalar]) -> set[str]:
    """The names, and all that their values name."""
    found: set[str] = set()
    waiting = set(names)
    while waiting:
        found |= waiting
        values = [raw[name] for name in waiting if name in raw]
        waiting = {name for value in values for name in names_in(value)} - found
    return found
