"""What moved between two recordings of a scenario, in which phase, and whether for worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .baseline import ScenarioMetrics
from .errors import BaselineError
from .scenario.model import WHOLE
from .text_table import aligned
from .tolerance import METRICS, Metric, Tolerance, Worse, tolerance_of


class Outcome(Enum):
    """How a metric moved. Only REGRESSED fails anything."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    MOVED = "moved, not judged"
    UNMEASURED = "not measured"
    WITHIN = "within"


_ORDER = list(Outcome)
HEAD = ("scenario", "phase", "metric", "before", "now", "change", "tolerance", "verdict")


@dataclass(frozen=True)
class Movement:
    """One metric of one phase, before and now, in the metric's own unit; None where it
    was not measured."""

    scenario: str
    phase: str
    metric: Metric
    before: float | None
    now: float | None
    tolerance: Tolerance
    outcome: Outcome

    @property
    def row(self) -> tuple[str, ...]:
        """Its line of the table, as HEAD names the columns."""
        show = self.metric.kind.format
        values = [
            "–" if value is None else show(value)  # noqa: RUF001
            for value in (self.before, self.now)
        ]
        change = ""
        if self.before is not None and self.now is not None:
            change = show(self.now - self.before, movement=True)
            if self.metric.kind.relative and self.before:
                change += f" ({100 * (self.now / self.before - 1):+.1f}%)"
        return (
            self.scenario,
            self.phase,
            self.metric.name,
            *values,
            change,
            str(self.tolerance),
            self.outcome.value,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dump."""
        return {
            "scenario": self.scenario,
            "phase": self.phase,
            "metric": self.metric.name,
            "before": self.before,
            "now": self.now,
            "tolerance": str(self.tolerance),
            "verdict": self.outcome.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Movement:
        """What to_json gave; of the tolerance only its text is left."""
        metric = next(metric for metric in METRICS if metric.name == data["metric"])
        return cls(
            scenario=data["scenario"],
            phase=data["phase"],
            metric=metric,
            before=data["before"],
            now=data["now"],
            tolerance=Tolerance(text=data["tolerance"]),
            outcome=Outcome(data["verdict"]),
        )


@dataclass(frozen=True)
class Comparison:
    """All movements between two sets of recordings, and what could not be compared.
    `scenarios` counts those that were; `broken` says whose stream fails checks that it passed
    before, which no metric shows: they are measured on what the encoders reconstructed."""

    movements: tuple[Movement, ...] = ()
    notes: tuple[str, ...] = ()
    scenarios: int = 0
    broken: tuple[str, ...] = ()

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            self.movements + other.movements,
            self.notes + other.notes,
            self.scenarios + other.scenarios,
            self.broken + other.broken,
        )

    @property
    def regressed(self) -> bool:
        """Something is worse: a metric than its tolerance allows, or a check fails now."""
        moved = any(movement.outcome is Outcome.REGRESSED for movement in self.movements)
        return moved or bool(self.broken)

    @property
    def notable(self) -> list[Movement]:
        """What left its tolerance or is no longer measured; regressions first."""
        moved = [m for m in self.movements if m.outcome is not Outcome.WITHIN]
        return sorted(moved, key=lambda movement: _ORDER.index(movement.outcome))

    @property
    def summary(self) -> str:
        """How many scenarios and values, and how they moved, in one line."""
        counts = {o: sum(m.outcome is o for m in self.movements) for o in Outcome}
        parts = [f"{count} {o.value}" for o, count in counts.items() if count]
        plural = "" if self.scenarios == 1 else "s"
        return f"{self.scenarios} scenario{plural} compared: {', '.join(parts) or 'nothing'}"

    def to_json(self) -> dict[str, Any]:
        """Plain data for json.dump."""
        return {
            "regressed": self.regressed,
            "summary": self.summary,
            "scenarios": self.scenarios,
            "notes": list(self.notes),
            "broken": list(self.broken),
            "movements": [movement.to_json() for movement in self.movements],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Comparison:
        """What to_json gave."""
        movements = tuple(Movement.from_json(movement) for movement in data["movements"])
        return cls(movements, tuple(data["notes"]), data["scenarios"], tuple(data["broken"]))


def compare_scenario(
    before: ScenarioMetrics,
    now: ScenarioMetrics,
    stated: Mapping[str, Tolerance] | None = None,
    own: Mapping[str, Tolerance] | None = None,
) -> Comparison:
    """Every metric of every phase and of the whole. `stated` are the command line's
    tolerances, `own` the scenario's; the first that names a metric wins."""
    tolerances = (stated or {}, own or {})
    notes = []
    movements: list[Movement] = []
    # With one phase the whole recording says the same, with its times.
    if len(now.phases) > 1 or len(before.phases) > 1:
        for phase, measures in now.phases.items():
            if phase in before.phases:
                movements += _moved(now.name, phase, before.phases[phase], measures, tolerances)
            else:
                notes.append(f"{now.name}: phase '{phase}' is not in the baseline")
        notes += [
            f"{now.name}: phase '{phase}' of the baseline was not recorded now"
            for phase in before.phases
            if phase not in now.phases
        ]
    movements += _moved(now.name, WHOLE, before.total, now.total, tolerances)
    return Comparison(tuple(movements), tuple(notes), 1)


def compare_runs(
    before: Sequence[ScenarioMetrics],
    now: Sequence[ScenarioMetrics],
    stated: Mapping[str, Tolerance] | None = None,
    *,
    any_environment: bool = False,
) -> Comparison:
    """Every scenario that both have; those that only one has are noted.

    Raises:
        BaselineError: a scenario was recorded in another environment, and that was not
            allowed; or they have none in common.
    """
    comparison = Comparison()
    left = list(before)
    for scenario in now:
        found = match(left, scenario)
        if found is None:
            comparison += Comparison(notes=(f"{scenario.name}: not in the baseline",))
            continue
        left.remove(found)
        if not any_environment:
            require_same_environment(found, scenario)
        own = {**found.tolerances, **scenario.tolerances}
        comparison += compare_scenario(found, scenario, stated, own)
        failing = [name for name in scenario.failed_checks if name not in found.failed_checks]
        if failing:
            line = f"{scenario.name}: fails now, and passed before: {', '.join(failing)}"
            comparison += Comparison(broken=(line,))
    comparison += Comparison(notes=tuple(f"{s.name}: in the baseline only" for s in left))
    if not comparison.scenarios:
        names = [", ".join(s.name for s in side) or "none" for side in (before, now)]
        raise BaselineError(
            f"no scenario is in both: before {names[0]}; now {names[1]}",
            "compare runs of the same scenarios",
        )
    return comparison


def match(candidates: Sequence[ScenarioMetrics], wanted: ScenarioMetrics) -> ScenarioMetrics | None:
    """The same scenario among others: by its node id, else by its name where only one
    has it."""
    for candidate in candidates:
        if candidate.nodeid and candidate.nodeid == wanted.nodeid:
            return candidate
    same = [candidate for candidate in candidates if candidate.name == wanted.name]
    return same[0] if len(same) == 1 else None


def require_same_environment(before: ScenarioMetrics, now: ScenarioMetrics) -> None:
    """Raises BaselineError where the two were not recorded alike."""
    for what, was, is_ in (
        ("environment", before.environment_id, now.environment_id),
        ("view", before.view, now.view),
    ):
        if was != is_:
            raise BaselineError(
                f"{now.name}: the {what} was {was}, it is {is_}; their numbers do not compare",
                "record a baseline with what is used now; `harness compare --any-environment` "
                "compares runs all the same",
            )


def text_table(comparison: Comparison) -> str:
    """What moved, regressions first, then what could not be compared, then the counts."""
    lines = []
    if comparison.notable:
        right = [HEAD.index(name) for name in ("before", "now", "change")]
        lines.append(aligned([HEAD, *(m.row for m in comparison.notable)], right))
    return "\n".join([*lines, *comparison.broken, *comparison.notes, comparison.summary])


def _moved(
    scenario: str,
    phase: str,
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    tolerances: Sequence[Mapping[str, Tolerance]],
) -> list[Movement]:
    movements = []
    for metric in METRICS:
        was, is_ = metric.value(before), metric.value(now)
        tolerance = tolerance_of(metric, *tolerances)
        if was is None or tolerance.off:  # a metric that is new has nothing to move from
            continue
        ticks = min(before.get("ticks", 0), now.get("ticks", 0))
        outcome = _outcome(metric.worse, was, is_, tolerance, ticks)
        movements.append(Movement(scenario, phase, metric, was, is_, tolerance, outcome))
    return movements


def _outcome(
    worse: Worse, before: float, now: float | None, tolerance: Tolerance, ticks: int
) -> Outcome:
    if now is None:
        return Outcome.UNMEASURED
    before, now = min(before, tolerance.ceiling), min(now, tolerance.ceiling)
    change = now - before
    # Shares are rounded to two digits; a change of exactly the tolerance is within.
    if abs(change) <= tolerance.allowed(before, ticks) + (0.011 if tolerance.ticks else 1e-6):
        return Outcome.WITHIN
    if worse is Worse.EITHER or (change > 0) == (worse is Worse.UP):
        return Outcome.REGRESSED if tolerance.fails else Outcome.MOVED
    return Outcome.IMPROVED if tolerance.fails else Outcome.MOVED
