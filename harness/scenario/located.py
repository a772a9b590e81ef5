"""A YAML file as a tree in which everything knows its line and column.

Only what the scenario language needs is kept: scalars as the text written
(`5`, `no` and `1.0` stay text; the model gives them a type), sequences, and
mappings with text keys. Aliases are allowed; anything that could construct an
object, or that could grow without bound, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 24
MAX_NODES = 20_000  # after aliases are expanded

_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_STRING_TAG = "tag:yaml.org,2002:str"
_TAGS = {_STRING_TAG, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}


@dataclass(frozen=True, order=True)
class Mark:
    """A place in a file; line and column count from 1. `file` is "" for the scenario's own
    file, else the absolute path of one that it includes."""

    line: int = 1
    column: int = 1
    file: str = ""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, and where."""

    mark: Mark
    text: str


@dataclass(frozen=True)
class Scalar:
    text: str
    mark: Mark


@dataclass(frozen=True)
class Sequence:
    items: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True)
class Entry:
    """A key's place, and its value."""

    key_mark: Mark
    value: Node


@dataclass(frozen=True)
class Mapping:
    """`left_out` names keys that stand in the file with a value already refused."""

    entries: dict[str, Entry]
    mark: Mark
    left_out: frozenset[str] = frozenset()

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry.value if entry else None


Node: TypeAlias = Scalar | Sequence | Mapping


class Unreadable(Exception):
    """The file cannot be made into a tree at all."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.text)
        self.problem = problem


def read_tree(text: str, file: str = "") -> tuple[Node, list[Problem]]:
    """The file's tree and what is wrong with it short of being unreadable. `file` goes
    into every mark.

    Raises Unreadable for a syntax error, an empty file, more than one document,
    too deep a nesting, or aliases that expand without bound.
    """
    try:
        _measure(text, file)
        root = yaml.compose(text, Loader=_PlainLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = ", ".join(part for part in (error.context, error.problem) if part)
        if error.context_mark and error.context_mark is not mark:
            begun = _mark(error.context_mark)
            what += f" (begun in line {begun.line}, column {begun.column})"
        where = _mark(mark, file) if mark else Mark(file=file)
        hint = _hint(what, text.splitlines(), where)
        raise Unreadable(Problem(where, f"not YAML: {what}{hint}")) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = Mark(before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1, file)
        character = f"U+{ord(text[error.position]):04X}"
        raise Unreadable(Problem(where, f"not YAML: the character {character}")) from None
    if root is None:
        raise Unreadable(Problem(Mark(file=file), "the file is empty"))
    builder = _Builder(file, text.splitlines())
    return builder.node(root, ()), builder.problems


def plain(node: Node) -> Any:
    """The tree as dicts, lists and strings."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


# What PyYAML says, and what a person most likely has to do. The first that fits.
_HINTS = (
    ("found character '\\t'", "indent with spaces, not with tabs"),
    ("that cannot start any token", "put the text between quotes"),
    ("scanning a block scalar", "put a text that starts with '>' or '|' between quotes"),
    ("mapping values are not allowed here", "put a text that has ': ' in it between quotes"),
    ("scanning a quoted scalar", "close the quote"),
    ("expected ',' or", "put ',' between entries, and close the bracket behind the last"),
    ("parsing a flow", "close the bracket"),
    (
        "parsing a block mapping, expected <block end>, but found '<scalar>'",
        "the text goes on behind its quote; put all of it between one pair of the other quotes",
    ),
    ("expected <block end>", "what belongs together starts in the same column"),
    ("could not find expected ':'", "write 'key: value'"),
)


def _hint(what: str, lines: list[str], where: Mark) -> str:
    if "mapping values are not allowed here" in what and not re.search(
        r":\s", "".join(lines[where.line - 1 : where.line])[: where.column - 1]
    ):
        # The line's own first ':' is refused, so to YAML it goes on with the value above it.
        return (
            "; this line goes on with the value above it: start it in the same column as the key "
            "it belongs beside, or put a space after the ':' above"
        )
    return next((f"; {hint}" for said, hint in _HINTS if said in what), "")


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader that resolves no scalar: `no` is the text "no", not False."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own class attribute)


def _mark(mark: Any, file: str = "") -> Mark:
    return Mark(mark.line + 1, mark.column + 1, file)


def _measure(text: str, file: str) -> None:
    """Depth and size by events, before anything recursive sees the text."""
    depth = 0
    documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=_PlainLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if depth > MAX_DEPTH:
            raise Unreadable(
                Problem(_mark(event.start_mark, file), f"nested more than {MAX_DEPTH} levels deep")
            )
        if documents > 1:
            raise Unreadable(
                Problem(
                    _mark(event.start_mark, file), "a second document; a file holds one scenario"
                )
            )
        if count > 2 * MAX_NODES:
            raise Unreadable(
                Problem(_mark(event.start_mark, file), f"more than {MAX_NODES} values")
            )


@dataclass
class _Builder:
    file: str = ""
    lines: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def node(self, node: yaml.Node, above: tuple[int, ...]) -> Node:
        mark = _mark(node.start_mark, self.file)
        self.count += 1
        if self.count > MAX_NODES:
            raise Unreadable(Problem(mark, f"aliases expand to more than {MAX_NODES} values"))
        if id(node) in above:
            raise Unreadable(Problem(mark, "an alias stands inside what it names"))
        if len(above) > MAX_DEPTH:
            raise Unreadable(Problem(mark, f"aliases nest more than {MAX_DEPTH} levels deep"))
        if node.tag not in _TAGS:
            self.problems.append(Problem(mark, f"tag '{_short(node.tag)}'; tags are not allowed"))
        if isinstance(node, yaml.ScalarNode):
            self._check_characters(str(node.value), mark)
            return Scalar(str(node.value), mark)
        inside = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            return Sequence(self._items(node, inside), mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, mark, inside)
        raise Unreadable(Problem(mark, "neither a value, a list nor a mapping"))

    def _check_characters(self, text: str, mark: Mark) -> None:
        """Escapes may write what no file, page or terminal takes."""
        found = _NO_TEXT.search(text)
        if found is not None:
            raise Unreadable(
                Problem(mark, f"the character U+{ord(found[0]):04X} is no text; leave it out")
            )

    def _items(self, node: yaml.SequenceNode, inside: tuple[int, ...]) -> tuple[Node, ...]:
        items = []
        for item in node.value:
            if _is_null(item):
                self.problems.append(
                    Problem(_mark(item.start_mark, self.file), "a list entry has no value")
                )
            else:
                items.append(self.node(item, inside))
        return tuple(items)

    def _mapping(self, node: yaml.MappingNode, start: Mark, inside: tuple[int, ...]) -> Mapping:
        entries: dict[str, Entry] = {}
        left_out: set[str] = set()
        for key_node, value_node in node.value:
            mark = _mark(key_node.start_mark, self.file)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(Problem(mark, "a key must be a word"))
                continue
            key = str(key_node.value)
            self._check_characters(key, mark)
            if key == "<<" and key_node.style is None:
                self.problems.append(
                    Problem(mark, "merge key '<<' is not supported; write the keys out")
                )
            elif key in entries:
                first = entries[key].key_mark.line
                self.problems.append(
                    Problem(mark, f"key '{key}' stands twice; first in line {first}")
                )
            elif _is_null(value_node):
                hint = self._why_no_value(key, value_node)
                self.problems.append(Problem(mark, f"'{key}' has no value{hint}"))
                left_out.add(key)
            else:
                entries[key] = Entry(mark, self.node(value_node, inside))
        return Mapping(entries, start, frozenset(left_out))

    def _why_no_value(self, key: str, value: yaml.Node) -> str:
        """What was most likely written instead of one, for a person to put right."""
        if re.match(r"\w+:\S", key):
            return "; put a space after the ':'"
        line = self.lines[value.start_mark.line] if value.start_mark.line < len(self.lines) else ""
        if comment := re.match(r"\s+(#[^\s#]\S*)", line[value.start_mark.column :]):
            return f"; '#' begins a comment: write '{key}: \"{comment[1]}\"'"
        return ""


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _is_null(node: yaml.Node) -> bool:
    return (
        isinstance(node, yaml.ScalarNode)
        and node.style is None
        and node.value in ("", "~", "null", "Null", "NULL")
    )
