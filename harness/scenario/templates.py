"""Templates: phases that are placed with `use`, with other values each time."""

from __future__ import annotations

from dataclasses import dataclass, field

from .findings import Findings
from .located import Entry, Mapping, Node, Scalar, Sequence
from .nearest import meant, nearest
from .variables import Filler, Scope, named_values, names_in, reached

_USE_KEYS = ("use", "with", "phase", "duration", "expect")


@dataclass(frozen=True)
class Template:
    """A phase to be placed, and the variables that stand in it."""

    tree: Mapping
    names: frozenset[str]


@dataclass
class Templates:
    """Those that a scenario has, by name; `placed` are the names of those that it uses."""

    findings: Findings
    found: dict[str, Template] = field(default_factory=dict)
    placed: set[str] = field(default_factory=set)

    def collect(self, node: Node | None) -> None:
        """Takes the templates that stand under `templates`; names have to be new."""
        if node is None:
            return
        if not isinstance(node, Sequence):
            self.findings.report(
                node.mark, "templates: write each as '- phase: NAME', as phases are"
            )
            self.findings.unread = True
            return
        for item in node.items:
            name = item.get("phase") if isinstance(item, Mapping) else None
            if not isinstance(item, Mapping) or not isinstance(name, Scalar):
                if not isinstance(item, Mapping) or "phase" not in item.left_out:
                    self.findings.report(
                        item.mark, "a template is a phase; write it as '- phase: NAME'"
                    )
                self.findings.unread = True
            elif "${" in name.text:
                text = "a template's name has no variables; name the phase where it is used"
                self.findings.report(name.mark, text)
                self.findings.unread = True
            elif name.text in self.found:
                self.findings.report(name.mark, f"the template '{name.text}' exists already")
            else:
                self.found[name.text] = Template(item, frozenset(names_in(item)))

    def placed_phase(self, node: Node, scope: Scope, filler: Filler) -> Node | None:
        """A phase with variables filled in, and with its template where it uses one; None
        where a value was refused."""
        if not isinstance(node, Mapping):
            return filler.filled(node, scope)
        if "use" not in node.entries.keys() | node.left_out:
            return self._phase_without_use(node, scope, filler)
        foreign = [key for key in node.entries if key not in _USE_KEYS]
        for key, entry in node.entries.items():
            if key in foreign:
                self.findings.report(
                    entry.key_mark,
                    f"'{key}' beside 'use'; a used template takes {', '.join(_USE_KEYS[1:])}",
                )
        own = {key: entry for key, entry in node.entries.items() if key in _USE_KEYS[2:]}
        written = filler.filled_tree(Mapping(own, node.mark, node.left_out), scope)
        template = self._template(node, scope, filler)
        if template is None:
            left_out = written.left_out | {"phase", "steps", "duration"}
            return Mapping(written.entries, node.mark, left_out)
        given = self._given(node.get("with"), template, scope, filler)
        # What is missing may stand under a key that was refused.
        silent = bool(foreign) or "with" in node.left_out
        self._require(template, node.entries["use"].value, given, scope, silent)
        body = filler.filled_tree(template.tree, Scope(scope.raw, dict(given)))
        entries = {**body.entries, **written.entries}
        if "phase" not in written.entries:  # two uses with one name are told apart by place
            used = node.entries["use"]
            name = body.entries["phase"].value
            assert isinstance(name, Scalar)
            entries["phase"] = Entry(used.key_mark, Scalar(name.text, used.value.mark))
        left_out = (body.left_out | node.left_out) - written.entries.keys()
        return Mapping(entries, node.mark, left_out | written.left_out)

    def _phase_without_use(self, node: Mapping, scope: Scope, filler: Filler) -> Mapping:
        """An ordinary phase, or one whose `use` is missing or misspelt."""
        if "with" not in node.entries:
            return filler.filled_tree(node, scope)
        misspelt = next((key for key in node.entries if nearest(key, ["use"])), "")
        if misspelt:
            text = f"unknown key '{misspelt}'; did you mean 'use'?"
        else:
            text = "'with' without 'use' in the same phase"
        self.findings.report(node.entries[misspelt or "with"].key_mark, text)
        rest = {key: entry for key, entry in node.entries.items() if key not in (misspelt, "with")}
        left_out = node.left_out | {"phase", "steps", "duration"}
        return filler.filled_tree(Mapping(rest, node.mark, left_out), scope)

    def _template(self, node: Mapping, scope: Scope, filler: Filler) -> Template | None:
        """The template that a phase uses; None where that was refused."""
        used = node.get("use")
        if not isinstance(used, Scalar):
            if used is not None:
                self.findings.report(used.mark, "use: write it as a template's name")
            return None
        name = filler.fill(used, scope)
        if name is None:
            return None
        if name.text not in self.found and not self.findings.unread:
            known = meant(name.text, self.found)
            self.findings.report(used.mark, f"no template is named '{name.text}'; {known}")
        self.placed.add(name.text)
        return self.found.get(name.text)

    def _given(
        self, node: Node | None, template: Template, scope: Scope, filler: Filler
    ) -> dict[str, Scalar | None]:
        if node is None:
            return {}
        if not isinstance(node, Mapping):
            self.findings.report(node.mark, "with: write it as '{profile: Ada}'")
            return dict.fromkeys(template.names - set(scope.raw))
        found: dict[str, Scalar | None] = dict.fromkeys(node.left_out)
        takes = reached(template.names, scope.raw)
        for name, value, mark in named_values(node, "variable", self.findings):
            found[name] = filler.fill(value, scope)
            if name not in takes:
                hint = meant(name, sorted(template.names), "it has")
                self.findings.report(mark, f"the template does not use '{name}'; {hint}")
                # Most likely one that is missing was meant.
                found |= dict.fromkeys(template.names - set(scope.raw) - set(found))
        return found

    def _require(
        self,
        template: Template,
        used: Node,
        given: dict[str, Scalar | None],
        scope: Scope,
        silent: bool,
    ) -> None:
        """Says what a template needs and is not given, where it is used; `given` then has it,
        as refused."""
        known = scope.names()
        for name in sorted(template.names - set(known) - set(given) - self.findings.refused):
            if name and not self.findings.unread and not nearest(name, known):
                given[name] = None
                if not silent:
                    example = f"'{{{name}: ...}}'"
                    text = f"this template needs '{name}'; give it under 'with', as {example}"
                    self.findings.report(used.mark, text)
