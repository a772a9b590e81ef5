"""The tree of a scenario with every short form written out.

`wait: 5s` at the top becomes a phase with one step; `steps` becomes a phase;
`click: "text=Play"` becomes `{kind: click, selector: "text=Play"}`. Places are
kept, so the model's errors still point into the file. What cannot be written out
is reported here and left out, so that the rest is checked too.
"""

from __future__ import annotations

from pathlib import Path

from .located import Entry, Mapping, Mark, Node, Problem, Scalar, Sequence
from .nearest import unknown
from .step import COMPANIONS, STEP_LISTS, STEP_TYPES

INTERNAL = ("kind", "line", "file", "path", "case", "variables")
_BODIES = ("phases", "steps", "wait")


def normal_form(root: Node, path: Path) -> tuple[Mapping, list[Problem]]:
    """The scenario written out, and what is wrong with its form. Never raises."""
    writer = _Writer()
    if not isinstance(root, Mapping):
        writer.report(root.mark, "a scenario is a mapping of keys, such as 'open: index.html'")
        return Mapping({}, root.mark), writer.problems
    return writer.scenario(root, path), writer.problems


class _Writer:
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def report(self, mark: Mark, text: str) -> None:
        self.problems.append(Problem(mark, text))

    def scenario(self, root: Mapping, path: Path) -> Mapping:
        entries = self._own(root, INTERNAL)
        title = _text(entries, "scenario", Scalar(path.stem, root.mark))
        bodies = [name for name in _BODIES if name in entries]
        left_out = root.left_out
        for name in bodies[1:]:
            self.report(
                entries[name].key_mark, f"'{name}' beside '{bodies[0]}'; a scenario has one of them"
            )
        if not bodies:
            if not left_out.intersection(_BODIES):
                self.report(
                    root.mark,
                    "a scenario needs 'phases', or 'steps', or 'wait' (such as 'wait: 5s')",
                )
            left_out |= {"phases"}
        elif bodies[0] == "phases":
            phases = entries["phases"]
            entries["phases"] = Entry(phases.key_mark, self._phases(phases.value))
        else:
            entries["phases"] = self._one_phase(bodies[0], entries[bodies[0]], title)
        for name in ("steps", "wait"):
            entries.pop(name, None)
        entries["path"] = Entry(root.mark, Scalar(str(path), root.mark))
        entries["scenario"] = entries.get("scenario") or Entry(root.mark, title)
        return Mapping(entries, root.mark, left_out)

    def _one_phase(self, name: str, entry: Entry, title: Scalar) -> Entry:
        mark = entry.key_mark
        if name == "wait":
            alone = Mapping({"wait": entry}, mark)
            steps: Node = Sequence(tuple(self._step(alone)), mark)
        else:
            steps = self._steps(entry.value)
        phase = {
            "phase": Entry(mark, title),
            "line": _number(mark.line, mark),
            "steps": Entry(mark, steps),
        }
        return Entry(
            mark, Sequence((_without_refused_steps(Mapping(phase, mark), entry.value),), mark)
        )

    def _phases(self, node: Node) -> Node:
        if not isinstance(node, Sequence):
            return node
        return Sequence(tuple(self._phase(item) for item in node.items), node.mark)

    def _phase(self, node: Node) -> Node:
        if not isinstance(node, Mapping):
            return node
        entries = self._own(node, INTERNAL)
        if "steps" in entries:
            steps = entries["steps"]
            entries["steps"] = Entry(steps.key_mark, self._steps(steps.value))
        entries["line"] = _number(node.mark.line, node.mark)
        phase = Mapping(entries, node.mark, node.left_out)
        return _without_refused_steps(phase, node.get("steps"))

    def _steps(self, node: Node) -> Node:
        if not isinstance(node, Sequence):
            return node
        items = [step for item in node.items for step in self._step(item)]
        return Sequence(tuple(items), node.mark)

    def _step(self, node: Node) -> list[Mapping]:
        """The step, or nothing when its form is wrong."""
        if isinstance(node, Scalar) and node.text in STEP_TYPES:
            self.report(node.mark, f"step '{node.text}' has no value; write '{node.text}: ...'")
            return []
        if not isinstance(node, Mapping):
            shown = f"'{node.text}'" if isinstance(node, Scalar) else "a list"
            self.report(node.mark, f"{shown} is not a step; write one as 'click: \"text=Play\"'")
            return []
        kind = next((name for name in node.entries if name in STEP_TYPES), None)
        beside = STEP_TYPES[kind].companions if kind else ()
        companions: dict[str, Entry] = {}
        for name, entry in node.entries.items():
            if name == kind:
                continue
            if name in beside:
                companions[name] = entry
            elif name in STEP_TYPES and kind:
                self.report(
                    entry.key_mark, f"'{name}' in the same step; each step starts with its own '-'"
                )
            elif name in COMPANIONS:
                owner = next(step for step, of in STEP_TYPES.items() if name in of.companions)
                self.report(entry.key_mark, f"'{name}' without '{owner}' in the same step")
            else:
                self.report(entry.key_mark, unknown("step", name, STEP_TYPES))
        if not node.entries and not node.left_out:
            self.report(node.mark, "a step without a key")
        if kind is None:
            return []
        return [self._written_out(kind, node.entries[kind], companions, node.left_out)]

    def _written_out(
        self, name: str, entry: Entry, companions: dict[str, Entry], left_out: frozenset[str]
    ) -> Mapping:
        step = STEP_TYPES[name]
        if step.primary_is_all:
            fields = {step.primary: entry}
        elif isinstance(entry.value, Mapping):
            fields = self._own(entry.value, INTERNAL)
            left_out |= entry.value.left_out
            for companion in companions:
                if companion in fields:
                    self.report(companions[companion].key_mark, f"'{companion}' stands twice")
        else:
            fields = {step.primary: entry}
        fields |= companions
        for key in step.companions:
            if key in fields and key in STEP_LISTS:
                inner = fields[key]
                fields[key] = Entry(inner.key_mark, self._steps(inner.value))
                written = inner.value
                kept = fields[key].value
                if (
                    isinstance(written, Sequence)
                    and isinstance(kept, Sequence)
                    and (written.items and not kept.items)
                ):
                    left_out |= {key}
        mark = entry.key_mark
        fields["kind"] = Entry(mark, Scalar(name, mark))
        fields["line"] = _number(mark.line, mark)
        fields["file"] = Entry(mark, Scalar(mark.file, mark))
        return Mapping(fields, mark, left_out)

    def _own(self, node: Mapping, internal: tuple[str, ...]) -> dict[str, Entry]:
        """A copy of the entries, without names that only the written-out form uses."""
        for name in internal:
            if name in node.entries:
                self.report(node.entries[name].key_mark, f"unknown key '{name}'")
        return {name: entry for name, entry in node.entries.items() if name not in internal}


def _without_refused_steps(phase: Mapping, written: Node | None) -> Mapping:
    """Marks `steps` as left out when steps were written and none could be kept."""
    steps = phase.get("steps")
    if not isinstance(steps, Sequence) or steps.items or not isinstance(written, Sequence):
        return phase
    left_out = phase.left_out | {"steps"} if written.items else phase.left_out
    return Mapping(phase.entries, phase.mark, left_out)


def _text(entries: dict[str, Entry], name: str, default: Scalar) -> Scalar:
    entry = entries.get(name)
    return entry.value if entry and isinstance(entry.value, Scalar) else default


def _number(value: int, mark: Mark) -> Entry:
    return Entry(mark, Scalar(str(value), mark))
