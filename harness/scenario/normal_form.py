"""The tree of a scenario with every short form written out.

`wait: 5s` at the top becomes a phase with one step; `steps` becomes a phase;
`click: "text=Play"` becomes `{kind: click, selector: "text=Play"}`. Places are
kept, so the model's errors still point into the file. What cannot be written out
is reported here and left out, so that the rest is checked too.
"""

from __future__ import annotations

from pathlib import Path

from .located import Entry, Mapping, Mark, Node, Problem, Scalar, Sequence
from .model import BODIES, KEYS
from .nearest import nearest, unknown
from .step import STEP_LISTS, STEP_TYPES, WaitingStep, no_timeout

INTERNAL = ("kind", "line", "file", "path", "case", "variables")


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
        bodies = [name for name in BODIES if name in entries]
        left_out = root.left_out
        for name in bodies[1:]:
            self.report(
                entries[name].key_mark, f"'{name}' beside '{bodies[0]}'; a scenario has one of them"
            )
        if not bodies:
            misspelt = any(nearest(key, BODIES) for key in entries if key not in KEYS)
            if not misspelt and not left_out.intersection(BODIES):
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
        found: list[Mapping] = []
        for item in node.items:
            owner = self._begun_with_a_dash(item, found)
            if owner is None:
                found += self._step(item)
            else:
                found[-1] = owner
        return Sequence(tuple(found), node.mark)

    def _begun_with_a_dash(self, node: Node, before: list[Mapping]) -> Mapping | None:
        """The step before, where `node` is a part of it that got a '-' of its own."""
        if not isinstance(node, Mapping) or not before or not node.entries:
            return None
        owner = before[-1]
        kind = owner.get("kind")
        assert isinstance(kind, Scalar)
        companions = STEP_TYPES[kind.text].companions
        if not set(node.entries) <= set(companions) - set(owner.entries):
            return None
        for name, entry in node.entries.items():
            self.report(
                entry.key_mark, f"'{name}' belongs to the '{kind.text}' above; write it without '-'"
            )
        return Mapping(owner.entries, owner.mark, owner.left_out | set(node.entries))

    def _step(self, node: Node) -> list[Mapping]:
        """The step, or nothing when its form is wrong."""
        if isinstance(node, Scalar):
            self._report_text(node)
            return []
        if isinstance(node, Sequence):
            self.report(node.mark, "a list is not a step; write one as 'click: \"text=Play\"'")
            return []
        kind = next((name for name in node.entries if name in STEP_TYPES), None)
        if kind is None:
            if not node.left_out:
                self._report_no_step(node)
            else:
                self._report_fields_beside(node)
            return []
        beside = STEP_TYPES[kind].companions
        companions: dict[str, Entry] = {}
        left_out = node.left_out
        for name, entry in node.entries.items():
            if name in beside:
                companions[name] = entry
            elif name != kind:
                self.report(entry.key_mark, _out_of_place(name, kind))
                left_out |= {nearest(name, beside) or name}  # most likely what was meant
        return [self._written_out(kind, node.entries[kind], companions, left_out)]

    def _report_text(self, node: Scalar) -> None:
        word, _, rest = node.text.partition(" ")
        if node.text in STEP_TYPES:
            text = f"step '{node.text}' has no value; write it as '{STEP_TYPES[node.text].example}'"
        elif word in STEP_TYPES:
            text = f"'{node.text}' is not a step; write it as '{word}: {rest.strip()}'"
        else:
            text = f"'{node.text}' is not a step; write one as 'click: \"text=Play\"'"
        self.report(node.mark, text)

    def _report_no_step(self, node: Mapping) -> None:
        if not node.entries:
            self.report(node.mark, "a step without a key")
            return
        name, entry = next(iter(node.entries.items()))
        if name in STEP_LISTS:
            owner = next(step for step, of in STEP_TYPES.items() if name in of.companions)
            self.report(entry.key_mark, f"'{name}' without '{owner}' in the same step")
        else:
            self.report(entry.key_mark, unknown("step", name, STEP_TYPES))

    def _report_fields_beside(self, node: Mapping) -> None:
        """`click:` with its fields below it in its own column, where they are not its own."""
        kind = next((name for name in STEP_TYPES if name in node.left_out), None)
        if kind is None or not node.entries:
            return
        name, entry = next(iter(node.entries.items()))
        if name not in STEP_TYPES[kind].companions:
            self.report(
                entry.key_mark,
                f"'{name}' stands beside '{kind}', not in it; start it further right than "
                f"'{kind}', or write '{kind}: {{{name}: ...}}'",
            )

    def _written_out(
        self, name: str, entry: Entry, companions: dict[str, Entry], left_out: frozenset[str]
    ) -> Mapping:
        step = STEP_TYPES[name]
        if step.primary_is_all:
            fields = {step.primary: self._without_companions(name, entry, companions)}
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

    def _without_companions(self, kind: str, entry: Entry, companions: dict[str, Entry]) -> Entry:
        """`if: {visible: x, then: [...]}`: `then` stands one level too deep."""
        if not isinstance(entry.value, Mapping):
            return entry
        inside = [name for name in STEP_TYPES[kind].companions if name in entry.value.entries]
        for name in inside:
            moved = entry.value.entries[name]
            self.report(moved.key_mark, f"'{name}' belongs beside '{kind}', not inside it")
            companions.setdefault(name, moved)
        entries = {key: e for key, e in entry.value.entries.items() if key not in inside}
        return Entry(entry.key_mark, Mapping(entries, entry.value.mark, entry.value.left_out))

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


def _out_of_place(name: str, kind: str) -> str:
    """What a key means that stands beside a step's name, and does not belong there."""
    step = STEP_TYPES[kind]
    if name in STEP_TYPES:
        return f"'{name}' in the same step as '{kind}'; each step starts with its own '-'"
    if name == "timeout" and not issubclass(step, WaitingStep):
        return no_timeout(kind)
    fields = {field.alias or own for own, field in step.model_fields.items()} - set(INTERNAL)
    if name in fields and not step.primary_is_all:
        return (
            f"'{name}' stands beside '{kind}', not in it; "
            f"write '{kind}: {{{step.primary}: ..., {name}: ...}}'"
        )
    near = nearest(name, (*step.companions, *fields))
    hint = f"; did you mean '{near}'?" if near else ""
    return f"'{name}' does not belong to the step '{kind}'{hint}"


def _text(entries: dict[str, Entry], name: str, default: Scalar) -> Scalar:
    entry = entries.get(name)
    return entry.value if entry and isinstance(entry.value, Scalar) else default


def _number(value: int, mark: Mark) -> Entry:
    return Entry(mark, Scalar(str(value), mark))
